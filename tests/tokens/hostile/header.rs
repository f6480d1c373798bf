use tower_user_metadata::AuthErrorKind as Kind;
use tower_user_metadata::session::JwtVerifier;

use super::{CLAIMS, NOW, all_get, plain, verdict};
use crate::harness::{At, layer};
use crate::mint::Signer;

#[test]
fn headers_that_are_not_one_strict_object_of_known_members() {
    let (signer, layer) = plain();
    let deep = format!(r#"{{"alg":"HS256","x":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    let deeper = format!(r#"{{"alg":"HS256","x":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let rows = [
        // The algorithm.
        r#"{}"#,
        r#"{"ALG":"HS256"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":{"":"HS256"}}"#,
        r#"{"alg":256}"#,
        r#"{"alg":true}"#,
        r#"{"alg ":"HS256"}"#,
        r#"{" alg":"HS256"}"#,
        "{\"\u{feff}alg\":\"HS256\"}",
        "{\"\u{430}lg\":\"HS256\"}",
        // Two members of one name, however they are spelled.
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"none","\u0061lg":"HS256"}"#,
        r#"{"alg":"HS256","al\u0067":"none"}"#,
        r#"{"alg":"HS256","kid":"a","\u006bid":"b"}"#,
        r#"{"alg":"HS256","x":{"a":1,"a":1}}"#,
        r#"{"alg":"HS256","x":[{"a":1,"\u0061":1}]}"#,
        r#"{"alg":"HS256","":1,"":2}"#,
        // Members of the wrong type.
        r#"{"alg":"HS256","kid":null}"#,
        r#"{"alg":"HS256","kid":0}"#,
        r#"{"alg":"HS256","kid":-0}"#,
        r#"{"alg":"HS256","kid":[]}"#,
        r#"{"alg":"HS256","kid":["a"]}"#,
        r#"{"alg":"HS256","kid":{}}"#,
        r#"{"alg":"HS256","kid":false}"#,
        r#"{"alg":"HS256","typ":null}"#,
        r#"{"alg":"HS256","typ":1}"#,
        r#"{"alg":"HS256","typ":["JWT"]}"#,
        // Extensions.
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":["alg"]}"#,
        r#"{"alg":"HS256","cr\u0069t":["x"],"x":1}"#,
        r#"{"alg":"HS256","b64":true}"#,
        r#"{"alg":"HS256","b64":"false"}"#,
        r#"{"alg":"HS256","zip":"DEF"}"#,
        r#"{"alg":"HS256","zip":null}"#,
        r#"{"alg":"HS256","cty":"JWT"}"#,
        r#"{"alg":"HS256","cty":"jwt"}"#,
        r#"{"alg":"HS256","cty":"application/jwt"}"#,
        // Not one object.
        "",
        " ",
        "null",
        "[]",
        r#""HS256""#,
        r#"[{"alg":"HS256"}]"#,
        r#"{"alg":"HS256"}{"alg":"HS256"}"#,
        r#"{"alg":"HS256"},"#,
        r#"{"alg":"HS256"}x"#,
        "{\"alg\":\"HS256\"}\0",
        "\u{feff}{\"alg\":\"HS256\"}",
        "\u{a0}{\"alg\":\"HS256\"}",
        "\u{c}{\"alg\":\"HS256\"}",
        r#"{"alg":"HS256",}"#,
        r#"{,"alg":"HS256"}"#,
        r#"{"alg":"HS256" "kid":"a"}"#,
        r#"{"alg"="HS256"}"#,
        r#"{'alg':'HS256'}"#,
        r#"{alg:"HS256"}"#,
        r#"{"alg":"HS256"/**/}"#,
        "{\"alg\":\"HS256\"}// x",
        "{\"alg\":\"HS\n256\"}",
        "{\"alg\":\"HS256\",\"x\":\"\u{1}\"}",
        // Numbers and strings on which readers disagree.
        r#"{"alg":"HS256","x":01}"#,
        r#"{"alg":"HS256","x":+1}"#,
        r#"{"alg":"HS256","x":.5}"#,
        r#"{"alg":"HS256","x":5.}"#,
        r#"{"alg":"HS256","x":0x10}"#,
        r#"{"alg":"HS256","x":NaN}"#,
        r#"{"alg":"HS256","x":-Infinity}"#,
        r#"{"alg":"HS256","x":1e400}"#,
        r#"{"alg":"HS256","x":1e-400}"#,
        r#"{"alg":"HS256","x":"\ud800"}"#,
        r#"{"alg":"HS256","x":"\udc00\ud800"}"#,
        r#"{"alg":"HS256","x":"\u00g0"}"#,
        r#"{"alg":"HS256","x":"\x41"}"#,
        r#"{"alg":"HS256","x":"\u{41}"}"#,
        r#"{"alg":"HS256","x":True}"#,
        r#"{"alg":"HS256","x":nul}"#,
        &deep,
        &deeper,
    ];
    all_get(Err(Kind::MalformedToken), rows, |header| verdict(&layer, signer.token(header, CLAIMS)));
    for bytes in [
        &b"{\"alg\":\"HS256\",\"x\":\"\xff\"}"[..],
        b"{\"alg\":\"HS256\",\"x\":\"\xc0\x80\"}",
        b"{\"alg\":\"HS256\",\"x\":\"\xed\xa0\x80\"}",
        b"{\"alg\":\"HS256\",\"x\":\"\xf4\x90\x80\x80\"}",
        b"{\"alg\":\"\xc1\x88S256\"}",
        b"\xff\xfe{\0\"\0}\0",
        b"\0{\"alg\":\"HS256\"}",
        b"\x1f\x8b\x08\0",
    ] {
        let got = verdict(&layer, signer.token(bytes, CLAIMS));
        assert_eq!(got, Ok(Err(Kind::MalformedToken)), "{}", bytes.escape_ascii());
    }
}

/// What the header says of the algorithm is compared with the key, byte for byte, and chooses nothing.
#[test]
fn other_names_of_the_algorithm() {
    let (signer, layer) = plain();
    let rows = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        " ",
        "hs256",
        "Hs256",
        "HS256 ",
        " HS256",
        "HS256\\u0000",
        "HS256\\n",
        "HS-256",
        "HS384",
        "HS512",
        "RS256",
        "ES256",
        "EdDSA",
        "PS256",
        "ES256K",
        "HMAC-SHA256",
        "HS256,none",
        "\u{ff28}S256",
        "dir",
        "A128KW",
        "undefined",
        "null",
        "true",
        "0",
        "HS2\u{200b}56",
    ];
    all_get(Err(Kind::BadSignature), rows, |name| {
        verdict(&layer, signer.token(format!(r#"{{"alg":"{name}"}}"#), CLAIMS))
    });
    // Escapes are another spelling of the same name.
    let same = r#"{"\u0061\u006c\u0067":"\u0048S256"}"#;
    assert_eq!(verdict(&layer, signer.token(same, CLAIMS)), Ok(Ok(())));
}

#[test]
fn headers_that_say_nothing_of_matter() {
    let (signer, layer) = plain();
    let deep = format!(r#"{{"alg":"HS256","x":{}{}}}"#, "[".repeat(63), "]".repeat(63));
    let rows = [
        r#"{"alg":"HS256","kid":""}"#,
        r#"{"alg":"HS256","kid":"any"}"#,
        r#"{"alg":"HS256","kid":"../../etc/passwd\u0000"}"#,
        r#"{"alg":"HS256","version":5}"#,
        r#"{"alg":"HS256","version":{"a":1}}"#,
        r#"{"alg":"HS256","Alg":"none","Crit":["x"],"KID":1}"#,
        r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AA"},"jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/"}"#,
        r#"{"alg":"HS256","x5c":["AA"],"x5t":1,"x5t#S256":null}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":"AT+JWT"}"#,
        r#"{"alg":"HS256","typ":"application/at+jwt"}"#,
        r#"{"alg":"HS256","typ":"Application/JWT"}"#,
        " \t\r\n{ \"alg\" : \"HS256\" } \t\r\n",
        r#"{"alg":"HS256","x":1e308,"y":-0,"z":123456789012345678901234567890}"#,
        r#"{"alg":"HS256","x":"\ud83d\ude00\u0000"}"#,
        &deep,
    ];
    all_get(Ok(()), rows, |header| verdict(&layer, signer.token(header, CLAIMS)));
}

#[test]
fn tokens_of_other_types() {
    let (signer, layer) = plain();
    let rows = [
        "",
        " ",
        "JWS",
        "JOSE",
        "JOSE+JSON",
        "JWT ",
        " JWT",
        "JWT;q=1",
        "id_token+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "rt+jwt",
        "refresh+jwt",
        "token-introspection+jwt",
        "vc+sd-jwt",
        "dc+sd-jwt",
        "kb+jwt",
        "entity-statement+jwt",
        "sd-jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
        "application/",
        "application/application/jwt",
        "text/at+jwt",
        "at+jwt+jwt",
        "\u{ff2a}WT",
    ];
    all_get(Err(Kind::WrongPurpose), rows, |name| {
        verdict(&layer, signer.token(format!(r#"{{"alg":"HS256","typ":"{name}"}}"#), CLAIMS))
    });
    // The first mistake is the one that is told.
    let expired = r#"{"sub":"user-1","exp":1}"#;
    let header = r#"{"alg":"HS256","typ":"logout+jwt"}"#;
    assert_eq!(verdict(&layer, signer.token(header, expired)), Ok(Err(Kind::Expired)));
    let unsigned = Signer::secret(b"another secret that nobody knows").token(header, expired);
    assert_eq!(verdict(&layer, unsigned), Ok(Err(Kind::BadSignature)));
}

/// A key with a name takes tokens of that very name, and those without one while it is the only key.
#[test]
fn a_kid_is_compared_byte_for_byte() {
    let signer = Signer::secret(super::SECRET);
    let key = signer.verification_key().with_kid("k-\u{e9}");
    let layer = layer(JwtVerifier::builder(key).without_audience().build().expect("a verifier"), At::seconds(NOW));
    let token = |kid: &str| signer.token(format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#), CLAIMS);
    let rows = [
        "",
        "k",
        "k-e",
        "k-e\u{301}",
        "K-\u{c9}",
        "k-\u{e9} ",
        " k-\u{e9}",
        "k-\u{e9}\\u0000",
        "k-\u{e9}/.",
        "k-%C3%A9",
    ];
    all_get(Err(Kind::UnknownKey), rows, |kid| verdict(&layer, token(kid)));
    assert_eq!(verdict(&layer, token("k-\u{e9}")), Ok(Ok(())));
    assert_eq!(verdict(&layer, token("k-\\u00e9")), Ok(Ok(())));
    assert_eq!(verdict(&layer, signer.token(super::HEADER, CLAIMS)), Ok(Ok(())));
}
