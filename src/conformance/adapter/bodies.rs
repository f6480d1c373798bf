//! What is an update, and what is not one.

use super::case::{Case, Expected, Request};
use super::routes::UNCHANGED;
use super::tokens::Tokens;

pub(super) fn cases(tokens: &Tokens) -> Vec<Case> {
    [taken(tokens), refused(tokens)].concat()
}

fn taken(tokens: &Tokens) -> Vec<Case> {
    let post = || Request::post("/updateinfo").bearer(&tokens.good);
    let unchanged = || Expected::application(200, UNCHANGED);
    let mut cases = vec![
        Case::new("an empty update", post().json("{}"), unchanged()),
        Case::new("an update of no known length", post().chunked_json("{}"), unchanged()),
        Case::new("an announced update", post().header("Expect", "100-continue").json("{}"), unchanged()),
        Case::new("white space around the update", post().json(" \r\n\t{ }\n"), unchanged()),
        Case::new(
            "a body that says it is not coded",
            post().header("Content-Encoding", "Identity").json("{}"),
            unchanged(),
        ),
    ];
    for (name, content_type) in [
        ("a charset", "Application/JSON; charset=UTF-8"),
        ("a charset without its hyphen", "application/json; charset=utf8"),
        ("a charset that is a part of UTF-8", "application/json;charset=US-ASCII"),
        ("a quoted charset", "application/json ; Charset=\"utf8\" "),
        ("parameters that mean nothing", "application/json; version=1; x=\"; charset=latin1\""),
    ] {
        cases.push(Case::new(name, post().header("Content-Type", content_type).with_body("{}"), unchanged()));
    }
    for (name, update, document) in [
        ("a field is set", r#"{"dddd":[1,2]}"#, r#"{"a":1,"bb":{"x":null},"ccc":"é","dddd":[1,2]}"#),
        ("a field is replaced whole", r#"{"ccc":{"y":1}}"#, r#"{"a":1,"bb":{"x":null},"ccc":{"y":1}}"#),
        ("null removes at the root", r#"{"bb":null}"#, r#"{"a":1,"ccc":"é"}"#),
        ("null is kept below", r#"{"ccc":{"y":null}}"#, r#"{"a":1,"bb":{"x":null},"ccc":{"y":null}}"#),
        (
            "every digit",
            r#"{"ccc":0.10000000000000000000001}"#,
            r#"{"a":1,"bb":{"x":null},"ccc":0.10000000000000000000001}"#,
        ),
        (
            "names that mean something elsewhere",
            r#"{"a":null,"bb":null,"ccc":null,"__proto__":1,"$set.a.b-'\"":2}"#,
            r#"{"__proto__":1,"$set.a.b-'\"":2}"#,
        ),
        ("all is removed", r#"{"a":null,"bb":null,"ccc":null}"#, "{}"),
    ] {
        cases.push(
            Case::new(format!("update: {name}"), post().json(update), Expected::application(200, updated(document)))
                .after(document),
        );
    }
    let large = format!(r#"{{"a":1,"bb":{{"x":null}},"ccc":"é","dddd":"{}"}}"#, "x".repeat(60_000));
    let request = post().json(format!(r#"{{"dddd":"{}"}}"#, "x".repeat(60_000)));
    cases.push(Case::new("update: 60 kB", request, Expected::application(200, updated(&large))).after(large));
    cases
}

fn refused(tokens: &Tokens) -> Vec<Case> {
    let post = || Request::post("/updateinfo").bearer(&tokens.good);
    let mut cases = Vec::new();
    let deep = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1));
    let fields: Vec<_> = (0..1_001).map(|field| format!(r#""f{field}":0"#)).collect();
    for (name, body, expected) in [
        ("an array", "[]".into(), r#"{"message":"metadata must be a JSON object"}"#),
        ("null", "null".into(), r#"{"message":"metadata must be a JSON object"}"#),
        ("a string", r#""x""#.into(), r#"{"message":"metadata must be a JSON object"}"#),
        ("a number", "1".into(), r#"{"message":"metadata must be a JSON object"}"#),
        ("nothing", "".into(), r#"{"message":"metadata is not valid JSON at byte 0"}"#),
        ("half an object", "{".into(), r#"{"message":"metadata is not valid JSON at byte 1"}"#),
        ("two objects", "{}{}".into(), r#"{"message":"metadata is not valid JSON at byte 2"}"#),
        ("a trailing comma", r#"{"a":2,}"#.into(), r#"{"message":"metadata is not valid JSON at byte 7"}"#),
        ("a byte order mark", "\u{feff}{}".into(), r#"{"message":"metadata is not valid JSON at byte 0"}"#),
        ("a form", "a=2".into(), r#"{"message":"metadata is not valid JSON at byte 0"}"#),
        ("a name twice", r#"{"a":2,"a":3}"#.into(), r#"{"message":"metadata has two fields of one name at byte 7"}"#),
        (
            "a name twice, deeper",
            r#"{"a":{"b":2,"\u0062":3}}"#.into(),
            r#"{"message":"metadata has two fields of one name at byte 12"}"#,
        ),
        ("U+0000", r#"{"a":"\u0000"}"#.into(), r#"{"message":"metadata has the character U+0000 at byte 6"}"#),
        (
            "half of a surrogate pair",
            r#"{"a":"\ud800"}"#.into(),
            r#"{"message":"metadata has a lone surrogate at byte 6"}"#,
        ),
        (
            "a number out of range",
            r#"{"a":1e1001}"#.into(),
            r#"{"message":"metadata has a number out of range at byte 5"}"#,
        ),
        ("65 levels", deep(65), r#"{"message":"metadata is nested more than 64 levels deep","limit":64}"#),
        ("200 levels", deep(200), r#"{"message":"metadata is nested more than 128 levels deep","limit":128}"#),
        (
            "1,001 fields",
            format!("{{{}}}", fields.join(",")),
            r#"{"message":"metadata has more than 1000 root fields","limit":1000}"#,
        ),
        (
            "a long name",
            format!(r#"{{"{}":2}}"#, "n".repeat(257)),
            r#"{"message":"metadata has a field name of more than 256 bytes","limit":256}"#,
        ),
    ] {
        cases.push(Case::new(format!("update: {name}"), post().json(body), Expected::problem(400, expected)));
    }
    cases.push(Case::new(
        "update: bytes that are not UTF-8",
        post().json(b"{\"a\":\"\xff\"}"),
        Expected::problem(400, r#"{"message":"metadata is not valid UTF-8 at byte 6"}"#),
    ));

    let too_large = || Expected::problem(413, r#"{"message":"metadata is larger than 65536 bytes","limit":65536}"#);
    let field = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
    cases.extend([
        Case::new("update: 1 MB", post().json(field(1_000_000)), too_large()),
        Case::new("update: 1 MB of no known length", post().chunked_json(field(1_000_000)), too_large()),
        Case::new("update: one byte too many of no known length", post().chunked_json(vec![b' '; 65_537]), too_large()),
        Case::new("update: a document too large when it is merged", post().json(field(65_520)), too_large()),
    ]);

    let unsupported = || {
        Expected::problem(415, r#"{"message":"the content type must be application/json"}"#)
            .header("accept-patch", "application/json")
    };
    let json = "application/json";
    for (name, request) in [
        ("no content type", post()),
        ("plain text", post().header("Content-Type", "text/plain")),
        ("a content type of forms", post().header("Content-Type", "application/x-www-form-urlencoded")),
        ("a merge patch", post().header("Content-Type", "application/merge-patch+json")),
        ("another charset", post().header("Content-Type", "application/json; charset=utf-16")),
        ("two charsets", post().header("Content-Type", "application/json; charset=utf8; charset=latin1")),
        ("two content types", post().header("Content-Type", json).header("Content-Type", json)),
        ("a content type that is not ASCII", post().header("Content-Type", b"application/json\xff")),
    ] {
        cases.push(Case::new(format!("update: {name}"), request.with_body(r#"{"a":2}"#), unsupported()));
    }
    // The body is one that could be taken: what it says it is decides.
    for codings in [&["gzip"][..], &["br"], &["deflate"], &["zstd"], &["gzip, br"], &["identity", "gzip"]] {
        let request = codings.iter().fold(post(), |request, coding| request.header("Content-Encoding", coding));
        let coded = Expected::problem(415, r#"{"message":"the body must not have a content coding"}"#);
        let name = format!("update: coded with {}", codings.join(" and "));
        cases.push(Case::new(name, request.json(r#"{"a":2}"#), coded.header("accept-encoding", "identity")));
    }
    cases
}

/// The answer to an update that leaves this document.
fn updated(document: &str) -> String {
    format!(r#"{{"message":"successfully updated user metadata","metadata":{document}}}"#)
}
