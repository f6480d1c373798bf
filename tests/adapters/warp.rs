use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::Full;
use tower::ServiceExt;
use tower_user_metadata::adapter::warp::{
    authenticated, endpoints, metadata_update, optional_session, optional_user_metadata, recover, session,
    user_metadata,
};
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints};
use tower_user_metadata::{
    AuthError, AuthErrorKind, Authenticator, MetadataUpdate, Session, StoreError, StoreErrorKind, UserMetadataHandle,
};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::shared::{
    self, Answer, Headers, authenticator, authenticator_on, bad_bodies, bearer, endpoints_answer, layer_answer,
    preflight, signed_in, small_store, store_errors, strangers,
};

fn user_id(session: Session, metadata: UserMetadataHandle) -> String {
    assert_eq!(session.user_id(), metadata.user_id());
    session.user_id().as_str().to_owned()
}

/// A `POST`; the requests of `warp::test` have no header more than once.
async fn post<F>(routes: &F, headers: Headers, body: &[u8]) -> Response
where
    F: Filter<Extract: Reply + Send, Error: Into<Rejection>> + Clone,
{
    let request = shared::request(Method::POST, headers, Full::new(Bytes::copy_from_slice(body)));
    warp::service(routes.clone()).oneshot(request).await.expect("a rejection is no error")
}

#[tokio::test]
async fn strangers_get_the_answers_of_the_tower_layer() {
    let sessions = authenticator();
    let routes = authenticated(&sessions).map(user_id).recover(recover(&sessions));
    for (name, headers) in strangers() {
        let response = post(&routes, headers.clone(), b"").await;
        assert!(response.extensions().get::<AuthError>().is_some(), "{name}");
        assert_eq!(Answer::collect(response).await, layer_answer(headers).await, "{name}");
    }
}

#[tokio::test]
async fn a_session_reaches_the_handler() {
    let sessions = authenticator();
    let session = session(&sessions).map(|session: Session| session.user_id().as_str().to_owned());
    let metadata = user_metadata(&sessions).map(|metadata: UserMetadataHandle| metadata.user_id().as_str().to_owned());
    let routes = warp::path!("both").and(authenticated(&sessions)).map(user_id);
    let routes = routes.or(warp::path!("session").and(session)).unify();
    let routes = routes.or(warp::path!("metadata").and(metadata)).unify();
    for path in ["/both", "/session", "/metadata"] {
        let response = warp::test::request().path(path).header("authorization", bearer()).reply(&routes).await;
        assert_eq!((response.status(), &**response.body()), (StatusCode::OK, &b"alice"[..]), "{path}");
    }
}

#[tokio::test]
async fn a_401_stays_one_whatever_other_routes_reject_with() {
    let sessions = authenticator();
    let page = || warp::any().map(|| "page");
    let secured = || warp::path!("page").and(session(&sessions)).map(|_| "secured");
    let wrong_method = || warp::path!("page").and(warp::delete()).and(page());
    let wrong_path = || warp::path!("other").and(page());
    let bad_body = || warp::path!("page").and(metadata_update(&sessions)).map(|_| "updated");
    let failing = || warp::path!("page").and_then(async || Err::<String, _>(Rejection::from(failure())));
    let all = wrong_path().or(wrong_method()).or(secured()).or(bad_body()).or(failing()).or(wrong_method());
    let orders = [
        wrong_method().or(secured()).recover(recover(&sessions)).map(Reply::into_response).boxed(),
        secured().or(wrong_method()).recover(recover(&sessions)).map(Reply::into_response).boxed(),
        wrong_path().or(secured()).or(wrong_path()).recover(recover(&sessions)).map(Reply::into_response).boxed(),
        bad_body().or(failing()).or(secured()).recover(recover(&sessions)).map(Reply::into_response).boxed(),
        all.recover(recover(&sessions)).map(Reply::into_response).boxed(),
        // Routes that take anything stand outside of the recovery.
        secured().recover(recover(&sessions)).or(page()).map(Reply::into_response).boxed(),
    ];
    for (order, routes) in orders.iter().enumerate() {
        for method in ["GET", "POST", "PUT"] {
            let response = warp::test::request().method(method).path("/page").reply(routes).await;
            assert_eq!(Answer::new(response), layer_answer(vec![]).await, "{order} {method}");
        }
    }
}

fn failure() -> StoreError {
    StoreError::new(StoreErrorKind::Internal)
}

#[tokio::test]
async fn rejections_of_others_are_passed_on() {
    let sessions = authenticator();
    let routes =
        warp::path!("page").and(warp::get()).and(session(&sessions)).map(|_| "secured").recover(recover(&sessions));
    let status = async |method: &str, path: &str| {
        warp::test::request().method(method).path(path).reply(&routes).await.status().as_u16()
    };
    assert_eq!(status("GET", "/").await, 404);
    assert_eq!(status("POST", "/page").await, 405);
    assert_eq!(status("GET", "/page").await, 401);
}

#[tokio::test]
async fn what_is_not_recovered_is_refused_and_tells_nothing() {
    let sessions = authenticator();
    let routes = session(&sessions).map(|_| "secured");
    let refused = warp::test::request().header("authorization", "Bearer secret.secret.secret").reply(&routes).await;
    let failing = warp::any().and_then(async || Err::<String, Rejection>(failure().with_source("secret").into()));
    let failed = warp::test::request().reply(&failing).await;
    for response in [refused, failed] {
        assert_eq!(response.status(), 500);
        assert!(!String::from_utf8_lossy(response.body()).contains("secret"));
    }
}

#[tokio::test]
async fn an_optional_session_is_none_only_without_credentials() {
    // Whether the authenticator itself is optional must not matter: the filter says which is meant.
    for sessions in [authenticator(), authenticator().with_optional_sessions()] {
        let optional = warp::path!("optional")
            .and(optional_session(&sessions))
            .and(optional_user_metadata(&sessions))
            .map(|session: Option<Session>, metadata: Option<UserMetadataHandle>| {
                session
                    .zip(metadata)
                    .map_or_else(|| "stranger".to_owned(), |(session, metadata)| user_id(session, metadata))
            });
        let required = warp::path!("required").and(authenticated(&sessions)).map(user_id);
        let routes = optional.or(required).unify().recover(recover(&sessions));
        let get = |path: &str| warp::test::request().path(path);

        assert_eq!(get("/optional").reply(&routes).await.body(), "stranger");
        assert_eq!(get("/optional").header("authorization", "Bearer x").reply(&routes).await.status(), 401);
        assert_eq!(get("/optional").header("authorization", bearer()).reply(&routes).await.body(), "alice");
        assert_eq!(Answer::new(get("/required").reply(&routes).await), layer_answer(vec![]).await);
    }
}

/// A filter that has a session to extract leaves a preflight to other routes, and is no refusal that would win over them.
#[tokio::test]
async fn a_preflight_is_left_to_other_routes_and_the_endpoints_answer_it() {
    let options = warp::options().map(|| "of another route");
    let app = |sessions: &Authenticator| {
        let user = warp::path!("user").and(authenticated(sessions)).map(user_id);
        let greet = warp::path!("greet").and(optional_session(sessions)).map(|session: Option<Session>| {
            session.map_or_else(|| "stranger".to_owned(), |session| session.user_id().as_str().to_owned())
        });
        let ready_made = warp::path!("endpoints").and(endpoints(sessions, UserMetadataEndpoints::new()));
        user.or(greet).or(ready_made).recover(recover(sessions)).or(options).map(Reply::into_response).boxed()
    };
    let send = async |sessions: &Authenticator, path: &str, headers: Headers| {
        let request = shared::request(Method::OPTIONS, headers, Full::new(Bytes::new()));
        let mut request = request;
        *request.uri_mut() = path.parse().expect("a path");
        Answer::collect(warp::service(app(sessions)).oneshot(request).await.expect("a rejection is no error")).await
    };
    let sessions = authenticator();
    for credentials in [vec![], signed_in(&bearer()), signed_in("Bearer x")] {
        let headers = [preflight(), credentials].concat();
        assert_eq!(send(&sessions, "/user", headers.clone()).await.body, "of another route");
        assert_eq!(send(&sessions, "/greet", headers.clone()).await.body, "stranger");
        let ready_made = send(&sessions, "/endpoints", headers).await;
        assert_eq!(
            (ready_made.status, &ready_made.headers["allow"]),
            (204, &HeaderValue::from_static("GET, HEAD, PATCH, DELETE"))
        );
    }
    for path in ["/user", "/endpoints"] {
        assert_eq!(send(&sessions, path, vec![]).await, layer_answer(vec![]).await, "{path}");
        let refusing = authenticator().with_preflights_refused();
        assert_eq!(send(&refusing, path, preflight()).await, layer_answer(vec![]).await, "{path}");
    }
}

/// warp's own filter for CORS stands around the routes, and answers before a session is asked for.
#[tokio::test]
async fn the_cors_filter_of_warp_answers_preflights() {
    let cors = warp::cors()
        .allow_origin("https://app.example.com")
        .allow_methods(["PATCH"])
        .allow_headers(["authorization", "content-type", "if-match"])
        .expose_headers(["etag"])
        .allow_credentials(true);
    let routes =
        endpoints(&authenticator(), UserMetadataEndpoints::new()).recover(recover(&authenticator())).with(cors);
    let send = async |headers: Headers| {
        let request = shared::request(Method::OPTIONS, headers, Full::new(Bytes::new()));
        Answer::collect(warp::service(routes.clone()).oneshot(request).await.expect("a rejection is no error")).await
    };
    let allowed = send(preflight()).await;
    assert_eq!((allowed.status, &*allowed.body), (200, ""));
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://app.example.com");
    assert_eq!(allowed.headers["access-control-allow-credentials"], "true");
    // What a page of another origin may read, it may also read of a refusal: so it sees that there is no session.
    let request = shared::request(Method::GET, preflight()[..1].to_vec(), Full::new(Bytes::new()));
    let refused = warp::service(routes.clone()).oneshot(request).await.expect("a rejection is no error");
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["access-control-allow-origin"], "https://app.example.com");
}

#[tokio::test]
async fn bad_bodies_get_the_answers_of_the_endpoints_and_change_nothing() {
    let store = small_store();
    let sessions = authenticator_on(store.clone());
    let update = async |metadata: UserMetadataHandle, update: MetadataUpdate| {
        Ok::<_, Rejection>(metadata.update(update).await?.metadata.to_json())
    };
    let routes = user_metadata(&sessions).and(metadata_update(&sessions)).and_then(update).recover(recover(&sessions));
    let put = async |mut headers: Headers, body: &[u8]| {
        headers.push((AUTHORIZATION, HeaderValue::try_from(bearer()).expect("a value")));
        Answer::collect(post(&routes, headers, body).await).await
    };
    let json = || vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    assert_eq!(put(json(), br#"{"k":1}"#).await.body, r#"{"k":1}"#);
    for (name, headers, body) in bad_bodies() {
        let expected = endpoints_answer(store.clone(), headers.clone(), body.clone()).await;
        assert!(expected.status >= 400, "{name}");
        assert_eq!(put(headers, &body).await, expected, "{name}");
    }
    assert_eq!(put(json(), b"{}").await.body, r#"{"k":1}"#);
}

#[tokio::test]
async fn errors_are_rendered_as_everywhere() {
    let rendered = async |rejection: Rejection| {
        Answer::collect(recover(&authenticator())(rejection).await.expect("one of ours")).await
    };
    for error in store_errors() {
        let expected = Answer::new(Problem::from(&error).into_response());
        assert_eq!(rendered(error.into()).await, expected);
    }
    let invalid = MetadataUpdate::from_json(b"[]").expect_err("not an object");
    assert_eq!(rendered(invalid.clone().into()).await, Answer::new(Problem::from(invalid).into_response()));
    let refused = AuthError::new(AuthErrorKind::MissingCredentials);
    assert_eq!(rendered(refused.into()).await, layer_answer(vec![]).await);
}
