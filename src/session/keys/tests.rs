//! The cryptography below the keys, pinned by vectors: a backend that judges differently fails here.
//!
//! The vectors are read from the folder that `VECTORS_DIR` names, by default `../shared/vectors` beside this crate.

use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::{Algorithm, InvalidKey, VerificationKey};

/// A file of vectors; `None`, and a line that says so, where it is missing.
fn vectors(path: &str) -> Option<Value> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    let folder = std::env::var_os("VECTORS_DIR").map_or(here, PathBuf::from);
    match std::fs::read(folder.join(path)) {
        Ok(text) => Some(serde_json::from_slice(&text).expect("JSON")),
        Err(_) => {
            let line = format!("NOT RUN: {path} is not in {}", folder.display());
            // Where the test command collects what could not be run.
            if let Some(list) = std::env::var_os("NOT_RUN_FILE") {
                let list = std::fs::OpenOptions::new().create(true).append(true).open(list);
                list.and_then(|mut list| list.write_all(format!("{line}\n").as_bytes()))
                    .expect("the list can be written");
            }
            say(&line);
            None
        }
    }
}

/// Writes a line that the test harness does not swallow.
fn say(line: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn bytes(hex: &Value) -> Vec<u8> {
    let digits: Vec<u8> = hex.as_str().expect("hexadecimal").bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("two digits");
    digits.chunks(2).map(byte).collect()
}

/// Runs the tests of a file of Project Wycheproof whose groups each have a key, and counts the valid ones.
fn wycheproof(file: &str, key: impl Fn(&Value, &Value) -> Result<VerificationKey, InvalidKey>) -> usize {
    let Some(vectors) = vectors(&format!("wycheproof/{file}.json")) else { return 0 };
    let (mut valid, mut refused) = (0, 0);
    for group in vectors["testGroups"].as_array().expect("groups") {
        for test in group["tests"].as_array().expect("tests") {
            let signature = bytes(test.get("sig").unwrap_or(&test["tag"]));
            let verifies = key(group, test).is_ok_and(|key| key.verifies(&bytes(&test["msg"]), &signature));
            // A MAC that was cut short is valid there and never here.
            let whole = group["tagSize"].as_u64().is_none_or(|bits| bits == 256);
            let expected = test["result"] == "valid" && whole && key(group, test).is_ok();
            assert_eq!(verifies, expected, "{file} {} {}", test["tcId"], test["comment"]);
            if verifies { valid += 1 } else { refused += 1 }
        }
    }
    say(&format!("vectors: wycheproof/{file}: {} rows, {valid} accepted, {refused} refused", valid + refused));
    assert!(valid > 0 && refused > 0);
    valid
}

fn pem(algorithm: Algorithm, group: &Value) -> Result<VerificationKey, InvalidKey> {
    let text = group["publicKeyPem"].as_str().expect("a PEM block");
    Ok(VerificationKey::from_pem(algorithm, text).expect("every key of this file is sound"))
}

#[test]
fn ecdsa_signatures() {
    wycheproof("ecdsa_secp256r1_sha256_p1363_test", |group, _| pem(Algorithm::ES256, group));
}

#[test]
fn ed25519_signatures() {
    wycheproof("ed25519_test", |group, _| pem(Algorithm::EdDSA, group));
}

#[test]
fn rsa_signatures() {
    wycheproof("rsa_signature_2048_sha256_test", |group, _| pem(Algorithm::RS256, group));
}

#[test]
fn hmac_tags() {
    // Keys that are shorter than the hash are refused, so their tests accept nothing.
    wycheproof("hmac_sha256_test", |_, test| VerificationKey::from_secret(Algorithm::HS256, bytes(&test["key"])));
}

/// Corner cases of Ed25519 on which libraries differ: keys and nonces of small order, or written in two ways. Ours
/// refuses keys of small order when they are loaded; of the rest it takes what satisfies the equation without the
/// cofactor, with the nonce as it is written.
#[test]
fn ed25519_corner_cases() {
    let Some(vectors) = vectors("ed25519-edge/cctv_ed25519vectors.json") else { return };
    let mut counts = [0; 3];
    for row in vectors.as_array().expect("rows") {
        let has = |flag: &str| row["flags"].as_array().is_some_and(|flags| flags.contains(&Value::from(flag)));
        let expected = if has("low_order_A") {
            Err(InvalidKey::InvalidPoint)
        } else {
            Ok(!has("low_order_residue") && !has("non_canonical_R"))
        };
        let message = row["msg"].as_str().expect("text").as_bytes();
        assert_eq!(judged(&bytes(&row["key"]), message, &bytes(&row["sig"])), expected, "row {}", row["number"]);
        counts[expected.map_or(0, |verifies| if verifies { 1 } else { 2 })] += 1;
    }
    let [keys, accepted, refused] = counts;
    say(&format!("vectors: ed25519-edge/cctv: {accepted} accepted, {refused} refused, {keys} with a refused key"));
    assert!(keys > 0 && accepted > 0 && refused > 0);
}

fn judged(key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, InvalidKey> {
    VerificationKey::ed25519(key).map(|key| key.verifies(message, signature))
}

/// The twelve cases of "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020), section 5: keys of small order in
/// 0, 1, 10 and 11; in 2 and 3 the equation holds without the cofactor; the rest holds only with it, or has S or R that
/// are not reduced.
#[test]
fn ed25519_special_cases() {
    let Some(vectors) = vectors("ed25519-edge/speccheck.json") else { return };
    for row in vectors.as_array().expect("rows") {
        let expected = match row["n"].as_u64() {
            Some(0 | 1 | 10 | 11) => Err(InvalidKey::InvalidPoint),
            Some(2 | 3) => Ok(true),
            _ => Ok(false),
        };
        let got = judged(&bytes(&row["pub_key"]), &bytes(&row["message"]), &bytes(&row["signature"]));
        assert_eq!(got, expected, "case {}", row["n"]);
    }
}
