//! What holds in each framework with a middleware or with guards of its own, shown by an application without a socket.

use http::{HeaderValue, Method};
use tower_user_metadata::Authenticator;

use crate::shared::{
    Answer, Headers, admin, authenticator, authenticator_on, bad_bodies, bearer, endpoints_answer, forbidden_answer,
    json, layer_answer, preflight, signed_in, small_store, strangers,
};

/// An application with these routes, all of them for `POST`, and the first and the third also for `OPTIONS`:
///
/// | Path | Takes | Answers |
/// |---|---|---|
/// | `/user` | the session and the handle | the id of the user |
/// | `/admin` | the same, of an administrator | the same |
/// | `/greet` | either, if there is a session | the same, or `stranger` |
/// | `/update` | the handle and an update | the document |
/// | `/endpoints` | any method | as the ready-made endpoints |
///
/// Where a middleware may be forgotten or have optional sessions, also `/user` and `/update` in `/optional`, `/greet` inside of
/// both kinds of middleware in `/nested`, and all but `/admin` in `/bare`, where there is none.
pub(crate) trait Application {
    async fn new(sessions: &Authenticator) -> Self;

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer;

    /// Whether the framework shows this to anybody.
    fn shows(_: &HeaderValue) -> bool {
        true
    }

    async fn post(&self, path: &str, headers: Headers) -> Answer {
        self.send(Method::POST, path, headers, b"").await
    }
}

pub(crate) async fn strangers_get_the_answers_of_the_tower_layer<A: Application>() {
    let app = A::new(&authenticator()).await;
    for (name, headers) in strangers() {
        let shown = headers.iter().filter(|(_, value)| A::shows(value)).cloned().collect();
        let expected = layer_answer(shown).await;
        for path in ["/user", "/update", "/endpoints"] {
            assert_eq!(app.post(path, headers.clone()).await, expected, "{path}: {name}");
        }
    }
}

pub(crate) async fn a_session_reaches_the_handler_and_a_role_is_demanded_where_it_is<A: Application>() {
    let app = A::new(&authenticator()).await;
    for (path, bearer) in [("/user", bearer()), ("/user", admin()), ("/admin", admin())] {
        assert_eq!(app.post(path, signed_in(&bearer)).await.body, "alice", "{path}");
    }
    assert_eq!(app.post("/admin", signed_in(&bearer())).await, forbidden_answer().await);
    assert_eq!(app.post("/admin", vec![]).await, layer_answer(vec![]).await);
}

pub(crate) async fn an_optional_session_is_none_only_without_credentials<A: Application>() {
    let app = A::new(&authenticator()).await;
    assert_eq!(app.post("/greet", vec![]).await.body, "stranger");
    assert_eq!(app.post("/greet", signed_in("Bearer x")).await.status, 401);
    assert_eq!(app.post("/greet", signed_in(&bearer())).await.body, "alice");
}

pub(crate) async fn bad_bodies_get_the_answers_of_the_endpoints_and_change_nothing<A: Application>() {
    let store = small_store();
    let app = A::new(&authenticator_on(store.clone())).await;
    let put = async |path: &str, method: Method, headers: Headers, body: &[u8]| {
        app.send(method, path, [headers, signed_in(&bearer())].concat(), body).await
    };
    assert_eq!(put("/update", Method::POST, json(), br#"{"k":1}"#).await.body, r#"{"k":1}"#);
    for (name, headers, body) in bad_bodies() {
        let expected = endpoints_answer(store.clone(), headers.clone(), body.clone()).await;
        assert!(expected.status >= 400, "{name}");
        assert_eq!(put("/update", Method::POST, headers.clone(), &body).await, expected, "{name}");
        assert_eq!(put("/endpoints", Method::PATCH, headers, &body).await.uncached(), expected, "{name}");
    }
    assert_eq!(put("/endpoints", Method::GET, vec![], b"").await.body, r#"{"k":1}"#);
    assert_eq!(put("/endpoints", Method::POST, vec![], b"").await.status, 405);
}

pub(crate) async fn a_preflight_passes_without_a_session<A: Application>() {
    let options = async |app: &A, path: &str, headers: Headers| app.send(Method::OPTIONS, path, headers, b"").await;
    let with = |headers: Headers| [preflight(), headers].concat();
    let app = A::new(&authenticator()).await;
    // Credentials that do not belong there are not looked at, good or bad.
    for credentials in [vec![], signed_in(&bearer()), signed_in("Bearer x"), [signed_in("x"), signed_in("y")].concat()]
    {
        let greeted = options(&app, "/greet", with(credentials.clone())).await;
        assert_eq!((greeted.status, &*greeted.body), (200, "stranger"), "{credentials:?}");
        let refused = options(&app, "/user", with(credentials.clone())).await;
        assert_eq!(refused, layer_answer(vec![]).await, "{credentials:?}");
        let ready_made = options(&app, "/endpoints", with(credentials.clone())).await;
        assert_eq!((ready_made.status, &*ready_made.body), (204, ""), "{credentials:?}");
        assert_eq!(ready_made.headers[http::header::ALLOW], "GET, HEAD, PATCH, DELETE");
    }
    for headers in [vec![], preflight()[..1].to_vec(), preflight()[1..].to_vec()] {
        assert_eq!(options(&app, "/endpoints", headers).await.status, 401);
    }
    assert_eq!(app.send(Method::PATCH, "/endpoints", preflight(), b"{}").await.status, 401);

    let app = A::new(&authenticator().with_preflights_refused()).await;
    for path in ["/user", "/endpoints"] {
        assert_eq!(options(&app, path, preflight()).await.status, 401, "{path}");
    }
    assert_eq!(options(&app, "/greet", preflight()).await.body, "stranger");
    assert_eq!(options(&app, "/greet", with(signed_in(&bearer()))).await.body, "alice");
    assert_eq!(options(&app, "/greet", with(signed_in("Bearer x"))).await.status, 401);
}

pub(crate) async fn an_optional_middleware_refuses_strangers_only_where_a_session_is_needed<A: Application>() {
    let app = A::new(&authenticator()).await;
    assert_eq!(app.post("/nested/greet", signed_in(&bearer())).await.body, "alice");
    for path in ["/optional/user", "/optional/update"] {
        assert_eq!(app.post(path, vec![]).await, layer_answer(vec![]).await, "{path}");
    }
}

pub(crate) async fn a_forgotten_middleware_is_not_a_stranger<A: Application>(remedy: &str) {
    let app = A::new(&authenticator()).await;
    for path in ["/bare/user", "/bare/greet", "/bare/update", "/bare/endpoints"] {
        for headers in [vec![], signed_in(&bearer())] {
            let answer = app.post(path, headers).await;
            assert_eq!(answer.status, 500, "{path}");
            let message = format!("no session was verified for this route: {remedy}");
            assert_eq!(answer.body, format!(r#"{{"message":"{message}"}}"#), "{path}");
        }
    }
}

/// The tests of an adapter with guards.
macro_rules! guards {
    ($application:ty) => {
        crate::cases::cases! {
            $application;
            strangers_get_the_answers_of_the_tower_layer()
            a_session_reaches_the_handler_and_a_role_is_demanded_where_it_is()
            an_optional_session_is_none_only_without_credentials()
            bad_bodies_get_the_answers_of_the_endpoints_and_change_nothing()
            a_preflight_passes_without_a_session()
        }
    };
}

/// The tests of an adapter with a middleware, which says how to add it where it was forgotten.
macro_rules! middleware {
    ($application:ty, $remedy:expr) => {
        crate::cases::guards!($application);
        crate::cases::cases! {
            $application;
            an_optional_middleware_refuses_strangers_only_where_a_session_is_needed()
            a_forgotten_middleware_is_not_a_stranger($remedy)
        }
    };
}

macro_rules! cases {
    ($application:ty; $($case:ident($($argument:expr)?))*) => {$(
        #[tokio::test]
        async fn $case() {
            crate::cases::$case::<$application>($($argument)?).await;
        }
    )*};
}

pub(crate) use {cases, guards, middleware};
