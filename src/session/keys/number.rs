//! The numbers and octets of a JWK, read leniently.
//!
//! RFC 7518 section 2 wants base64url without padding, and of an integer no more octets than it needs. Identity providers
//! also publish standard Base64, padding, line ends every 64 or 76 characters, the sign octet of two's complement, and
//! coordinates that have lost their leading zeros. Each of these texts stands for one number only, and a key that was read
//! wrongly verifies nothing, so all of them are read. A token's own bytes are read strictly.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::InvalidKey;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The octets that a text stands for.
pub(super) fn octets(text: &str) -> Result<Vec<u8>, InvalidKey> {
    let one_alphabet = |character| match character {
        b'+' => b'-',
        b'/' => b'_',
        other => other,
    };
    let mut text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).map(one_alphabet).collect();
    // A last group has two characters at least, so two are the most padding there can be.
    for _ in 0..2 {
        if text.last() == Some(&b'=') {
            text.pop();
        }
    }
    LENIENT.decode(text).map_err(|_| InvalidKey::Malformed)
}

/// A big-endian number without the zeros before it, which some key servers write (RFC 7518 section 6.3.1.1).
pub(super) fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A big-endian number in exactly so many bytes; `None` where it is larger.
pub(super) fn in_bytes(number: &[u8], length: usize) -> Option<Vec<u8>> {
    let number = significant(number);
    let mut bytes = vec![0; length.checked_sub(number.len())?];
    bytes.extend_from_slice(number);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_is_written_in_many_ways() {
        let number = [0xfb, 0xff, 0xbf, 0x01];
        for text in ["-_-_AQ", "-_-_AQ==", "+/+/AQ==", "+/+/AQ", "-_+/AQ=", "+/+/\r\nAQ==\r\n", "-_-_\nAQ"] {
            assert_eq!(octets(text).as_deref(), Ok(&number[..]), "{text:?}");
        }
        for text in
            ["-_-_AQ===", "=-_-_AQ", "-_-=_AQ", "-_-_AR", "-_-_A", " -_-_AQ", "-_-_AQ ", "-_-_\tAQ", "-_-_AQ\0", "."]
        {
            assert_eq!(octets(text), Err(InvalidKey::Malformed), "{text:?}");
        }
    }

    #[test]
    fn zeros_before_a_number_come_and_go() {
        assert_eq!(significant(&[0, 0, 1, 0]), [1, 0]);
        assert_eq!(significant(&[0, 0]), [0; 0]);
        assert_eq!(in_bytes(&[1, 2], 4), Some(vec![0, 0, 1, 2]));
        assert_eq!(in_bytes(&[0, 0, 0, 1, 2], 2), Some(vec![1, 2]));
        assert_eq!(in_bytes(&[1, 2, 3], 2), None);
    }
}
