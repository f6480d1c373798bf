//! The tokens of SuperTokens have no leeway, so there is nothing to set one with.

use std::time::Duration;

use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::VerificationKey;

fn leeway(key: VerificationKey) -> JwtVerifier {
    JwtVerifier::supertokens(key).with_leeway(Duration::from_secs(60)).build()
}

fn main() {}
