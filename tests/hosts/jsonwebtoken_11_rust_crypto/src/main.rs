use std::error::Error;
use std::time::SystemTime;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::session::{JwtVerifier, SessionVerifier, Verdict, VerifyInput};

const SECRET: &[u8] = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";

fn main() -> Result<(), Box<dyn Error>> {
    // The first call of the process, before anything of the metadata exists.
    let token = sign()?;
    let key = VerificationKey::from_secret(Algorithm::HS256, SECRET)?;
    let verifier = JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?;
    let verdict = verifier.verify(VerifyInput::new(&token, SystemTime::now()));
    let Verdict::Ready(session) = verdict else { return Err("a fixed key needs no waiting".into()) };
    assert_eq!(session?.expect("a session").user_id().as_str(), "alice");
    assert_eq!(sign()?, token);
    Ok(())
}

fn sign() -> Result<String, Box<dyn Error>> {
    // In the year 2100.
    let claims = json!({ "iss": "https://auth.example.com", "sub": "alice", "exp": 4_102_444_800_u64 });
    Ok(encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET))?)
}
