//! Where tokens stand in a request: headers, cookies, proofs against forged requests, raw bytes and paths.

use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::Value;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::TokenSources;
use tower_user_metadata::{AntiCsrf, AuthErrorKind, UserMetadataLayer};

use crate::harness::{At, Count, Outcome, layer, send};
use crate::mint::{Signer, supertokens_claims, supertokens_header};
use crate::socket;
use crate::support::vectors::{Row, family, say};

const NOW: u64 = 1_800_000_000;

/// The tokens that the rows name: of two users, forged, and no longer valid.
struct Tokens {
    a: String,
    b: String,
    forged: String,
    expired: String,
}

const CSRF: [(&str, &str); 2] =
    [("A", "5f0c1d7e-1111-4a2b-8c3d-aaaaaaaaaaaa"), ("B", "5f0c1d7e-2222-4a2b-8c3d-bbbbbbbbbbbb")];

impl Tokens {
    fn mint(signer: &Signer) -> Self {
        let token = |at: usize, now: u64| {
            let (user, csrf) = CSRF[at];
            signer.token(supertokens_header("d-1"), supertokens_claims(user, Some(csrf), now, ""))
        };
        let (a, b) = (token(0, NOW), token(1, NOW));
        let unsigned = a.rsplit_once('.').expect("three parts").0;
        let forged = format!("{unsigned}.{}", b.rsplit_once('.').expect("three parts").1);
        Self { a, b, forged, expired: token(0, NOW - 7_200) }
    }

    /// The text that stands for `{NAME}` or `{NAME:WHAT}`; `None` for what this test does not know.
    fn text(&self, name: &str) -> Option<String> {
        let (user, what) = name.split_once(':').unwrap_or((name, ""));
        let token = match user {
            "A" => &self.a,
            "B" => &self.b,
            "F" => &self.forged,
            "X" => &self.expired,
            _ => return None,
        };
        let csrf = CSRF.iter().find(|(name, _)| *name == user).map(|(_, csrf)| *csrf);
        Some(match (what, csrf) {
            ("", _) => token.clone(),
            ("csrf", Some(csrf)) => csrf.to_owned(),
            ("csrf minus last", Some(csrf)) => csrf[..csrf.len() - 1].to_owned(),
            ("csrf upper", Some(csrf)) => csrf.to_uppercase(),
            ("dots as %2E", _) => token.replace('.', "%2E"),
            _ => return None,
        })
    }

    /// Fills in a template; `None` when it names something unknown.
    fn fill(&self, template: &str) -> Option<String> {
        let mut parts = template.split('{');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}')?;
            text += &self.text(name)?;
            text += rest;
        }
        Some(text)
    }

    /// A value that is written out as a rule: `@repeat:N:PATTERN;+REST`, or `@CHARACTERS*N` at its end.
    fn value(&self, template: &str) -> Option<String> {
        if let Some(rule) = template.strip_prefix("@repeat:") {
            let (times, pattern) = rule.split_once(':')?;
            let (pattern, rest) = pattern.split_once('+').unwrap_or((pattern, ""));
            let pattern = pattern.trim_end_matches(';');
            let pairs: Vec<_> =
                (0..times.parse().ok()?).map(|i: usize| pattern.replace("{i}", &i.to_string())).collect();
            let rest = if rest.is_empty() { String::new() } else { format!("; {}", self.fill(rest)?) };
            return Some(pairs.join("; ") + &rest);
        }
        match template.rsplit_once('@') {
            Some((before, rule)) if rule.contains('*') => {
                let (unit, times) = rule.rsplit_once('*')?;
                Some(self.fill(before)? + &unit.repeat(times.parse().ok()?))
            }
            _ => self.fill(template),
        }
    }
}

#[test]
fn every_request_gets_its_answer() {
    let mut count = Count::of("http/requests");
    let signer = Signer::fresh_rsa();
    let tokens = Tokens::mint(&signer);
    let verifier = JwtVerifier::supertokens(signer.verification_key().with_kid("d-1")).build().expect("a verifier");
    let layer = layer(verifier, At::seconds(NOW));
    for row in family("http/requests") {
        let family = row.text_of("family");
        let layer = match family.as_str() {
            "anti-csrf-token" => layer.clone().with_token_sources(TokenSources::supertokens(AntiCsrf::ViaToken)),
            _ => layer.clone(),
        };
        let outcome = if row.value()["path"].is_string() || raw(&row).is_some() {
            over_a_socket(&layer, &tokens, &row)
        } else {
            in_headers(&layer, &tokens, &row)
        };
        match outcome {
            None => say(&format!("NOT RUN: {} of http/requests: a placeholder that this test does not know", row.id)),
            Some(outcome) => judge(&mut count, &row, outcome),
        }
    }
    count.finish();
}

fn raw(row: &Row) -> Option<String> {
    let first = &row.value()["headers"][0];
    (first[0] == "@raw").then(|| first[1].as_str().expect("text").to_owned())
}

fn in_headers(layer: &UserMetadataLayer, tokens: &Tokens, row: &Row) -> Option<Result<Outcome, String>> {
    let value = row.value();
    let mut texts = Vec::new();
    for header in value["headers"].as_array().expect("headers") {
        texts.push((header[0].as_str().expect("a name"), tokens.value(header[1].as_str().expect("a value"))?));
    }
    let utf8 = texts.iter().map(|(name, text)| (*name, text.clone().into_bytes())).collect::<Vec<_>>();
    // What is neither ASCII nor UTF-8 on the wire is most often Latin-1.
    let latin1 = texts.iter().map(|(name, text)| {
        let bytes: Option<Vec<u8>> = text.chars().map(|character| u8::try_from(character).ok()).collect();
        Some((*name, bytes?))
    });
    let latin1 = latin1.collect::<Option<Vec<_>>>().filter(|latin1| *latin1 != utf8);

    let method = value["method"].as_str().unwrap_or("GET");
    let query_only = row.id.contains("query-only");
    let uri = if query_only { format!("/?anti-csrf={}", CSRF[0].1) } else { "/".to_owned() };
    let send = |headers: &[(&str, Vec<u8>)]| {
        let mut request = Request::builder().method(method).uri(&uri).body(()).expect("a request");
        *request.headers_mut() = header_map(headers)?;
        let began = Instant::now();
        let answer = send(layer, request);
        if row.text_of("family") == "size" {
            say(&format!("  {} took {:?}, without optimisation", row.id, began.elapsed()));
        }
        answer.outcome()
    };
    let outcome = send(&utf8);
    if let Some(latin1) = latin1 {
        let again = send(&latin1);
        if format!("{again:?}") != format!("{outcome:?}") {
            return Some(Err(format!("{outcome:?} in UTF-8, {again:?} in Latin-1")));
        }
    }
    Some(outcome)
}

fn header_map(headers: &[(&str, Vec<u8>)]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value).map_err(|error| error.to_string())?;
        map.append(HeaderName::try_from(*name).map_err(|error| error.to_string())?, value);
    }
    Ok(map)
}

fn over_a_socket(layer: &UserMetadataLayer, tokens: &Tokens, row: &Row) -> Option<Result<Outcome, String>> {
    let value = row.value();
    let (path, line) = match (value["path"].as_str(), raw(row)) {
        (Some(path), _) => (path, Vec::new()),
        (None, Some(raw)) => ("/admin", [unescape(&tokens.fill(&raw)?), b"\r\n".to_vec()].concat()),
        (None, None) => unreachable!("asked for such rows only"),
    };
    let request = [format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n").as_bytes(), &line, b"\r\n"].concat();
    Some(socket::exchange(layer, &request))
}

/// Turns `\r`, `\n` and `\xNN` into bytes.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, length) = match after.as_bytes() {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'0', ..] => (b'\0', 1),
            [b'x', ..] => (u8::from_str_radix(&after[1..3], 16).expect("two digits"), 3),
            other => panic!("what is the escape {other:?}?"),
        };
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn judge(count: &mut Count, row: &Row, outcome: Result<Outcome, String>) {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(broken) => return count.wrong(&row.id, &broken),
    };
    let ours = match &outcome {
        Outcome::Accepted(session) => format!("user:{}", session.user_id().as_str()),
        Outcome::Refused(AuthErrorKind::AntiCsrf) => "csrf-reject".to_owned(),
        Outcome::Refused(_) => "unauthenticated".to_owned(),
    };
    let expect = row.text_of("expect");
    let accepted = matches!(outcome, Outcome::Accepted(_));
    let right = match expect.as_str() {
        "documented-rule" => ours == header_wins(&row.value()),
        // The session cookie twice is refused, whatever its values are.
        "reject-or-first" => outcome_kind(&outcome) == Some(AuthErrorKind::AmbiguousCredentials),
        // RFC 9112 section 2.2 lets a server take a lone line feed for the end of a line, and hyper does: then the
        // cookie is whole, and what follows is another header. The layer sees nothing of it.
        "http-400-or-unauthenticated" if raw(row).is_some_and(|raw| raw.contains("\\n") && !raw.contains("\\r")) => {
            return count.policy(&row.id, &ours, "unauthenticated");
        }
        "http-400-or-unauthenticated" | "unauthenticated-or-404" => ours == "unauthenticated",
        expect => match expect.strip_prefix("policy:") {
            Some(recommended) => return count.policy(&row.id, &ours, recommended),
            None => ours == expect,
        },
    };
    count.check(&row.id, accepted, (!right).then(|| format!("{ours} instead of {expect}")));
}

fn outcome_kind(outcome: &Outcome) -> Option<AuthErrorKind> {
    match outcome {
        Outcome::Refused(kind) => Some(*kind),
        Outcome::Accepted(_) => None,
    }
}

/// The rule for a token in the header and one in the cookie: the header decides, and nothing follows after it.
fn header_wins(row: &Value) -> String {
    let headers = row["headers"].as_array().expect("headers");
    let header = headers.iter().find(|header| header[0] == "Authorization").expect("a bearer token");
    match header[1].as_str() {
        Some("Bearer {A}") => "user:A".to_owned(),
        Some("Bearer {B}") => "user:B".to_owned(),
        _ => "unauthenticated".to_owned(),
    }
}
