mod batched;
mod cached;
mod conformance;
mod interleavings;
mod observed;
mod once;
mod staged;
mod timeout;
