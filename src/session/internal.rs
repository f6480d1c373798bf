//! What the traits of this room say to each other and to nobody else.

/// An argument that only this crate can give, and a name that only this crate can write: methods that take it can be
/// neither called nor implemented elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Internal(());

impl Internal {
    pub(crate) const HERE: Self = Self(());
}
