//! Where sessions may come from, and what is not one.

use super::case::{Case, Expected, Request, SEED};
use super::routes::UNCHANGED;
use super::tokens::Tokens;

const UNAUTHORISED: &str = r#"{"message":"unauthorised"}"#;
const TRY_REFRESH: &str = r#"{"message":"try refresh token"}"#;

pub(super) fn cases(tokens: &Tokens) -> Vec<Case> {
    [taken(tokens), refused(tokens), forged(tokens)].concat()
}

/// Requests with one session.
fn taken(tokens: &Tokens) -> Vec<Case> {
    let Tokens { good, other_user, expired, .. } = tokens;
    let cookie = |value: &[u8]| Request::get("/userinfo").header("Cookie", value);
    let bearer = || Request::get("/userinfo").bearer(good);
    let read = [
        ("the scheme in lower case", Request::get("/userinfo").header("Authorization", format!("bearer {good}"))),
        ("two spaces after the scheme", Request::get("/userinfo").header("Authorization", format!("Bearer  {good}"))),
        ("a cookie", Request::get("/userinfo").cookie(good)),
        ("a cookie among others", cookie(format!("a=b; sAccessToken={good}; c=\"d\"").as_bytes())),
        ("a cookie in the second of two headers", cookie(b"a=b").cookie(good)),
        ("a cookie beside one that is not UTF-8", cookie(&[b"a=\xff; sAccessToken=", good.as_bytes()].concat())),
        (
            "a cookie beside another scheme",
            Request::get("/userinfo").header("Authorization", "Basic YTpi").cookie(good),
        ),
        ("a token wins over a broken cookie", bearer().cookie("broken")),
        ("a token wins over an expired cookie", bearer().cookie(expired)),
        ("a token wins over another user's cookie", bearer().cookie(other_user)),
        ("a cookie that was cleared beside a token", bearer().cookie("")),
        ("a header that is not ASCII", bearer().header("X-Note", b"caf\xe9 \xff")),
        (
            "headers with the name of another user",
            bearer().header("X-User-Id", "root").header("X-Forwarded-User", "root"),
        ),
    ];
    let update = [
        ("a cookie with rid", Request::post("/updateinfo").cookie(good).header("rid", "anti-csrf")),
        ("a token needs no rid", Request::post("/updateinfo").bearer(good)),
        ("a token with a cookie needs no rid", Request::post("/updateinfo").bearer(good).cookie(good)),
    ];
    let read =
        read.map(|(name, request)| Case::new(format!("read: {name}"), request, Expected::application(200, SEED)));
    let update = update.map(|(name, request)| {
        Case::new(format!("update: {name}"), request.json("{}"), Expected::application(200, UNCHANGED))
    });
    read.into_iter().chain(update).collect()
}

/// Requests without a session, with more than one, or with something else.
fn refused(tokens: &Tokens) -> Vec<Case> {
    let Tokens { good, other_user, .. } = tokens;
    let missing = || Expected::refusal("Bearer", UNAUTHORISED);
    let malformed = || Expected::refusal(r#"Bearer error="invalid_request""#, UNAUTHORISED);
    let invalid = || Expected::refusal(r#"Bearer error="invalid_token""#, UNAUTHORISED);
    let refresh = || Expected::refusal(r#"Bearer error="invalid_request""#, TRY_REFRESH);
    let header = |name, value: &[u8]| vec![(name, value.to_owned())];
    let authorization = |value: &str| header("Authorization", value.as_bytes());
    let cookie = |value: &str| header("Cookie", value.as_bytes());
    let mut cases = Vec::new();
    for (name, headers, expected) in [
        ("nothing", vec![], missing()),
        ("another scheme", authorization("Basic YTpi"), missing()),
        ("a token without a scheme", authorization(good), missing()),
        ("a token glued to the scheme", authorization(&format!("Bearer{good}")), missing()),
        ("a cookie of another name", cookie(&format!("saccesstoken={good}; sAccessToken2={good}")), missing()),
        ("an empty cookie", cookie("sAccessToken="), missing()),
        ("another header", header("St-Access-Token", good.as_bytes()), missing()),
        ("a header to skip a middleware", header("X-Middleware-Subrequest", b"middleware"), missing()),
        ("the scheme only", authorization("Bearer"), malformed()),
        ("two words", authorization(&format!("Bearer {good} {good}")), malformed()),
        ("a tab after the scheme", authorization(&format!("Bearer\t{good}")), malformed()),
        ("a comma after the scheme", authorization(&format!("Bearer,{good}")), malformed()),
        ("bytes that are not ASCII", header("Authorization", b"Bearer \xff\xfe"), malformed()),
        (
            "two tokens",
            [authorization(&format!("Bearer {good}")), authorization(&format!("Bearer {other_user}"))].concat(),
            malformed(),
        ),
        ("a cookie with a space", cookie(&format!("sAccessToken={good} x")), malformed()),
        ("a Cookie header of 20 kB", cookie(&format!("sAccessToken={good}; a={}", "a".repeat(20_000))), malformed()),
        ("a word", authorization("Bearer word"), invalid()),
        ("two parts", authorization("Bearer e30.e30"), invalid()),
        ("a token with a fourth part", authorization(&format!("Bearer {good}.e30")), invalid()),
        ("a token of 20 kB", authorization(&format!("Bearer {}", "a".repeat(20_000))), invalid()),
        ("a cookie in quotes", cookie(&format!("sAccessToken=\"{good}\"")), invalid()),
        ("two different cookies", cookie(&format!("sAccessToken={good}; sAccessToken={other_user}")), refresh()),
        ("one cookie twice", cookie(&format!("sAccessToken={good}; sAccessToken={good}")), refresh()),
        (
            "two Cookie headers with different cookies",
            [cookie(&format!("sAccessToken={good}")), cookie(&format!("sAccessToken={other_user}"))].concat(),
            refresh(),
        ),
    ] {
        cases.extend(both(name, &headers, &expected));
    }
    let update = |headers: Request| headers.json(r#"{"a":2}"#);
    cases.extend([
        Case::new("update: a cookie without rid", update(Request::post("/updateinfo").cookie(good)), refresh()),
        Case::new(
            "update: a cookie without rid that pretends to be a GET",
            update(Request::post("/updateinfo").cookie(good).header("X-HTTP-Method-Override", "GET")),
            refresh(),
        ),
        Case::new("clear: nothing", Request::post("/clearinfo"), missing()),
        Case::new("clear: a cookie without rid", Request::post("/clearinfo").cookie(good), refresh()),
        Case::new("read: a token in the query", Request::get("/userinfo?access_token=e30.e30.e30"), missing()),
        Case::new("update: 1 MB from a stranger", Request::post("/updateinfo").json(vec![b' '; 1_000_000]), missing()),
    ]);
    cases
}

/// Tokens that were not issued by whom the application trusts, or no longer hold.
fn forged(tokens: &Tokens) -> Vec<Case> {
    let Tokens { good, other_user, expired, wrong_key } = tokens;
    let refresh = || Expected::refusal(r#"Bearer error="invalid_token""#, TRY_REFRESH);
    let invalid = || Expected::refusal(r#"Bearer error="invalid_token""#, UNAUTHORISED);
    let mut cases = Vec::new();
    for (name, token, expected) in [
        ("expired", expired.clone(), refresh()),
        ("signed with another key", wrong_key.clone(), refresh()),
        ("claims that were changed", with_other_claims(good), refresh()),
        ("the signature of another token", with_signature_of(good, other_user), refresh()),
        ("the algorithm none", without_signature(good), invalid()),
    ] {
        let authorization = [("Authorization", format!("Bearer {token}").into_bytes())];
        cases.extend(both(name, &authorization, &expected));
        let cookie = [("Cookie", format!("sAccessToken={token}").into_bytes()), ("rid", b"anti-csrf".to_vec())];
        cases.extend(both(&format!("{name}, in a cookie"), &cookie, &expected));
    }
    // The header decides alone: a good cookie does not make up for it.
    let pair = [
        ("Authorization", format!("Bearer {expired}").into_bytes()),
        ("Cookie", format!("sAccessToken={good}").into_bytes()),
    ];
    cases.extend(both("expired, beside a good cookie", &pair, &refresh()));
    cases
}

/// A read and an update with the same headers.
fn both(name: &str, headers: &[(&'static str, Vec<u8>)], expected: &Expected) -> [Case; 2] {
    let with = |request: Request| headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    [
        Case::new(format!("read: {name}"), with(Request::get("/userinfo")), expected.clone()),
        Case::new(format!("update: {name}"), with(Request::post("/updateinfo").json(r#"{"a":2}"#)), expected.clone()),
    ]
}

/// The token with another letter in the middle of its claims.
fn with_other_claims(token: &str) -> String {
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    if let Some(claims) = parts.get_mut(1) {
        let middle = claims.len() / 2;
        let other = if claims.get(middle..=middle) == Some("A") { "B" } else { "A" };
        claims.replace_range(middle..=middle, other);
    }
    parts.join(".")
}

fn with_signature_of(token: &str, other: &str) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap_or_default();
    let (_, signature) = other.rsplit_once('.').unwrap_or_default();
    format!("{signed}.{signature}")
}

/// The claims of the token under the header `{"alg":"none"}` and without a signature (RFC 7519 section 6).
fn without_signature(token: &str) -> String {
    format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap_or_default())
}
