//! Nothing: the benchmarks are in the folder above.
