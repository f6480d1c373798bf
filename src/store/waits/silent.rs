//! What stands for the waits where nobody wants to know of them.

pub(super) struct Wait;

impl Wait {
    pub(super) fn begin() -> Self {
        Self
    }
}
