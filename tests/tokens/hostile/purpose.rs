//! Tokens of the same issuer for another purpose, whose header says `JWT` or nothing; and access tokens of real providers,
//! which have to be taken.

use tower_user_metadata::AuthErrorKind as Kind;
use tower_user_metadata::session::JwtVerifier;

use super::{HEADER, NOW, SECRET, all_get, plain, verdict};
use crate::harness::{At, layer, send_bearer};
use crate::mint::Signer;

const HEADERS: [&str; 3] = [HEADER, r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"alg":"HS256","typ":"at+jwt"}"#];

fn claims(members: &str) -> String {
    format!(r#"{{"sub":"user-1","exp":1800003600,{members}}}"#)
}

const ID: [&str; 16] = [
    r#""purpose":"id""#,
    r#""token_usage":"id_token""#,
    r#""typ":"ID""#,
    r#""typ":"Id""#,
    r#""typ":"id_token""#,
    r#""typ":"IDToken""#,
    r#""typ":"id-token""#,
    r#""typ":"id_token+jwt""#,
    r#""token_use":"id""#,
    r#""token_type":"id_token""#,
    r#""tokenType":"id-token""#,
    r#""at_hash":"MTIzNDU2Nzg5MDEyMzQ1Ng""#,
    r#""c_hash":"LDktKdoQak3Pk0cnXxCltA""#,
    r#""s_hash":"LDktKdoQak3Pk0cnXxCltA""#,
    r#""at\u005fhash":"MTIzNDU2Nzg5MDEyMzQ1Ng""#,
    r#""urn:openid:params:jwt:claim:rt_hash":"LDktKdoQak3Pk0cnXxCltA""#,
];

const OTHERS: [&str; 34] = [
    r#""purpose":"refresh_token""#,
    r#""token_usage":"refresh_token""#,
    r#""typ":"Logout""#,
    r#""typ":"logout""#,
    r#""typ":"logout+jwt""#,
    r#""typ":"Refresh""#,
    r#""typ":"REFRESH""#,
    r#""typ":"refresh_token""#,
    r#""typ":"Offline""#,
    r#""typ":"rt+jwt""#,
    r#""typ":"Serialized-ID""#,
    r#""typ":"RegistrationAccessToken""#,
    r#""typ":"InitialAccessToken""#,
    r#""typ":"reset-credentials""#,
    r#""typ":"execute-actions""#,
    r#""typ":"verify-email""#,
    r#""typ":"secevent+jwt""#,
    r#""token_use":"refresh""#,
    r#""token_use":"refresh_token""#,
    r#""token_type":"refresh""#,
    r#""token_type":"Refresh-Token""#,
    r#""tokenType":"refresh-token""#,
    r#""tokenType":"refreshToken""#,
    r#""type":"refresh""#,
    r#""type":"refresh_token""#,
    r#""drn":"DSR""#,
    r#""ati":"2d8c7a53-5c5b-4d2f-9f0e-6f2b6a7b8c9d""#,
    r#""events":{"http://schemas.openid.net/event/backchannel-logout":{}}"#,
    r#""events":{"https://schemas.openid.net/secevent/caep/event-type/session-revoked":{"subject":{}}}"#,
    r#""events":{"https://schemas.openid.net/secevent/risc/event-type/account-disabled":{"reason":"hijacking"}}"#,
    r#""events":{}"#,
    r#""events":[]"#,
    r#""e\u0076ents":{}"#,
    r#""a":1,"b":{"typ":"Bearer"},"typ":"Off\u006cine","token_use":"access""#,
];

#[test]
fn tokens_of_another_purpose_are_refused_by_their_claims() {
    let (signer, layer) = plain();
    for header in HEADERS {
        all_get(Err(Kind::WrongPurpose), ID.iter().chain(&OTHERS), |members| {
            verdict(&layer, signer.token(header, claims(members)))
        });
    }
}

/// An allow-list of types in the header, whatever is on it, lets none of them through.
#[test]
fn other_token_types_change_nothing_about_the_claims() {
    let signer = Signer::secret(SECRET);
    let builder = JwtVerifier::builder(signer.verification_key()).with_token_types(["JWT", "logout+jwt", "Refresh"]);
    let layer = layer(builder.without_audience().build().expect("a verifier"), At::seconds(NOW));
    all_get(Err(Kind::WrongPurpose), ID.iter().chain(&OTHERS), |members| {
        verdict(&layer, signer.token(r#"{"alg":"HS256","typ":"logout+jwt"}"#, claims(members)))
    });
}

#[test]
fn the_reason_tells_what_kind_of_token_it_is() {
    let (signer, layer) = plain();
    for (header, members, reason) in [
        (HEADER, r#""typ":"ID""#, "an id token"),
        (HEADER, r#""at_hash":"x""#, "an id token"),
        (HEADER, r#""typ":"Logout""#, "a logout token"),
        (HEADER, r#""events":{}"#, "a security event or logout token"),
        (HEADER, r#""typ":"Offline""#, "a refresh token"),
        (HEADER, r#""typ":"Serialized-ID""#, "a token that only its issuer takes"),
        (r#"{"alg":"HS256","typ":"dpop+jwt"}"#, r#""a":1"#, "the header names another type of token"),
    ] {
        let answer = send_bearer(&layer, signer.token(header, claims(members)).as_bytes()).expect("an answer");
        assert_eq!(answer.error().map(|error| (error.kind(), error.reason())), Some((Kind::WrongPurpose, reason)));
    }
}

#[test]
fn access_tokens_of_real_providers_are_taken() {
    let (signer, layer) = plain();
    let rows = [
        // Keycloak, before 24 with the nonce of the id token; bound to a key; UMA.
        r#""iat":1800000000,"auth_time":1799999990,"jti":"a","iss":"i","aud":"account","typ":"Bearer","azp":"web","nonce":"n","session_state":"s","acr":"1","realm_access":{"roles":["offline_access","uma_authorization"]},"scope":"openid offline_access","sid":"s"#
            .to_owned() + "\"",
        r#""typ":"DPoP","cnf":{"jkt":"x"},"azp":"web""#.to_owned(),
        r#""typ":"Bearer","authorization":{"permissions":[]}"#.to_owned(),
        // Auth0, Okta, Entra ID (Graph with a nonce), Cognito, Zitadel, authentik, Ory, Supabase, Clerk, Firebase.
        r#""iss":"https://t.auth0.com/","aud":["api","https://t.auth0.com/userinfo"],"azp":"c","scope":"openid","gty":"password","permissions":[]"#.to_owned(),
        r#""ver":1,"jti":"AT.x","iss":"https://t.okta.com/oauth2/default","cid":"c","uid":"u","scp":["openid","offline_access"],"auth_time":1"#.to_owned(),
        r#""aio":"x","appid":"c","appidacr":"1","idp":"i","rh":"x","scp":"User.Read","uti":"x","ver":"1.0","nonce":"n","tid":"t","oid":"o""#.to_owned(),
        r#""azp":"c","azpacr":"0","scp":"access_as_user","ver":"2.0","nonce":"n","sid":"s""#.to_owned(),
        r#""token_use":"access","scope":"aws.cognito.signin.user.admin","client_id":"c","event_id":"e","origin_jti":"o","cognito:groups":["a"],"version":2,"username":"u""#.to_owned(),
        r#""iss":"https://i.zitadel.cloud","client_id":"c","nbf":1800000000,"jti":"j","urn:zitadel:iam:org:id":"1""#.to_owned(),
        r#""iss":"https://a/application/o/x/","acr":"goauthentik.io/providers/oauth2/default","amr":["pwd"],"nonce":"n","sid":"s","azp":"c","uid":"u""#.to_owned(),
        r#""client_id":"c","ext":{},"scp":["offline"],"jti":"j""#.to_owned(),
        r#""aal":"aal1","amr":[{"method":"password","timestamp":1}],"session_id":"s","role":"authenticated","is_anonymous":false"#.to_owned(),
        r#""azp":"https://app.example","fva":[0,-1],"nbf":1800000005,"sid":"sess_x","sts":"active","v":2"#.to_owned(),
        r#""auth_time":1,"user_id":"u","firebase":{"identities":{},"sign_in_provider":"password"}"#.to_owned(),
        // Hand-made issuers.
        r#""type":"access","fresh":false,"jti":"j","csrf":"x""#.to_owned(),
        r#""token_type":"access","jti":"j","user_id":1"#.to_owned(),
        r#""typ":"access","scope":"refresh""#.to_owned(),
        r#""purpose":"access_token","token_usage":"access_token","delegationId":"d""#.to_owned(),
        r#""typ":"JWT","type":"id""#.to_owned(),
        r#""typ":"at+jwt","token_type":"Bearer""#.to_owned(),
        r#""tokenType":"access-token","tag":"""#.to_owned(),
        r#""drn":"DS","type":"offline""#.to_owned(),
        // Marks that say nothing.
        r#""at_hash":null,"c_hash":null,"events":null,"ati":null,"typ":null,"token_use":null"#.to_owned(),
        r#""typ":1,"token_use":["id"],"token_type":{"id":1},"type":true"#.to_owned(),
        r#""event":{},"Events":{},"data":{"at_hash":"x","events":{},"typ":"ID"}"#.to_owned(),
        r#""typ":"identity","token_use":"idp","type":"refreshed","tokenType":"""#.to_owned(),
    ];
    all_get(Ok(()), rows, |members| verdict(&layer, signer.token(HEADERS[1], claims(members))));
}

/// A token with another mistake is told that one first, as everywhere.
#[test]
fn the_purpose_is_the_last_question() {
    let (signer, layer) = plain();
    let expired = r#"{"sub":"user-1","exp":1,"typ":"ID"}"#;
    assert_eq!(verdict(&layer, signer.token(HEADER, expired)), Ok(Err(Kind::Expired)));
    let other = Signer::secret(b"another secret that nobody knows");
    assert_eq!(verdict(&layer, other.token(HEADER, claims(ID[0]))), Ok(Err(Kind::BadSignature)));
}

/// Whoever takes id tokens on purpose gets those and no others, and only of the client that was named.
#[test]
fn id_tokens_where_they_are_sessions() {
    let signer = Signer::secret(SECRET);
    let builder = || JwtVerifier::builder(signer.verification_key()).with_issuer("https://id.test").with_id_tokens();
    assert!(builder().build().is_err(), "for every client of the provider");
    let verifier = builder().with_audience("web").build().expect("a verifier");
    let layer = layer(verifier, At::seconds(NOW));
    let of = |audience: &str, members: &str| {
        signer.token(HEADERS[1], claims(&format!(r#""iss":"https://id.test","aud":"{audience}",{members}"#)))
    };
    all_get(Ok(()), ID, |members| verdict(&layer, of("web", members)));
    all_get(Ok(()), [r#""typ":"Bearer""#, r#""token_use":"access""#], |members| verdict(&layer, of("web", members)));
    all_get(Err(Kind::WrongAudience), ID, |members| verdict(&layer, of("another", members)));
    all_get(Err(Kind::WrongPurpose), OTHERS, |members| verdict(&layer, of("web", members)));
    assert!(builder().without_audience().build().is_ok());
}

/// Google, Firebase and Dex.
#[test]
fn id_tokens_of_real_providers() {
    let signer = Signer::secret(SECRET);
    let verifier = JwtVerifier::builder(signer.verification_key()).with_audience("c").with_id_tokens().build();
    let layer = layer(verifier.expect("a verifier"), At::seconds(NOW));
    let rows = [
        r#""aud":"c","azp":"c","iss":"https://accounts.google.com","at_hash":"x","nonce":"n","hd":"example.com","email":"a@example.com","email_verified":true"#,
        r#""aud":"c","iss":"https://securetoken.google.com/c","auth_time":1,"user_id":"u","firebase":{"identities":{},"sign_in_provider":"google.com"}"#,
        r#""aud":["c"],"iss":"https://dex","nonce":"n","at_hash":"x","federated_claims":{"connector_id":"ldap","user_id":"u"}"#,
        r#""aud":"c","iss":"https://cognito-idp.eu-west-1.amazonaws.com/p","token_use":"id","at_hash":"x","cognito:username":"u""#,
    ];
    all_get(Ok(()), rows, |members| verdict(&layer, signer.token(HEADERS[1], claims(members))));
}
