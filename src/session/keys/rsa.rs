//! The conditions that an RSA key must satisfy before it verifies anything.

use super::InvalidKey;
use super::number::significant;

/// Checks a public key, given as big-endian integers.
pub(super) fn check(n: &[u8], e: &[u8]) -> Result<(), InvalidKey> {
    let bits = bits(n);
    if !(2048..=8192).contains(&bits) {
        return Err(InvalidKey::RsaSize);
    }
    if !exponent(e).is_some_and(|e| e % 2 == 1 && (3..1 << 33).contains(&e)) {
        return Err(InvalidKey::RsaExponent);
    }
    if n.last().is_none_or(|last| last % 2 == 0) {
        return Err(InvalidKey::Malformed);
    }
    if has_roca_fingerprint(n) { Err(InvalidKey::RsaRoca) } else { Ok(()) }
}

fn bits(number: &[u8]) -> usize {
    let number = significant(number);
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

fn exponent(number: &[u8]) -> Option<u64> {
    let number = significant(number);
    (number.len() <= 8).then(|| number.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// Primes of the faulty generator ("The Return of Coppersmith's Attack", CCS 2017, section 3): it makes moduli that
/// are powers of 65537 modulo every small prime. One in 2^27 sound keys looks the same modulo these.
const ROCA_PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

fn has_roca_fingerprint(n: &[u8]) -> bool {
    ROCA_PRIMES.iter().all(|prime| {
        let remainder = n.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % prime);
        let mut power = 1;
        // The powers of 65537 come back to 1 after at most `prime - 1` steps.
        (0..*prime).any(|_| {
            power = power * (65537 % prime) % prime;
            power == remainder
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_exponents() {
        let mut n = vec![0xff; 256];
        assert_eq!(check(&n, &[1, 0, 1]), Ok(()));
        assert_eq!(check(&n, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 3]), Ok(()));
        for e in [&[][..], &[1], &[2], &[4], &[2, 0, 0, 0, 1], &[1; 256]] {
            assert_eq!(check(&n, e), Err(InvalidKey::RsaExponent), "{e:?}");
        }
        n[255] = 0xfe;
        assert_eq!(check(&n, &[3]), Err(InvalidKey::Malformed));
        n[0] = 0x7f;
        assert_eq!(check(&n, &[3]), Err(InvalidKey::RsaSize));
        assert_eq!(check(&vec![0xff; 1025], &[3]), Err(InvalidKey::RsaSize));
    }
}
