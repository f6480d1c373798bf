use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tower_user_metadata::conformance::adapter::{TokenKind, USER};

const KID: &str = "adapters";

/// Somebody who issues sessions, with a key server on a port of its own.
pub(crate) struct Issuer {
    jwks_url: String,
    key: EncodingKey,
    /// Not among the keys of the server.
    other_key: EncodingKey,
}

impl Issuer {
    pub(crate) fn start() -> Self {
        let (key, public) = key_pair();
        let (other_key, _) = key_pair();
        let jwks = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KID, "x": URL_SAFE_NO_PAD.encode(public) }
        ] });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let jwks_url = format!("http://{}/jwks.json", listener.local_addr().expect("it is bound"));
        // Serves for as long as the tests run.
        std::thread::spawn(move || serve(&listener, &jwks.to_string()));
        Self { jwks_url, key, other_key }
    }

    pub(crate) fn jwks_url(&self) -> &str {
        &self.jwks_url
    }

    pub(crate) fn token(&self, user: &str) -> String {
        self.token_with(json!({ "sub": user, "exp": now() + 600 }))
    }

    pub(crate) fn token_with(&self, claims: Value) -> String {
        sign(&self.key, &claims)
    }

    /// The tokens of the contract.
    pub(crate) fn mint(&self, kind: TokenKind) -> String {
        match kind {
            TokenKind::OtherUser => self.token("somebody-else"),
            TokenKind::Expired => self.token_with(json!({ "sub": USER, "iat": now() - 7_200, "exp": now() - 3_600 })),
            TokenKind::WrongKey => sign(&self.other_key, &json!({ "sub": USER, "exp": now() + 600 })),
            TokenKind::Good => self.token(USER),
        }
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn sign(key: &EncodingKey, claims: &Value) -> String {
    let header = Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, key).expect("the key is for this algorithm")
}

fn key_pair() -> (EncodingKey, Vec<u8>) {
    let pair = Ed25519KeyPair::generate().expect("randomness");
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("a key that was generated can be written");
    (EncodingKey::from_ed_der(der.as_ref()), pair.public_key().as_ref().to_owned())
}

fn serve(listener: &TcpListener, jwks: &str) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let mut request = Vec::<u8>::new();
        let mut buffer = [0; 1024];
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(read) => request.extend(&buffer[..read]),
            }
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", jwks.len());
        // A client that hung up does not matter.
        let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{jwks}").as_bytes());
    }
}
