//! base64url without padding (RFC 4648 section 5, RFC 7515 section 2), decoded strictly and in one pass: every character
//! of a token goes through here.

/// A character is not one of the alphabet, one is left over, or bits are set that stand for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotBase64;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What is set in the entry of a character that is not one of the alphabet: in none of the three bytes.
const WRONG: u32 = 1 << 24;

/// For each of the four places of a character in its group: the bits that it gives, where they stand in the group's
/// three bytes, the first of which is the lowest.
static PLACES: [[u32; 256]; 4] = [places(0), places(1), places(2), places(3)];

const fn places(place: u32) -> [u32; 256] {
    let mut table = [WRONG; 256];
    let mut value = 0;
    while value < 64 {
        let bytes = ((value as u32) << (18 - 6 * place)).to_be_bytes();
        table[ALPHABET[value] as usize] = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], 0]);
        value += 1;
    }
    table
}

/// How many bytes so many characters stand for.
pub(super) fn decoded_len(characters: usize) -> usize {
    characters / 4 * 3 + (characters % 4).saturating_sub(1)
}

/// Decodes to the beginning of `out`, which has at least [`decoded_len`] bytes, and tells how many there are.
pub(super) fn decode_to(text: &str, out: &mut [u8]) -> Result<usize, NotBase64> {
    let (groups, last) = text.as_bytes().as_chunks::<4>();
    let (whole, rest) = out.split_at_mut_checked(groups.len() * 3).ok_or(NotBase64)?;
    let mut any = 0;
    for (group, bytes) in groups.iter().zip(whole.as_chunks_mut::<3>().0) {
        let bits = bits(*group);
        any |= bits;
        let [first, second, third, _] = bits.to_le_bytes();
        *bytes = [first, second, third];
    }
    // `A` stands for no bits, so in a group that it fills up the bits that are left over stay in the bytes after the last.
    let filled = match *last {
        [] => 0,
        [first, second] => bits([first, second, b'A', b'A']),
        [first, second, third] => bits([first, second, third, b'A']),
        _ => WRONG,
    };
    let bytes = filled.to_le_bytes();
    let (kept, left_over) = bytes.split_at(last.len().saturating_sub(1));
    if any & WRONG != 0 || left_over.iter().any(|byte| *byte != 0) {
        return Err(NotBase64);
    }
    rest.get_mut(..kept.len()).ok_or(NotBase64)?.copy_from_slice(kept);
    Ok(decoded_len(text.len()))
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    let mut out = vec![0; decoded_len(text.len())];
    decode_to(text, &mut out).map(|_| out)
}

fn bits([first, second, third, fourth]: [u8; 4]) -> u32 {
    let [places_1, places_2, places_3, places_4] = &PLACES;
    places_1[usize::from(first)]
        | places_2[usize::from(second)]
        | places_3[usize::from(third)]
        | places_4[usize::from(fourth)]
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn judges_as_the_crate_does(text: &str) {
        assert_eq!(decode(text).ok(), URL_SAFE_NO_PAD.decode(text).ok(), "{text:?}");
    }

    #[test]
    fn each_group_of_up_to_four_characters_is_taken_or_refused_as_by_the_crate() {
        let characters: Vec<char> = (0..=255).map(char::from).collect();
        let few = ['A', 'B', 'P', 'Q', 'Z', 'f', 'g', '9', '-', '_', '+', '/', '=', '.', ' ', '\0', '\u{80}'];
        for first in &characters {
            judges_as_the_crate_does(&first.to_string());
            for second in &characters {
                judges_as_the_crate_does(&format!("{first}{second}"));
                judges_as_the_crate_does(&format!("AAAA{second}{first}AA"));
                for third in few {
                    judges_as_the_crate_does(&format!("{first}{second}{third}"));
                    judges_as_the_crate_does(&format!("AA{first}{third}{second}B"));
                }
            }
        }
    }

    #[test]
    fn a_place_that_is_too_small_is_refused() {
        for length in 0..6 {
            assert_eq!(decode_to("AAAAAAAA", &mut vec![0; length]), Err(NotBase64));
        }
        assert_eq!(decode_to("AAAAAAA", &mut [1; 4]), Err(NotBase64));
        let mut exact = [1; 6];
        assert_eq!((decode_to("AAAAAAAA", &mut exact), exact), (Ok(6), [0; 6]));
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(decode(&URL_SAFE_NO_PAD.encode(&bytes)), Ok(bytes));
        }

        #[test]
        fn one_other_character_is_judged_as_by_the_crate(text in "[A-Za-z0-9_-]{1,60}", at in any::<prop::sample::Index>(), other in any::<char>()) {
            let mut characters: Vec<_> = text.chars().collect();
            let at = at.index(characters.len());
            characters[at] = other;
            judges_as_the_crate_does(&characters.into_iter().collect::<String>());
        }
    }
}
