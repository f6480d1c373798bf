/// Depth past which no text is read, whatever the limits say: the reader recurses once a level.
pub(crate) const MAX_DEPTH: usize = 128;

/// What is refused beyond a plain syntax error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Levels of nesting; the root object is the first.
    pub(crate) depth: usize,
    /// The largest power of ten, up or down, that a digit of a number may stand for.
    pub(crate) exponent: i64,
    /// Whether a string may hold U+0000.
    pub(crate) nul: bool,
}

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotUtf8,
    Syntax,
    NotAnObject,
    DuplicateMember,
    LoneSurrogate,
    Nul,
    NumberOutOfRange,
    TooDeep,
}

/// A refused text: the fault and the byte at which it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    pub(crate) fault: Fault,
    pub(crate) at: usize,
}
