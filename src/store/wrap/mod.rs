//! Stores around a store; the table is in the docs of the module above.

mod batched;
mod cached;
mod observed;
mod timeout;

pub use batched::BatchedStore;
pub use cached::CachedStore;
pub use observed::ObservedStore;
pub use timeout::TimeoutStore;
