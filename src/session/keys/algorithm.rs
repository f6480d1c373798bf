use std::fmt;
use std::str::FromStr;

/// A signature algorithm of RFC 7518 section 3 or RFC 8037.
///
/// `none` cannot be named, and neither can algorithms that nobody should start to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256; the algorithm of SuperTokens.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA with P-256 and SHA-256.
    ES256,
    /// ECDSA with P-384 and SHA-384.
    ES384,
    /// EdDSA with Ed25519. RFC 9864 calls it `Ed25519`, which is another name of the same algorithm: in a token, in a JWK,
    /// and where a name is read.
    EdDSA,
    /// HMAC with SHA-256: whoever can verify can also sign.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
}

/// What RFC 9864 calls EdDSA with the only curve for it that is supported.
const ED25519: &str = "Ed25519";

/// What a key must be for an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Rsa,
    P256,
    P384,
    Ed25519,
    /// A secret of at least so many bytes: the output of the hash (RFC 7518 section 3.2).
    Secret(usize),
}

impl Algorithm {
    const ALL: [Self; 12] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
        Self::HS256,
        Self::HS384,
        Self::HS512,
    ];

    /// The name in a token's header and in a JWK; of [`EdDSA`](Self::EdDSA) the one of RFC 8037, which most issuers write.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
        }
    }

    pub(crate) fn key_type(self) -> KeyType {
        match self {
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => KeyType::Rsa,
            Self::ES256 => KeyType::P256,
            Self::ES384 => KeyType::P384,
            Self::EdDSA => KeyType::Ed25519,
            Self::HS256 => KeyType::Secret(32),
            Self::HS384 => KeyType::Secret(48),
            Self::HS512 => KeyType::Secret(64),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads a name exactly: names are case-sensitive (RFC 7515 section 4.1.1). `Ed25519` and `EdDSA` are both
    /// [`EdDSA`](Self::EdDSA).
    ///
    /// ```
    /// use tower_user_metadata::session::keys::Algorithm;
    ///
    /// assert_eq!("EdDSA".parse(), Ok(Algorithm::EdDSA));
    /// assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDSA));
    /// assert!("ed25519".parse::<Algorithm>().is_err());
    /// ```
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == ED25519 {
            return Ok(Self::EdDSA);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or(UnknownAlgorithm(()))
    }
}

/// A name that is not that of an [`Algorithm`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a supported signature algorithm")]
pub struct UnknownAlgorithm(());
