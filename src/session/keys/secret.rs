//! Shared secrets that nobody should verify sessions with.

use std::collections::HashSet;

use super::key::InvalidKey;

/// Words of the secrets of manuals, tutorials and framework generators: "your-256-bit-secret", "django-insecure-…".
/// In random Base64 one of them stands by chance about once in 100,000 secrets, in random bytes never.
const TELLING_WORDS: [&str; 17] = [
    "secret",
    "password",
    "passwd",
    "changeme",
    "change_me",
    "change-me",
    "default",
    "example",
    "insecure",
    "qwerty",
    "jwt_key",
    "jwt-key",
    "jwtkey",
    "private",
    "signing",
    "test_key",
    "token",
];

/// Secrets without such a word that are in everybody's code, because a tutorial or a site shows them.
const PUBLISHED: [&str; 4] = [
    // The key of widely copied Spring Security tutorials, and a variant of it.
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "404E635266556A586E327235753878214125442A472D4B6150645367566B5970",
    "413F4428472B4B6250655368566D5970337336763979244226452948404D6351",
    // RFC 7515 appendix A.1.
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
];

/// Refuses a secret that is too short, or that a person rather than a random generator made.
pub(super) fn check(secret: &[u8], min_bytes: usize) -> Result<(), InvalidKey> {
    if secret.len() < min_bytes {
        return Err(InvalidKey::SecretTooShort);
    }
    if is_published(secret) || has_word(secret) || is_uniform(secret) || is_sentence(secret) {
        return Err(InvalidKey::SecretWeak);
    }
    Ok(())
}

fn is_published(secret: &[u8]) -> bool {
    PUBLISHED.iter().any(|published| published.as_bytes() == secret)
}

fn has_word(secret: &[u8]) -> bool {
    let secret = secret.to_ascii_lowercase();
    TELLING_WORDS.iter().any(|word| secret.windows(word.len()).any(|part| part == word.as_bytes()))
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
            "a-string-secret-at-least-256-bits-long",
            "your-256-bit-secret-your-256-bit-secret",
            "django-insecure-d)24gp3-)(x*&i1lygpoux*hf",
            "old keys here (for key rotation)",
            "00000000000000000000000000000000",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "h7Gd2Lq9h7Gd2Lq9h7Gd2Lq9h7Gd2Lq9",
            "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
        ] {
            assert_eq!(check(weak.as_bytes(), 32), Err(InvalidKey::SecretWeak), "{weak}");
        }
        assert_eq!(check(&[7; 31], 32), Err(InvalidKey::SecretTooShort));
        for _ in 0..1_000 {
            let mut random = [0; 32];
            getrandom::fill(&mut random).expect("randomness");
            assert_eq!(check(&random, 32), Ok(()));
            let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(check(hex.as_bytes(), 64), Ok(()));
        }
    }
}
