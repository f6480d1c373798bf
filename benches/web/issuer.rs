//! One session, and its issuer in the forms that the contestants want.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

pub(crate) const KID: &str = "d-1700000000000";
pub(crate) const AUDIENCE: &str = "account";

pub(crate) struct Issuer {
    /// An access token in RS256 with some 20 claims, as identity providers write them.
    pub(crate) token: String,
    /// The same without an audience: clerk-rs refuses tokens that have one.
    pub(crate) token_without_audience: String,
    /// The public key (SPKI).
    pub(crate) pem: String,
    pub(crate) n: String,
    pub(crate) e: String,
    /// Where the discovery document and the JWK set are served, for as long as the process runs.
    pub(crate) url: String,
}

impl Issuer {
    pub(crate) fn start() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("randomness");
        let public = pair.public_key();
        let der: PublicKeyX509Der<'_> = public.as_der().expect("a public key");
        let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", der.as_ref()));
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let url = format!("http://{}/realms/bench", listener.local_addr().expect("it is bound"));
        let jwks = json!({ "keys": [{ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": KID, "n": n, "e": e }] });
        let discovery = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/auth"),
            "jwks_uri": format!("{url}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        std::thread::spawn(move || serve(&listener, &jwks, &discovery));

        let key: Pkcs8V1Der<'_> = pair.as_der().expect("a private key");
        let pkcs8 = pem::encode(&pem::Pem::new("PRIVATE KEY", key.as_ref()));
        let key = EncodingKey::from_rsa_pem(pkcs8.as_bytes()).expect("a private key");
        let header = Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::RS256) };
        let sign = |claims: &Value| jsonwebtoken::encode(&header, claims, &key).expect("a key for this algorithm");
        let mut claims = claims(&url);
        let token = sign(&claims);
        claims.as_object_mut().expect("an object").remove("aud");
        let token_without_audience = sign(&claims);
        Self { token, token_without_audience, pem, n, e, url }
    }
}

fn claims(issuer: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    json!({
        "iss": issuer, "sub": "0192f5a1-7b3c-7d1e-9f00-3c2b1a098765", "aud": AUDIENCE, "azp": "shop", "typ": "Bearer",
        "iat": now - 10, "nbf": now - 10, "exp": now + 3_600, "jti": "b3f4a9c2-14dd-4a39-8d2e-9a1f0f4e7c55",
        "sid": "6f1c2f0e-5b7d-4e55-9d1c-1f3a5b7c9d11", "scope": "openid email profile", "acr": "1",
        "realm_access": { "roles": ["offline_access", "uma_authorization", "editor"] },
        "email_verified": true, "name": "Alice Example", "preferred_username": "alice", "given_name": "Alice",
        "family_name": "Example", "email": "alice@example.com",
    })
}

fn serve(listener: &TcpListener, jwks: &Value, discovery: &Value) {
    for mut stream in listener.incoming().flatten() {
        let mut request = Vec::<u8>::new();
        let mut buffer = [0; 1024];
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(read) => request.extend(&buffer[..read]),
            }
        }
        let wants_keys = request.windows(6).any(|window| window == b"/jwks ");
        let body = if wants_keys { jwks } else { discovery }.to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        // A client that hung up does not matter.
        let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
    }
}
