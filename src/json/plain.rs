//! The parts of strings that stand for themselves.

use memchr::memchr2;

/// How many bytes of a string go on as they are: up to its end, an escape, or a control character, which a string must
/// escape (RFC 8259 section 7).
pub(super) fn plain_bytes(text: &[u8]) -> usize {
    // Most strings are so short that a search of many bytes at a time does not pay.
    const SHORT: usize = 32;
    for (n, word) in text.as_chunks::<8>().0.iter().take(SHORT / 8).enumerate() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            // The lowest of them, so the first.
            return n * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let known = SHORT.min(text.len() / 8 * 8);
    let rest = text.get(known..).unwrap_or_default();
    let end = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
    known + first_control(rest.get(..end).unwrap_or_default()).unwrap_or(end)
}

/// The highest bit of each byte that is a quotation mark, a backslash or below 0x20. Bytes above the first of them may be
/// marked as well: a borrow goes upwards.
fn special(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let below = |word: u64, byte: u64| word.wrapping_sub(EACH * byte) & !word;
    let equal = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    (below(word, 0x20) | equal(b'"') | equal(b'\\')) & (EACH * 0x80)
}

/// Where the first control character stands.
fn first_control(text: &[u8]) -> Option<usize> {
    // No early end where there is none, so that many bytes are looked at at once.
    let any = text.iter().fold(false, |any, byte| any | (*byte < 0x20));
    if any { text.iter().position(|byte| *byte < 0x20) } else { None }
}
