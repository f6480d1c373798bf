mod cached;
mod conformance;
mod interleavings;
mod observed;
mod staged;
mod timeout;
