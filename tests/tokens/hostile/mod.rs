//! Attacks of our own: everything is signed with the right key, so only the verifier's rules stand between.

mod claims;
mod credentials;
mod encoding;
mod header;
mod keys;
mod providers;
mod purpose;
mod random;
mod services;
mod supertokens;

use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::{AuthErrorKind, UserMetadataLayer};

use crate::harness::{At, Outcome, layer, send_bearer};
use crate::mint::Signer;

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const SECRET: &[u8] = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
pub(crate) const HEADER: &str = r#"{"alg":"HS256"}"#;
pub(crate) const CLAIMS: &str = r#"{"sub":"user-1","exp":1800003600}"#;

/// `Ok` for an accepted token, else why it was refused.
pub(super) type Verdict = Result<(), AuthErrorKind>;

pub(crate) fn plain() -> (Signer, UserMetadataLayer) {
    let signer = Signer::secret(SECRET);
    let verifier = JwtVerifier::builder(signer.verification_key()).without_audience().build().expect("a verifier");
    (signer, layer(verifier, At::seconds(NOW)))
}

pub(super) fn verdict(layer: &UserMetadataLayer, token: impl AsRef<[u8]>) -> Result<Verdict, String> {
    match send_bearer(layer, token.as_ref())?.outcome()? {
        Outcome::Accepted(_) => Ok(Ok(())),
        Outcome::Refused(kind) => Ok(Err(kind)),
    }
}

/// Fails with every row that did not get the verdict.
pub(super) fn all_get<T: AsRef<str>>(
    expected: Verdict,
    rows: impl IntoIterator<Item = T>,
    verdict: impl Fn(&str) -> Result<Verdict, String>,
) {
    let mut wrong = Vec::new();
    for row in rows {
        let row = row.as_ref();
        let got = verdict(row);
        if got != Ok(expected) {
            wrong.push(format!("{got:?} for {}", row.chars().take(200).collect::<String>()));
        }
    }
    assert!(wrong.is_empty(), "{expected:?} was expected, but\n{}", wrong.join("\n"));
}
