//! What is wrong with an issuer or an audience that is not ours, in words that tell nothing of the token; and a warning
//! for whoever configured it, because a mistake there refuses every token.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::session::payload::Payload;

/// How long after a warning the next one of the same claim comes at the earliest.
const PAUSE: Duration = Duration::from_secs(60);

/// Tells once a minute, and only then, that a warning is due; for any number of threads.
#[derive(Debug)]
pub(super) struct OncePerMinute {
    started: Instant,
    /// The next time at which a warning is due, in milliseconds after the start.
    due: AtomicU64,
}

impl OncePerMinute {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), due: AtomicU64::new(0) }
    }

    pub(super) fn is_due(&self) -> bool {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let now = millis(self.started.elapsed());
        let due = self.due.load(Ordering::Relaxed);
        let next = now.saturating_add(millis(PAUSE));
        // Of several threads one sets the next time, and that one warns.
        now >= due && self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// When refusals for which the settings may be to blame are warned of.
#[derive(Debug)]
pub(super) struct Warnings {
    pub(super) issuer: OncePerMinute,
    pub(super) audience: OncePerMinute,
    pub(super) purpose: OncePerMinute,
    /// An id that is a number.
    pub(super) id: OncePerMinute,
}

impl Warnings {
    pub(super) fn new() -> Self {
        let [issuer, audience, purpose, id] = std::array::from_fn(|_| OncePerMinute::new());
        Self { issuer, audience, purpose, id }
    }
}

/// How a claim that names nobody of ours differs from those that were expected.
pub(super) fn describe(claims: &Payload, name: &str, expected: &[&str]) -> &'static str {
    let Some(raw) = claims.raw(name) else { return "the claim is missing" };
    if let Ok(Some(text)) = claims.text(name) {
        return nearest([&*text], expected);
    }
    match claims.get::<Vec<Option<String>>>(name) {
        Ok(Some(texts)) if texts.is_empty() => "an empty list",
        Ok(Some(texts)) if texts.contains(&None) => "a list with a member that is not a string",
        Ok(Some(texts)) => in_list(nearest(texts.iter().flatten().map(String::as_str), expected)),
        _ if raw == "null" => "the claim is null",
        _ if raw.starts_with('[') => "a list with a member that is not a string",
        _ => "not a string",
    }
}

const OTHER: &str = "another string";

/// The smallest difference that there is between two of the texts.
fn nearest<'a>(found: impl IntoIterator<Item = &'a str>, expected: &[&str]) -> &'static str {
    let pairs = found.into_iter().flat_map(|found| expected.iter().map(move |expected| difference(found, expected)));
    pairs.min_by_key(|difference| *difference == OTHER).unwrap_or(OTHER)
}

fn difference(found: &str, expected: &str) -> &'static str {
    let no_slash = |text: &str| text.trim_end_matches('/').to_owned();
    let no_scheme = |text: &str| text.split_once("://").map_or(text, |(_, rest)| rest).to_owned();
    let alike = |text: &str| no_scheme(&no_slash(text.trim())).to_lowercase();
    if found == expected {
        "the same string, in a place where it cannot be"
    } else if found.trim().is_empty() {
        "an empty string"
    } else if no_slash(found) == no_slash(expected) {
        "a string that differs by a trailing slash"
    } else if found.to_lowercase() == expected.to_lowercase() {
        "a string that differs by letter case"
    } else if found.trim() == expected {
        "a string that differs by white space around it"
    } else if no_scheme(found) == no_scheme(expected) {
        "a string that differs by its scheme, such as http and https"
    } else if alike(found) == alike(expected) {
        "a string that differs by letter case, white space, its scheme and a trailing slash"
    } else if found.starts_with(expected) || expected.starts_with(found) {
        "a string of which one is the beginning of the other"
    } else {
        OTHER
    }
}

/// The same of the members of a list.
fn in_list(difference: &'static str) -> &'static str {
    match difference {
        "the same string, in a place where it cannot be" => "a list, where a string is expected",
        "a string that differs by a trailing slash" => "a list with a string that differs by a trailing slash",
        "a string that differs by letter case" => "a list with a string that differs by letter case",
        "a string that differs by white space around it" => {
            "a list with a string that differs by white space around it"
        }
        OTHER => "a list of other strings",
        _ => "a list with a string that differs a little",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    #[test]
    fn what_came_is_named_by_its_kind() {
        let expected = ["https://id.example/realm", "web"];
        for (claims, kind) in [
            ("{}", "the claim is missing"),
            (r#"{"iss":null}"#, "the claim is null"),
            (r#"{"iss":7}"#, "not a string"),
            (r#"{"iss":{"iss":"web"}}"#, "not a string"),
            (r#"{"iss":""}"#, "an empty string"),
            (r#"{"iss":"  "}"#, "an empty string"),
            (r#"{"iss":"https://id.example/realm/"}"#, "a string that differs by a trailing slash"),
            (r#"{"iss":"https://ID.example/realm"}"#, "a string that differs by letter case"),
            (r#"{"iss":" web"}"#, "a string that differs by white space around it"),
            (r#"{"iss":"http://id.example/realm"}"#, "a string that differs by its scheme, such as http and https"),
            (r#"{"iss":"id.example/realm"}"#, "a string that differs by its scheme, such as http and https"),
            (
                r#"{"iss":"HTTP://id.example/Realm/"}"#,
                "a string that differs by letter case, white space, its scheme and a trailing slash",
            ),
            (r#"{"iss":"https://id.example/realm/v2.0"}"#, "a string of which one is the beginning of the other"),
            (r#"{"iss":"https://other.example"}"#, "another string"),
            (r#"{"iss":[]}"#, "an empty list"),
            (r#"{"iss":["web"]}"#, "a list, where a string is expected"),
            (r#"{"iss":["x","y"]}"#, "a list of other strings"),
            (r#"{"iss":["x","web/"]}"#, "a list with a string that differs by a trailing slash"),
            (r#"{"iss":["web",1]}"#, "a list with a member that is not a string"),
            (r#"{"iss":["web",null]}"#, "a list with a member that is not a string"),
        ] {
            let payload = Payload::parse(claims.as_bytes()).expect("an object");
            assert_eq!(describe(&payload, "iss", &expected), kind, "{claims}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_thread_a_minute_is_told() {
        let once = OncePerMinute::new();
        let told = || {
            let told = AtomicUsize::new(0);
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..10_000 {
                            told.fetch_add(usize::from(once.is_due()), Ordering::Relaxed);
                        }
                    });
                }
            });
            told.into_inner()
        };
        assert_eq!(told(), 1);
        assert_eq!(told(), 0);
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert!(!once.is_due());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(once.is_due() && !once.is_due());
    }
}
