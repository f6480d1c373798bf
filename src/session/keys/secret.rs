//! Shared secrets that nobody should verify sessions with.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::InvalidKey;
use super::pem;

/// Words of the secrets of manuals, tutorials and framework generators: "your-256-bit-secret", "django-insecure-…".
/// In random Base64 one of them stands by chance about once in 100,000 secrets, in random bytes never.
const TELLING_WORDS: [&str; 16] = [
    "secret",
    "password",
    "passwd",
    "changeme",
    "change_me",
    "change-me",
    "default",
    "example",
    "insecure",
    "jwt_key",
    "jwt-key",
    "jwtkey",
    "private",
    "signing",
    "test_key",
    "token",
];

/// What fingers type that want something long: runs along the rows and columns of a keyboard.
const KEYBOARD_RUNS: [&str; 8] = ["qwerty", "qwertz", "azerty", "asdfgh", "zxcvbn", "1q2w3e", "qazwsx", "1qaz2wsx"];

/// Secrets without such a word that are in everybody's code, because a tutorial or a standard prints them.
const PUBLISHED: [&str; 4] = [
    // The key of widely copied Spring Security tutorials, and a variant of it.
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "404E635266556A586E327235753878214125442A472D4B6150645367566B5970",
    "413F4428472B4B6250655368566D5970337336763979244226452948404D6351",
    // RFC 7515 appendix A.1.
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
];

/// Refuses a secret that is too short, that a person rather than a random generator made, or that is no secret.
///
/// [`SecretTooShort`](InvalidKey::SecretTooShort) and [`SecretWeak`](InvalidKey::SecretWeak) are answered only for what
/// is a secret all the same: somebody has to guess it.
pub(super) fn check(secret: &[u8], min_bytes: usize) -> Result<(), InvalidKey> {
    // HMAC pads a key with zeros.
    if secret.iter().all(|byte| *byte == 0) {
        return Err(InvalidKey::SecretEmpty);
    }
    if is_public_key(secret) {
        return Err(InvalidKey::SecretIsPublicKey);
    }
    if secret.len() < min_bytes {
        return Err(InvalidKey::SecretTooShort);
    }
    let has_word = has_any(secret, &TELLING_WORDS) || has_any(secret, &KEYBOARD_RUNS);
    if is_published(secret) || has_word || is_uniform(secret) || is_sentence(secret) {
        return Err(InvalidKey::SecretWeak);
    }
    if is_short_hex(secret) { Err(InvalidKey::SecretTooShort) } else { Ok(()) }
}

/// Tells the operator of a weak secret that is in use, once for each weakness. A process in which nobody listens to
/// warnings yet is told by the next call.
pub(super) fn warn_of(weakness: InvalidKey) {
    static SHORT: AtomicBool = AtomicBool::new(false);
    static GUESSABLE: AtomicBool = AtomicBool::new(false);
    let told = if weakness == InvalidKey::SecretTooShort { &SHORT } else { &GUESSABLE };
    if tracing::enabled!(tracing::Level::WARN) && !told.swap(true, Ordering::Relaxed) {
        let found = if weakness == InvalidKey::SecretTooShort { "too short" } else { "guessable" };
        tracing::warn!(
            found,
            "sessions are verified with a weak secret: whoever has one token can search for the secret and then sign in \
             as anybody. Make a new one, for example with `openssl rand -base64 48`, and take the old one until all of \
             its tokens have expired"
        );
    }
}

/// Bytes written in hexadecimal, perhaps with the hyphens of a UUID, are half as many as the digits: a UUID has 122
/// random bits, where HS256 wants 256 (RFC 7518 section 3.2).
fn is_short_hex(secret: &[u8]) -> bool {
    let digits = secret.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
    let hex = secret.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    hex && digits < 64
}

fn is_published(secret: &[u8]) -> bool {
    PUBLISHED.iter().any(|published| published.as_bytes() == secret)
}

fn has_any(secret: &[u8], words: &[&str]) -> bool {
    let secret = secret.to_ascii_lowercase();
    words.iter().any(|word| secret.windows(word.len()).any(|part| part == word.as_bytes()))
}

/// A public key, which everybody has, in any of the forms in which it is passed around: whoever gives it as a secret
/// confused two settings (CVE-2022-29217), and then anybody can sign.
fn is_public_key(secret: &[u8]) -> bool {
    // Odd as a secret, and yet nobody else has it.
    if has_any(secret, &["private key-----"]) {
        return false;
    }
    let words = ["-----begin ", "ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-", "sk-ssh-", "\"kty\""];
    let base64: Vec<u8> = secret.iter().filter(|byte| !byte.is_ascii_whitespace()).copied().collect();
    let decoded = STANDARD_NO_PAD.decode(without_padding(&base64));
    has_any(secret, &words) || pem::is_public_key_der(secret) || decoded.is_ok_and(|der| pem::is_public_key_der(&der))
}

fn without_padding(base64: &[u8]) -> &[u8] {
    let end = base64.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    base64.get(..end).unwrap_or_default()
}

/// Few different bytes, a repeated piece, or typed runs such as `0123…`: less than 128 bits of choice.
fn is_uniform(secret: &[u8]) -> bool {
    let different = secret.iter().collect::<HashSet<_>>().len();
    let repeated =
        (1..=secret.len() / 2).any(|period| secret.iter().zip(secret.iter().skip(period)).all(|(a, b)| a == b));
    let steps = secret.iter().zip(secret.iter().skip(1)).map(|(a, b)| b.wrapping_sub(*a));
    let runs = steps.clone().zip(steps.skip(1)).filter(|(a, b)| a == b).count();
    let typed = secret.iter().all(u8::is_ascii_graphic);
    different < 8 || repeated || (typed && runs * 2 > secret.len())
}

/// Words with spaces between them: a phrase, not random bytes.
fn is_sentence(secret: &[u8]) -> bool {
    let spaces = secret.iter().filter(|byte| **byte == b' ').count();
    spaces >= 3 && secret.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_people_are_refused_and_random_ones_taken() {
        for weak in [
            "my-super-long-jwt-secret-for-local-development",
            "your-256-bit-secret-your-256-bit-secret",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo\n-----END RSA PRIVATE KEY-----",
            "django-insecure-d)24gp3-)(x*&i1lygpoux*hf",
            "old keys here (for key rotation)",
            "00000000000000000000000000000000",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "h7Gd2Lq9h7Gd2Lq9h7Gd2Lq9h7Gd2Lq9",
            "1q2w3e4r5t6y7u8i9o0p-1Q2W3E4R5T6Y7U8I9O0P",
        ] {
            assert_eq!(check(weak.as_bytes(), 32), Err(InvalidKey::SecretWeak), "{weak}");
        }
        assert_eq!(check(&[7; 31], 32), Err(InvalidKey::SecretTooShort));
        for published in PUBLISHED {
            assert_eq!(check(published.as_bytes(), 32), Err(InvalidKey::SecretWeak), "{published}");
        }
        for empty in [&[][..], &[0], &[0; 64]] {
            assert_eq!(check(empty, 32), Err(InvalidKey::SecretEmpty), "{empty:?}");
        }
        for short in ["0bad6f2a-94f1-4c1d-8f7e-2d5b8f0c3a61", "72194825d2b61204a1e49d9bcee3820569660c6f"] {
            assert_eq!(check(short.as_bytes(), 32), Err(InvalidKey::SecretTooShort), "{short}");
        }
        for _ in 0..1_000 {
            let mut random = [0; 32];
            getrandom::fill(&mut random).expect("randomness");
            assert_eq!(check(&random, 32), Ok(()));
            let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(check(hex.as_bytes(), 64), Ok(()));
        }
    }

    #[test]
    fn a_public_key_is_no_secret() {
        let base64 = "MCowBQYDK2VwAyEAfU0Of2FTpptiQrUiq77mhf2kQg+INLEIw72uNp71Sfo=";
        let der = base64::engine::general_purpose::STANDARD.decode(base64).expect("Base64");
        for key in [
            base64.as_bytes(),
            &der,
            format!("\n-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----").as_bytes(),
            b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPL1I9oiq+B8crkmuV4YViiUnhdLjCp3hvy1bNGuGfNL",
            br#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        ] {
            assert_eq!(check(key, 32), Err(InvalidKey::SecretIsPublicKey), "{}", String::from_utf8_lossy(key));
        }
    }
}
