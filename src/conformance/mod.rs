//! The contracts of this crate as functions, for authors of stores and of adapters.
//!
//! [`store::check`] runs the whole contract of [`MetadataStore`](crate::store::MetadataStore) over a store; one
//! function a promise stands below it, for a closer look at one that is broken. [`Model`] and [`ExactValue`] say what a
//! document must be, independently of the code that stores share. [`adapter::check`] runs the whole contract of an
//! adapter over an application in its framework.
//!
//! This module is outside semver: a release may add checks that a store or an adapter fails. Pin the version to be safe
//! from that.

pub mod adapter;
mod exact;
mod model;
pub mod store;

pub use exact::{Decimal, ExactValue};
pub use model::{Model, refusals};
