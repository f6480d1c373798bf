//! Public keys in PEM blocks, and the checks of points; the ASN.1 and the curves are aws-lc's.

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RsaPublicKeyComponents,
    VerificationAlgorithm,
};

use super::InvalidKey;

/// The length of an Ed25519 public key, and of the end of its SPKI that holds it (RFC 8410 section 4).
const ED25519_BYTES: usize = 32;

/// A public key by its type, in the forms that a signature check takes.
pub(super) enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Reads the one PEM block of a text.
pub(super) fn parse(text: &[u8]) -> Result<PublicKey, InvalidKey> {
    let blocks = pem::parse_many(text).map_err(|_| InvalidKey::NotPem)?;
    let [block] = blocks.as_slice() else { return Err(InvalidKey::NotPem) };
    let der = block.contents();
    match block.tag() {
        // aws-lc also reads bare keys, and DER with something behind it.
        "RSA PUBLIC KEY" | "PUBLIC KEY" if !is_one_sequence(der) => Err(InvalidKey::Malformed),
        "RSA PUBLIC KEY" => rsa_key(der).ok_or(InvalidKey::Malformed),
        "PUBLIC KEY" => spki(der).ok_or(InvalidKey::Malformed),
        tag if tag.ends_with("PRIVATE KEY") => Err(InvalidKey::PrivateKey),
        _ => Err(InvalidKey::NotPem),
    }
}

/// Tells whether the bytes are the DER of a public key, SPKI or PKCS#1.
pub(super) fn is_public_key_der(bytes: &[u8]) -> bool {
    is_one_sequence(bytes) && spki(bytes).is_some()
}

pub(super) fn is_p256_point(bytes: &[u8]) -> bool {
    bytes.len() == 65 && parses(&ECDSA_P256_SHA256_FIXED, bytes)
}

pub(super) fn is_p384_point(bytes: &[u8]) -> bool {
    bytes.len() == 97 && parses(&ECDSA_P384_SHA384_FIXED, bytes)
}

/// Tells whether the bytes are a point other than one of small order, for which anybody can make signatures.
pub(super) fn is_ed25519_point(bytes: &[u8]) -> bool {
    let Ok(mut y) = <[u8; ED25519_BYTES]>::try_from(bytes) else { return false };
    if let Some(last) = y.last_mut() {
        // The sign of x does not change the order of the point.
        *last &= 0x7f;
    }
    !ED25519_SMALL_ORDER.contains(&y) && parses(&ED25519, bytes)
}

/// Tells whether the bytes are one DER sequence (X.690 section 8.1.3), of a length that public keys have.
fn is_one_sequence(der: &[u8]) -> bool {
    let (length, content) = match der {
        [0x30, length @ 0..=0x7f, content @ ..] | [0x30, 0x81, length @ 0x80..=0xff, content @ ..] => {
            (usize::from(*length), content)
        }
        [0x30, 0x82, high @ 0x01..=0xff, low, content @ ..] => (usize::from(*high) << 8 | usize::from(*low), content),
        _ => return false,
    };
    // The shortest is the SPKI of an Ed25519 key; what is shorter is read as a bare key.
    length == content.len() && length > ED25519_BYTES
}

fn spki(der: &[u8]) -> Option<PublicKey> {
    if let Some(key) = rsa_key(der) {
        return Some(key);
    }
    let (_, ed25519) = der.split_at_checked(der.len().checked_sub(ED25519_BYTES)?)?;
    // An uncompressed point ends the SPKI of an EC key (RFC 5480 section 2.2).
    let point = |bytes: usize| der.len().checked_sub(bytes).and_then(|at| der.get(at..)).map(<[u8]>::to_vec);
    if parses(&ED25519, der) {
        Some(PublicKey::Ed25519(ed25519.to_vec()))
    } else if parses(&ECDSA_P256_SHA256_FIXED, der) {
        point(65).map(PublicKey::P256)
    } else if parses(&ECDSA_P384_SHA384_FIXED, der) {
        point(97).map(PublicKey::P384)
    } else {
        None
    }
}

fn rsa_key(der: &[u8]) -> Option<PublicKey> {
    let key = rsa::PublicKey::from_der(der).ok()?;
    let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(&key);
    Some(PublicKey::Rsa { n, e })
}

fn parses(algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> bool {
    ParsedPublicKey::new(algorithm, key).is_ok()
}

/// The y coordinates of the points of order 1, 2, 4 and 8 of edwards25519, with their encodings past the field prime.
const ED25519_SMALL_ORDER: [[u8; ED25519_BYTES]; 7] = [
    [0; 32],
    y(1, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    y(0xec, 0xff, 0x7f),
    y(0xed, 0xff, 0x7f),
    y(0xee, 0xff, 0x7f),
];

const fn y(first: u8, middle: u8, last: u8) -> [u8; ED25519_BYTES] {
    let mut bytes = [middle; ED25519_BYTES];
    bytes[0] = first;
    bytes[ED25519_BYTES - 1] = last;
    bytes
}
