//! Sessions that are known: what is remembered of them, for how long, how much it takes, and that nothing of the
//! strictness is lost.
//!
//! A binary of its own, since it counts allocations.

mod ends;
mod flood;
mod memory;
mod strict;
mod world;
