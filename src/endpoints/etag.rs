//! Versions of documents as entity tags (RFC 9110 section 8.8.3).

use crate::metadata::Version;

/// What proxies put between a tag and the name of the coding, when they compress what they pass on: one hyphen Apache,
/// Caddy and H2O, two hyphens Jetty, a semicolon LiteSpeed and older servlet filters.
const SEPARATORS: [&str; 3] = ["--", "-", ";"];

const CODINGS: [&str; 6] = ["gzip", "gz", "br", "zstd", "deflate", "compress"];

/// The version that a tag names; `None` for a tag that is not ours.
///
/// A version names the stored document and not its bytes on the wire. So a tag that a proxy made weak or gave the name of a
/// coding, since it compressed the answer, still names the version: a client can send back no other.
pub(super) fn version(tag: &str) -> Option<Version> {
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
    without_codings(opaque).parse().ok()
}

fn without_codings(mut opaque: &str) -> &str {
    while let Some(shorter) = without_coding(opaque) {
        opaque = shorter;
    }
    opaque
}

fn without_coding(opaque: &str) -> Option<&str> {
    let before = CODINGS.iter().find_map(|coding| opaque.strip_suffix(coding))?;
    SEPARATORS.iter().find_map(|separator| before.strip_suffix(separator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::etag;

    #[test]
    fn a_tag_that_a_proxy_changed_names_the_same_version() {
        let ours = Version::from_bits(255);
        assert_eq!(version(etag(ours).to_str().expect("text")), Some(ours));
        for tag in [
            "\"00000000000000ff\"",
            "W/\"00000000000000ff\"",
            "\"00000000000000ff-gzip\"",
            "\"00000000000000ff--gzip\"",
            "\"00000000000000ff;gzip\"",
            "\"00000000000000ff;gz\"",
            "\"00000000000000ff-br\"",
            "\"00000000000000ff-zstd\"",
            "\"00000000000000ff-deflate\"",
            "W/\"00000000000000ff-gzip\"",
            "W/\"00000000000000ff--br\"",
            // Two proxies, or one that changed what it had changed before.
            "\"00000000000000ff-gzip-br\"",
            "\"00000000000000ff-gzip-gzip\"",
        ] {
            assert_eq!(version(tag), Some(ours), "{tag}");
        }
    }

    #[test]
    fn any_other_tag_is_not_ours() {
        for tag in [
            "",
            "\"\"",
            "\"",
            "00000000000000ff",
            "\"00000000000000FF\"",
            "\"00000000000000ff-\"",
            "\"00000000000000ff-x\"",
            "\"00000000000000ffgzip\"",
            "\"00000000000000ff-GZIP\"",
            "\"00000000000000ff---gzip\"",
            "\"00000000000000ff gzip\"",
            "\"0000000000000ff-gzip\"",
            "\"gzip\"",
            "\"-gzip\"",
            "W/W/\"00000000000000ff\"",
            "w/\"00000000000000ff\"",
            "W/ \"00000000000000ff\"",
        ] {
            assert_eq!(version(tag), None, "{tag}");
        }
    }
}
