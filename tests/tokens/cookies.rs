//! The session cookie among the cookies that sites really set, and among those that a browser sends after odd answers.

use serde_json::Value;
use tower_user_metadata::AuthErrorKind as Kind;

use crate::harness::{Count, Outcome, send_header};
use crate::hostile::{CLAIMS, HEADER, plain};
use crate::support::vectors::family;

/// Sends the session cookie at each place among the others, and the others alone.
fn judge(count: &mut Count, id: &str, others: &str) {
    let (signer, layer) = plain();
    let session = format!("sAccessToken={}", signer.token(HEADER, CLAIMS));
    let outcome = |cookies: String| {
        let cookies = cookies.trim_ascii().as_bytes();
        send_header(&layer, "cookie", cookies).and_then(|answer| answer.outcome())
    };
    let pairs: Vec<_> = others.split(';').collect();
    for place in 0..=pairs.len() {
        for separator in [";", "; "] {
            let mut cookies = pairs.clone();
            cookies.insert(place, &session);
            let outcome = outcome(cookies.join(separator));
            let found = matches!(&outcome, Ok(Outcome::Accepted(session)) if session.user_id().as_str() == "user-1");
            count.check(&format!("{id} at {place}"), true, (!found).then(|| format!("{outcome:?}")));
        }
    }
    // As a part of another cookie's name or value it is none.
    for hidden in [others.to_owned(), format!("x{session}; {others}"), format!("{others}&{session}")] {
        // What stands behind a semicolon is a cookie of its own.
        if hidden
            .split(';')
            .any(|pair| pair.trim_ascii().starts_with("&sAccessToken=") || others.trim_ascii().is_empty())
        {
            continue;
        }
        let outcome = outcome(hidden);
        let missing = matches!(&outcome, Ok(Outcome::Refused(Kind::MissingCredentials)));
        count.check(id, false, (!missing).then(|| format!("{outcome:?}")));
    }
}

#[test]
fn the_session_is_found_among_the_cookies_of_others() {
    let mut count = Count::of("cookies/jshttp");
    for row in family("cookies/jshttp_cookie") {
        judge(&mut count, &row.id, &row.text_of("header"));
    }
    count.finish();
}

#[test]
fn the_session_is_found_among_the_cookies_that_a_browser_keeps() {
    let mut count = Count::of("cookies/http_state");
    for row in family("cookies/http_state_parser") {
        let sent = row.value()["sent"].clone();
        let text = |cookie: &Value, member: &str| cookie[member].as_str().unwrap_or_default().to_owned();
        let cookies = sent.as_array().expect("cookies").iter();
        let cookies: Vec<_> =
            cookies.map(|cookie| format!("{}={}", text(cookie, "name"), text(cookie, "value"))).collect();
        judge(&mut count, &row.id, &cookies.join("; "));
    }
    count.finish();
}
