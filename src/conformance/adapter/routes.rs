//! What the routes answer when all is well, and where there is no route.

use super::case::{Case, Expected, Request, SEED};
use super::tokens::Tokens;

/// What `POST /updateinfo` answers with the document as it was.
pub(super) const UNCHANGED: &str =
    r#"{"message":"successfully updated user metadata","metadata":{"a":1,"bb":{"x":null},"ccc":"é"}}"#;

pub(super) fn cases(tokens: &Tokens) -> Vec<Case> {
    let good = |request: Request| request.bearer(&tokens.good);
    let mut cases = vec![
        Case::new("read", good(Request::get("/userinfo")), Expected::application(200, SEED)),
        Case::new("read, with a query", good(Request::get("/userinfo?fields=a")), Expected::application(200, SEED)),
        Case::new("the head only", good(Request::new("HEAD", "/userinfo")), Expected::application(200, "")),
        Case::new("clear", good(Request::post("/clearinfo")), Expected::application(200, r#"{"success":true}"#))
            .after("{}"),
        Case::new(
            "clear, with a body that nobody asked for",
            good(Request::post("/clearinfo").with_body("[not json")),
            Expected::application(200, r#"{"success":true}"#),
        )
        .after("{}"),
    ];
    for (name, request, allowed) in [
        ("PUT /userinfo", Request::new("PUT", "/userinfo").json("{}"), "GET, HEAD"),
        ("POST /userinfo", Request::post("/userinfo").json("{}"), "GET, HEAD"),
        ("DELETE /userinfo", Request::new("DELETE", "/userinfo"), "GET, HEAD"),
        ("PURGE /userinfo", Request::new("PURGE", "/userinfo"), "GET, HEAD"),
        ("GET /updateinfo", Request::get("/updateinfo"), "POST"),
        ("PATCH /updateinfo", Request::new("PATCH", "/updateinfo").json("{}"), "POST"),
        ("GET /clearinfo", Request::get("/clearinfo"), "POST"),
        ("DELETE /clearinfo", Request::new("DELETE", "/clearinfo"), "POST"),
    ] {
        let expected = || Expected::application(405, r#"{"message":"method not allowed"}"#).header("allow", allowed);
        cases.push(Case::new(format!("{name}, signed in"), good(request.clone()), expected()));
        cases.push(Case::new(format!("{name}, signed out"), request, expected()));
    }
    for target in ["/", "/nowhere", "/userinfo/more", "/Userinfo", "/userinfo.json"] {
        let expected = || Expected::application(404, r#"{"message":"not found"}"#);
        let request = Request::get(target);
        cases.push(Case::new(format!("GET {target}, signed in"), good(request.clone()), expected()));
        cases.push(Case::new(format!("GET {target}, signed out"), request, expected()));
    }
    cases.extend(preflights());
    cases
}

/// CORS preflights of routes that do not take `OPTIONS`: no session is asked for, and credentials are not looked at.
fn preflights() -> Vec<Case> {
    let preflight = |target| {
        let request = Request::new("OPTIONS", target).header("Origin", "https://app.example.com");
        request.header("Access-Control-Request-Method", "POST")
    };
    let mut cases = Vec::new();
    for (target, allowed) in [("/userinfo", "GET, HEAD"), ("/updateinfo", "POST"), ("/clearinfo", "POST")] {
        let expected = || Expected::application(405, r#"{"message":"method not allowed"}"#).header("allow", allowed);
        let name = format!("a preflight of {target}");
        cases.push(Case::new(name.clone(), preflight(target), expected()));
        cases.push(Case::new(format!("{name} with a bad token"), preflight(target).bearer("broken"), expected()));
    }
    cases
}
