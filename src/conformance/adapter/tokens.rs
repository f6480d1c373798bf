/// The user whose tokens the table sends; the contract clears and fills this user's document.
pub const USER: &str = "adapter-contract";

/// The tokens that the table sends: signed, of the user [`USER`], and with an expiry time in the future unless it says
/// otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A good one.
    Good,
    /// A good one of any other user.
    OtherUser,
    /// Expired, and good otherwise.
    Expired,
    /// Signed with a key that the application does not trust, under the name of one that it does.
    WrongKey,
}

/// The tokens of one run.
pub(super) struct Tokens {
    pub(super) good: String,
    pub(super) other_user: String,
    pub(super) expired: String,
    pub(super) wrong_key: String,
}

impl Tokens {
    pub(super) fn minted(mint: impl Fn(TokenKind) -> String) -> Self {
        Self {
            good: mint(TokenKind::Good),
            other_user: mint(TokenKind::OtherUser),
            expired: mint(TokenKind::Expired),
            wrong_key: mint(TokenKind::WrongKey),
        }
    }
}
