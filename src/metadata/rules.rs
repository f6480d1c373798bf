use crate::json::{self, Rules};

/// The deepest nesting that any setting allows: the reader recurses once a level.
pub(super) const DEPTH_CAP: usize = json::MAX_DEPTH;

/// What is refused in every document: nesting past the cap, U+0000 (Postgres cannot hold it, so no store takes it),
/// and numbers with a digit beyond 10^±1000 (`jsonb` writes them out in full, so nine bytes become a thousand, and
/// takes no more than 16,383 digits behind the point).
pub(super) const RULES: Rules = Rules { depth: DEPTH_CAP, exponent: 1000, nul: false };
