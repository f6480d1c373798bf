//! What a client is told when something is wrong: the answers, and the hook by which an application renders them itself.

mod answer;
mod convert;
mod etag;
mod hook;
#[allow(clippy::module_inception, reason = "a file is named for what it has")]
mod problem;

pub(crate) use answer::{json_response, refusal};
pub(crate) use etag::etag;
pub(crate) use hook::Hook;
pub(crate) use problem::MISSING_LAYER;
pub use problem::Problem;
