use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::session::{JwtVerifier, TokenSource, TokenSources};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{AntiCsrf, Session, UserId, UserMetadataHandle, UserMetadataLayer};

/// The same calls as in `fail`, with everything that they need.
#[test]
fn what_the_cases_lack_is_all_that_they_lack() {
    let pem = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAfU0Of2FTpptiQrUiq77mhf2kQg+INLEIw72uNp71Sfo=\n\
        -----END PUBLIC KEY-----\n";
    let key = VerificationKey::from_pem(Algorithm::EdDSA, pem).unwrap();
    let plain = JwtVerifier::builder(key.clone())
        .with_leeway(Duration::from_secs(5))
        .without_audience()
        .build()
        .expect("a verifier");
    let supertokens = JwtVerifier::supertokens(key).build().expect("a verifier");
    let cookie = TokenSource::cookie("session", AntiCsrf::ViaCustomHeader).unwrap();
    let layer = UserMetadataLayer::new(supertokens, MemoryStore::new());
    drop(layer.with_token_sources(TokenSources::new([cookie])));
    drop(plain);

    let user = UserId::new("alice").unwrap();
    let session = Session::assertion(user.clone(), SystemTime::now()).build();
    assert_eq!(session.user_id(), &user);
    drop(UserMetadataHandle::admin(user, Arc::new(MemoryStore::new())));
}
