use http::{HeaderName, HeaderValue, Request};
use tower_user_metadata::session::{TokenSource, TokenSources};
use tower_user_metadata::{AntiCsrf, AuthErrorKind as Kind, UserMetadataLayer};

use super::{CLAIMS, HEADER, plain};
use crate::harness::{Outcome, send};

/// Sends a request with these headers, in this order.
fn outcome(layer: &UserMetadataLayer, method: &str, headers: &[(&str, &[u8])]) -> Result<String, Kind> {
    let mut request = Request::builder().method(method).uri("/").body(()).expect("a request");
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).expect("a name");
        request.headers_mut().append(name, HeaderValue::from_bytes(value).expect("a value"));
    }
    let answer = send(layer, request);
    if answer.passed_without_session() {
        return Ok("nobody".to_owned());
    }
    match answer.outcome().expect("a proper answer") {
        Outcome::Accepted(session) => Ok(session.user_id().as_str().to_owned()),
        Outcome::Refused(kind) => Err(kind),
    }
}

fn user(name: &str) -> Result<String, Kind> {
    Ok(name.to_owned())
}

#[test]
fn authorization_headers() {
    let (signer, layer) = plain();
    let token = signer.token(HEADER, CLAIMS);
    let get = |value: String| outcome(&layer, "GET", &[("authorization", value.as_bytes())]);
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(get(format!("{scheme} {token}")), user("user-1"), "{scheme}");
        assert_eq!(get(format!("{scheme}   {token}")), user("user-1"), "{scheme}");
    }
    for value in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer\t{token}"),
        format!("Bearer \t{token}"),
        format!("Bearer {token} "),
        format!("Bearer {token}\t"),
        format!("Bearer {token} x"),
        format!("Bearer {token}, x"),
        format!("Bearer x {token}"),
        format!("Bearer Bearer {token}"),
        format!("Bearer: {token}"),
        format!("Bearer={token}"),
        format!("Bearer,{token}"),
        format!("Bearer\u{a0}{token}"),
        format!("Bearer {token}\u{a0}"),
        format!("Bearer {token}\u{fffd}"),
    ] {
        assert_eq!(get(value.clone()), Err(Kind::MalformedCredentials), "{value:?}");
    }
    // One word, but no token.
    for value in [
        format!("Bearer {token},{token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer token={token}"),
        format!("Bearer <{token}>"),
        "Bearer null".to_owned(),
        "Bearer undefined".to_owned(),
        "Bearer [object".to_owned() + "Object]",
    ] {
        assert_eq!(get(value.clone()), Err(Kind::MalformedToken), "{value:?}");
    }
    // Not our scheme, so there are no credentials of ours.
    for value in [
        String::new(),
        token.clone(),
        format!("{token} Bearer"),
        format!("Basic {token}"),
        format!("Bearerx {token}"),
        format!("XBearer {token}"),
        format!("Bearer2 {token}"),
        format!("Token {token}"),
        format!("JWT {token}"),
        format!("DPoP {token}"),
        format!("Basic x, Bearer {token}"),
        format!("\"Bearer\" {token}"),
        format!(",Bearer {token}"),
        format!("\u{fffd}Bearer {token}"),
        format!("\u{ff22}earer {token}"),
    ] {
        assert_eq!(get(value.clone()), Err(Kind::MissingCredentials), "{value:?}");
    }
}

/// Several values are refused, even alike ones: two hops could each take another.
#[test]
fn repeated_headers() {
    let (signer, layer) = plain();
    let token = signer.token(HEADER, CLAIMS);
    let bearer = format!("Bearer {token}");
    let cookie = format!("sAccessToken={token}");
    let (bearer, cookie) = (("authorization", bearer.as_bytes()), ("cookie", cookie.as_bytes()));
    let get = |headers: &[(&str, &[u8])]| outcome(&layer, "GET", headers);
    assert_eq!(get(&[bearer, bearer]), Err(Kind::MalformedCredentials));
    assert_eq!(get(&[bearer, ("authorization", b"")]), Err(Kind::MalformedCredentials));
    assert_eq!(get(&[("authorization", b"Basic x"), bearer]), Err(Kind::MalformedCredentials));
    assert_eq!(
        get(&[("authorization", b"Basic x"), ("authorization", b"Basic y"), cookie]),
        Err(Kind::MalformedCredentials)
    );
    assert_eq!(get(&[cookie, cookie]), Err(Kind::AmbiguousCredentials));
    assert_eq!(get(&[cookie, ("cookie", b"a=1")]), user("user-1"));
    assert_eq!(get(&[("cookie", b"sAccessToken="), cookie]), Err(Kind::AmbiguousCredentials));
    // Headers that could stand in for these, if anybody looked at them.
    for name in ["x-authorization", "proxy-authorization", "x-forwarded-authorization", "st-access-token", "x-user-id"]
    {
        assert_eq!(get(&[(name, bearer.1)]), Err(Kind::MissingCredentials), "{name}");
    }
    for name in ["cookie2", "set-cookie", "x-cookie"] {
        assert_eq!(get(&[(name, cookie.1)]), Err(Kind::MissingCredentials), "{name}");
    }
}

#[test]
fn cookies() {
    let (signer, layer) = plain();
    let token = signer.token(HEADER, CLAIMS);
    let get = |value: String| outcome(&layer, "GET", &[("cookie", value.as_bytes())]);
    for value in [
        format!("sAccessToken={token}"),
        format!("a=1; sAccessToken={token}; b=2"),
        format!("a=1;sAccessToken={token};b=2"),
        format!(";;; sAccessToken={token} ;;"),
        format!("a; b; sAccessToken={token}"),
        format!("=x; sAccessToken={token}; ="),
        format!("a=\"x; sAccessToken={token}; b=x\""),
        format!("\u{e9}=\u{fffd}; sAccessToken={token}"),
        format!("sAccessToken2=x; sAccessToken={token}; SACCESSTOKEN=y; xsAccessToken=z"),
        format!("$Version=1; sAccessToken={token}; $Path=/"),
    ] {
        assert_eq!(get(value.clone()), user("user-1"), "{value:?}");
    }
    for value in [
        String::new(),
        "sAccessToken".to_owned(),
        "sAccessToken=".to_owned(),
        "sAccessToken= ".to_owned(),
        "sAccessToken ; x=1".to_owned(),
        format!("saccesstoken={token}"),
        format!("sAccessToken ={token}"),
        format!("sAccessToken\u{a0}={token}"),
        format!("%73AccessToken={token}"),
        format!("s%41ccessToken={token}"),
        format!("\"sAccessToken\"={token}"),
        format!("sAccessToken[]={token}"),
        format!("sAccessToken.0={token}"),
        format!("__Host-sAccessToken={token}"),
        format!("a=1, sAccessToken={token}"),
        format!("a=1&sAccessToken={token}"),
        format!("a=sAccessToken={token}"),
        format!("=sAccessToken={token}"),
        format!("\u{feff}sAccessToken={token}"),
        format!("s\u{410}ccessToken={token}"),
        token.clone(),
    ] {
        assert_eq!(get(value.clone()), Err(Kind::MissingCredentials), "{value:?}");
    }
    for value in [
        format!("sAccessToken= {token}"),
        format!("sAccessToken={token} x"),
        format!("sAccessToken={token}\tx"),
        format!("sAccessToken={token}\u{e9}"),
        format!("sAccessToken=\u{a0}{token}"),
    ] {
        assert_eq!(get(value.clone()), Err(Kind::MalformedCredentials), "{value:?}");
    }
    for value in [
        format!("sAccessToken=={token}"),
        format!("sAccessToken=\"{token}\""),
        format!("sAccessToken='{token}'"),
        format!("sAccessToken={token},x"),
        format!("sAccessToken={}", token.replace('.', "%2E")),
        format!("sAccessToken={}", token.replace('.', "%252E")),
        format!("sAccessToken=Bearer%20{token}"),
        format!("sAccessToken={token}%"),
        format!("sAccessToken={token}%3"),
        format!("sAccessToken={token}%3D"),
        format!("sAccessToken={token}%00"),
        format!("sAccessToken=s:{token}"),
        format!("sAccessToken=j:{{}}{token}"),
    ] {
        assert_eq!(get(value.clone()), Err(Kind::MalformedToken), "{value:?}");
    }
}

/// A place is used or refused as soon as it holds anything; a later one is never a way around it.
#[test]
fn no_place_is_a_fallback() {
    let (signer, layer) = plain();
    let token = |user: &str| signer.token(HEADER, CLAIMS.replace("user-1", user));
    let places = [
        TokenSource::header("X-Token").expect("a header"),
        TokenSource::cookie("first", AntiCsrf::ViaCustomHeader).expect("a cookie"),
        TokenSource::bearer(),
    ];
    let layer = layer.with_token_sources(TokenSources::new(places));
    let (header, cookie) = (token("in-header"), format!("first={}", token("in-cookie")));
    let bearer = format!("Bearer {}", token("in-bearer"));
    let (header, cookie) = (("x-token", header.as_bytes()), ("cookie", cookie.as_bytes()));
    let bearer = ("authorization", bearer.as_bytes());
    let get = |headers: &[(&str, &[u8])]| outcome(&layer, "GET", headers);
    assert_eq!(get(&[bearer, cookie, header]), user("in-header"));
    assert_eq!(get(&[bearer, cookie]), user("in-cookie"));
    assert_eq!(get(&[bearer]), user("in-bearer"));
    for bad in ["x", "x y", " ", "\u{e9}"] {
        let got = get(&[bearer, cookie, ("x-token", bad.as_bytes())]);
        assert!(matches!(got, Err(Kind::MalformedToken | Kind::MalformedCredentials)), "{bad:?}: {got:?}");
        let in_cookie = format!("first=x{bad}x");
        let got = get(&[bearer, ("cookie", in_cookie.as_bytes())]);
        assert!(matches!(got, Err(Kind::MalformedToken | Kind::MalformedCredentials)), "{bad:?}: {got:?}");
    }
    // The header's whole value is the token, or `Bearer` and the token.
    let padded = [header.1, b" "].concat();
    assert_eq!(get(&[bearer, ("x-token", &padded)]), Err(Kind::MalformedCredentials));
    let with_scheme = [b"Bearer ", header.1].concat();
    assert_eq!(get(&[("x-token", &with_scheme)]), user("in-header"));
    assert_eq!(get(&[header, header]), Err(Kind::MalformedCredentials));
    // The proof belongs to the cookie, so it is asked for where the cookie decides and nowhere else.
    assert_eq!(outcome(&layer, "POST", &[bearer, cookie]), Err(Kind::AntiCsrf));
    assert_eq!(outcome(&layer, "POST", &[cookie, header]), user("in-header"));
}

#[test]
fn proofs_against_forged_requests() {
    let (signer, layer) = plain();
    let cookie = format!("sAccessToken={}", signer.token(HEADER, CLAIMS));
    let cookie = ("cookie", cookie.as_bytes());
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(outcome(&layer, method, &[cookie]), user("user-1"), "{method}");
    }
    for method in
        ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "Get", "GETX", "PROPFIND", "QUERY", "M-SEARCH"]
    {
        assert_eq!(outcome(&layer, method, &[cookie]), Err(Kind::AntiCsrf), "{method}");
        assert_eq!(outcome(&layer, method, &[cookie, ("rid", b"")]), user("user-1"), "{method}");
    }
    // Headers that say the method is another one do not make it so, and neither do other headers prove anything.
    for (name, value) in [
        ("x-http-method-override", "GET"),
        ("x-http-method", "GET"),
        ("x-method-override", "GET"),
        ("x-requested-with", "XMLHttpRequest"),
        ("sec-fetch-site", "same-origin"),
        ("origin", "https://api.example.com"),
        ("st-auth-mode", "header"),
        ("x-rid", "session"),
        ("fdi-version", "3.0"),
    ] {
        assert_eq!(outcome(&layer, "POST", &[cookie, (name, value.as_bytes())]), Err(Kind::AntiCsrf), "{name}");
    }
    let none = AntiCsrf::NoneBecauseCookiesAreSameSite;
    let unprotected = layer.clone().with_token_sources(TokenSources::supertokens(none));
    assert_eq!(outcome(&unprotected, "POST", &[cookie]), user("user-1"));
    // A plain token has no secret to compare with, so nothing proves anything.
    let by_token = layer.with_token_sources(TokenSources::supertokens(AntiCsrf::ViaToken));
    for proof in ["", "x", "null", "undefined", "user-1"] {
        assert_eq!(
            outcome(&by_token, "POST", &[cookie, ("anti-csrf", proof.as_bytes())]),
            Err(Kind::AntiCsrf),
            "{proof}"
        );
    }
}

/// Only the absence of credentials is let through.
#[test]
fn optional_sessions() {
    let (signer, layer) = plain();
    let layer = layer.with_optional_sessions();
    let token = signer.token(HEADER, CLAIMS);
    let get = |headers: &[(&str, &[u8])]| outcome(&layer, "GET", headers);
    assert_eq!(get(&[]), user("nobody"));
    assert_eq!(get(&[("authorization", b"Basic x")]), user("nobody"));
    assert_eq!(get(&[("cookie", b"a=1; sAccessToken=")]), user("nobody"));
    assert_eq!(get(&[("authorization", format!("Bearer {token}").as_bytes())]), user("user-1"));
    let twice = format!("sAccessToken={token}; sAccessToken={token}");
    let expired = format!("Bearer {}", signer.token(HEADER, r#"{"sub":"user-1","exp":1}"#));
    for (expected, name, value) in [
        (Kind::MalformedCredentials, "authorization", &b"Bearer"[..]),
        (Kind::MalformedToken, "authorization", b"Bearer x"),
        (Kind::Expired, "authorization", expired.as_bytes()),
        (Kind::AmbiguousCredentials, "cookie", twice.as_bytes()),
        (Kind::MalformedToken, "cookie", b"sAccessToken=x"),
        (Kind::MalformedCredentials, "cookie", &[b'='; 20_000]),
    ] {
        assert_eq!(get(&[(name, value)]), Err(expected), "{name}");
    }
    let cookie = format!("sAccessToken={token}");
    assert_eq!(outcome(&layer, "POST", &[("cookie", cookie.as_bytes())]), Err(Kind::AntiCsrf));
}
