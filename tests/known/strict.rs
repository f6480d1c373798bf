//! What differs from a known token in one bit is another token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_user_metadata::AuthErrorKind as Kind;

use super::world::{World, token};

#[test]
fn a_signature_that_differs_in_one_bit_is_refused() {
    let world = World::new(1 << 20);
    let good = token("alice");
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    assert_eq!(world.ask(&good), Ok("alice".to_owned()));
    for bit in 0..signature.len() * 8 {
        let mut other = signature.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        let other = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(other));
        assert!(world.is_known(&good));
        assert_eq!(world.ask(&other), Err(Kind::BadSignature), "bit {bit}");
        assert!(!world.is_known(&other));
    }
    assert_eq!(world.ask(&good), Ok("alice".to_owned()));
}

/// Bits that Base64 leaves over, bits of the header and of the claims, and of the characters themselves.
#[test]
fn a_token_that_differs_in_one_bit_anywhere_is_refused() {
    let world = World::new(1 << 20);
    let good = token("alice");
    assert_eq!(world.ask(&good), Ok("alice".to_owned()));
    for place in 0..good.len() {
        for bit in 0..7 {
            let mut other = good.clone().into_bytes();
            other[place] ^= 1 << bit;
            let Ok(other) = String::from_utf8(other) else { continue };
            if other.bytes().all(|byte| byte.is_ascii_graphic()) {
                assert!(world.ask(&other).is_err(), "bit {bit} of byte {place}");
            }
            assert!(!world.is_known(&other));
        }
    }
}

#[test]
fn a_known_token_with_something_around_it_is_refused() {
    let world = World::new(1 << 20);
    let good = token("alice");
    assert_eq!(world.ask(&good), Ok("alice".to_owned()));
    for other in [
        format!("{good}="),
        format!("{good}."),
        format!(".{good}"),
        format!("{good} "),
        format!("{good} {good}"),
        format!("{good},{good}"),
        good[..good.len() - 1].to_owned(),
        good[1..].to_owned(),
        good.to_uppercase(),
    ] {
        assert!(world.ask(&other).is_err(), "{other}");
    }
}
