use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use tower_user_metadata::UserMetadataLayer;
use tower_user_metadata::session::{TokenSource, TokenSources};

use super::{CLAIMS, HEADER, SECRET, plain};
use crate::harness::{Outcome, send, send_bearer};
use crate::mint::Signer;

/// Pieces that mean something to some reader of headers, cookies or JSON.
const PIECES: [&str; 40] = [
    "Bearer ",
    "bearer",
    "Basic ",
    "sAccessToken",
    "=",
    ";",
    "; ",
    ",",
    " ",
    "\t",
    "\"",
    "'",
    "%2B",
    "%2",
    "%",
    ".",
    "..",
    "{",
    "}",
    "[",
    "]",
    ":",
    "\\u0061",
    "\\ud800",
    "\\",
    "null",
    "true",
    "-0",
    "1e400",
    "1800003600",
    "\"alg\"",
    "\"HS256\"",
    "\"none\"",
    "\"crit\"",
    "\"kid\"",
    "\"sub\"",
    "\"exp\"",
    "\"x\"",
    "\u{feff}",
    "\u{e9}",
];

fn text() -> impl Strategy<Value = String> {
    vec(select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat())
}

/// A change of one token that gives another text.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Swap(Index, Index),
    Cut(Index),
    Repeat(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let byte = prop_oneof![select(&b"ABCabc019-_.=+/%~ "[..]), 0x21_u8..0x7f];
    let at = any::<Index>;
    prop_oneof![
        (at(), byte.clone()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (at(), byte).prop_map(|(at, byte)| Change::Insert(at, byte)),
        at().prop_map(Change::Remove),
        (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
        at().prop_map(Change::Cut),
        (at(), at()).prop_map(|(a, b)| Change::Repeat(a, b)),
    ]
}

fn changed(token: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = token.as_bytes().to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match change {
            Change::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Change::Insert(at, byte) => bytes.insert(at.index(length + 1), *byte),
            Change::Remove(at) => drop(bytes.remove(at.index(length))),
            Change::Swap(a, b) => bytes.swap(a.index(length), b.index(length)),
            Change::Cut(at) => bytes.truncate(at.index(length)),
            Change::Repeat(a, b) => {
                let (a, b) = (a.index(length), b.index(length));
                let piece = bytes[a.min(b)..a.max(b)].to_vec();
                bytes.extend(piece);
            }
        }
    }
    bytes
}

/// Objects, strict and not, of members that matter: mostly the good ones, and others around them.
fn object(good: &'static [&'static str], names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let values = [
        "\"HS256\"",
        "\"none\"",
        "\"JWT\"",
        "\"user-1\"",
        "\"\"",
        "null",
        "true",
        "1800003600",
        "1800003600.5",
        "1",
        "-0",
        "1e400",
        "[]",
        "[\"HS256\"]",
        "{}",
        "{\"a\":1,\"a\":1}",
        "\"\\u0048S256\"",
        "\"\\ud800\"",
        " \"HS256\" ",
    ];
    let member = (select(names), select(values.to_vec())).prop_map(|(name, value)| format!("{name}:{value}"));
    let good = prop_oneof![9 => Just(good.to_vec()), 1 => Just(good[1..].to_vec())];
    let good = good.prop_map(|members| members.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let members = (good, vec(member, 0..4)).prop_map(|(good, others)| [good, others].concat()).prop_shuffle();
    let ends = (select(vec!["{", " {", "[", "\u{feff}{", ""]), select(vec!["}", "} ", "}}", "},", ""]));
    let mostly_well_formed = prop_oneof![4 => Just(("{", "}")), 1 => ends];
    (mostly_well_formed, members).prop_map(|((open, close), members)| format!("{open}{}{close}", members.join(",")))
}

fn bearer(layer: &UserMetadataLayer, token: &[u8]) -> Result<Outcome, TestCaseError> {
    match send_bearer(layer, token) {
        Ok(answer) => answer.outcome().map_err(TestCaseError::fail),
        Err(_) => Err(TestCaseError::reject("no header can hold it")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the headers, there is a proper answer, and nobody is let in.
    #[test]
    fn requests_of_any_bytes(
        headers in vec(
            (
                select(vec!["authorization", "cookie", "x-token", "rid", "anti-csrf"]),
                prop_oneof![text().prop_map(String::into_bytes), vec(any::<u8>(), 0..64)],
            ),
            0..5,
        ),
        method in select(vec!["GET", "POST", "get", "X"]),
        optional in any::<bool>(),
    ) {
        let (_, layer) = plain();
        let places = [TokenSource::header("x-token"), Ok(TokenSource::bearer())];
        let places = places.map(|place| place.expect("a place"));
        let layer = if optional { layer.with_optional_sessions() } else { layer.with_token_sources(TokenSources::new(places)) };
        let mut request = Request::builder().method(method).body(()).expect("a request");
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        let answer = send(&layer, request);
        let nobody = optional && answer.passed_without_session();
        prop_assert!(nobody || matches!(answer.outcome(), Ok(Outcome::Refused(_))), "{:?}", answer);
    }

    /// Any other text than a good token is another token, and none of ours.
    #[test]
    fn a_changed_token_is_refused(
        changes in vec(change(), 1..4),
        key in 0..3_usize,
    ) {
        // Elliptic curves with random nonces are left out: a second signature of one token is no forgery.
        let secret = Signer::secret(SECRET);
        let pkcs8 = aws_lc_rs::signature::Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new());
        let signer = match key {
            0 => secret,
            _ => Signer::ed25519(pkcs8.expect("randomness").as_ref()),
        };
        let verifier = tower_user_metadata::session::JwtVerifier::builder(signer.verification_key()).without_audience().build().expect("a verifier");
        let layer = crate::harness::layer(verifier, crate::harness::At::seconds(super::NOW));
        let good = signer.token(HEADER.replace("HS256", signer.alg()), CLAIMS);
        prop_assert!(matches!(bearer(&layer, good.as_bytes())?, Outcome::Accepted(_)));
        let other = changed(&good, &changes);
        prop_assume!(other != good.as_bytes());
        // Spaces before a token belong to the header and not to it.
        prop_assume!(other.trim_ascii_start() != good.as_bytes());
        prop_assert!(matches!(bearer(&layer, &other)?, Outcome::Refused(_)), "{}", other.escape_ascii());
    }

    /// What is accepted says the same to another reader of JSON: the algorithm of the key, no extension, a time to come,
    /// and the user of the session.
    #[test]
    fn accepted_tokens_mean_the_same_to_others(
        header in object(&["\"alg\":\"HS256\""], &["\"alg\"", "\"al\\u0067\"", "\"kid\"", "\"typ\"", "\"crit\"", "\"b64\"", "\"x\"", "\"zip\""]),
        claims in object(&["\"exp\":1800003600", "\"sub\":\"user-1\""], &["\"sub\"", "\"exp\"", "\"s\\u0075b\"", "\"nbf\"", "\"iat\"", "\"x\"", "\"aud\"", "\"iss\""]),
        plain_header in any::<bool>(),
        plain_claims in any::<bool>(),
    ) {
        let (signer, layer) = plain();
        let header = if plain_header { HEADER.to_owned() } else { header };
        let claims = if plain_claims { CLAIMS.to_owned() } else { claims };
        let outcome = bearer(&layer, signer.token(&header, &claims).as_bytes())?;
        if let Outcome::Accepted(session) = outcome {
            let header: BTreeMap<String, Value> = serde_json::from_str(&header).expect("JSON to everybody");
            prop_assert_eq!(&header["alg"], "HS256");
            prop_assert!(["crit", "b64", "zip", "cty"].iter().all(|name| !header.contains_key(*name)), "{:?}", header);
            let claims: BTreeMap<String, Value> = serde_json::from_str(&claims).expect("JSON to everybody");
            prop_assert_eq!(claims["sub"].as_str(), Some(session.user_id().as_str()));
            prop_assert!(claims["exp"].as_f64() > Some(1_800_000_000.0));
        } else {
            prop_assert!(!(plain_header && plain_claims), "{:?}", outcome);
        }
    }
}
