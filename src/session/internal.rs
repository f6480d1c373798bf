//! An argument type that keeps some methods of this module's public traits for this crate alone.

/// An argument that only this crate can give, and a name that only this crate can write: methods that take it can be
/// neither called nor implemented elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Internal(());

impl Internal {
    pub(crate) const HERE: Self = Self(());
}
