//! What holds behind every proxy; each assertion is on what reached the service.

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::json;
use tower_user_metadata::conformance::adapter::{TokenKind, USER};

use crate::behind::{Behind, Proxy};
use crate::client::Client;
use crate::issuer::now;
use crate::{FORGED, bearer, body, cookie, header};

/// What a browser sends before a request of another origin.
const PREFLIGHT: [&str; 3] = [
    "Origin: https://app.example.com",
    "Access-Control-Request-Method: PATCH",
    "Access-Control-Request-Headers: content-type",
];

impl Behind {
    pub(crate) fn check(&self, proxy: Proxy) {
        let token = self.token();
        let (alice, session) = (bearer(&token), cookie(&token));
        self.the_service_hears_who_it_is(&alice);
        self.refusals_come_through();
        self.a_cookie_needs_its_proof(&session);
        self.a_client_does_not_choose_the_method(&session);
        self.preflights_come_through(&alice);
        self.nobody_else_passes_for_a_preflight();
        self.names_that_look_alike_are_no_way_in(&alice);
        self.what_connection_names_is_not_dropped(&alice);
        self.websockets(&alice);
        self.other_upgrades(&alice, proxy);
        self.two_tokens_are_none(&alice);
        self.bodies_reach_the_service_alone(&alice);
        self.large_headers(&token);
        self.paths_come_through(&alice);
        self.connections_are_shared_by_users();
        self.old_and_hesitant_clients(&alice);
        self.a_check_is_a_small_request(&alice, proxy);
    }

    /// Beyond `/app/`, for those whose configuration has it.
    pub(crate) fn check_all_routes(&self) {
        let token = self.token();
        self.strangers_are_nobody();
        self.no_path_goes_around_the_check();
        let updated = self.send("POST", "/app/updateinfo", &[&bearer(&token)], r#"{"theme":"dark","todos":null}"#);
        assert_eq!((updated.status(), body(&updated.answer)), (200, json!({ "theme": "dark" })));
        let kept = self.sidecar.send("GET", "/metadata", &[&bearer(&token)], "");
        assert_eq!(body(&kept), json!({ "theme": "dark" }));
    }

    fn the_service_hears_who_it_is(&self, alice: &str) {
        for (method, sent) in
            [("GET", ""), ("HEAD", ""), ("POST", "{}"), ("PUT", "{}"), ("PATCH", "{}"), ("DELETE", ""), ("OPTIONS", "")]
        {
            let seen = self.send(method, "/app/x", &[alice], sent);
            assert_eq!(seen.status(), 200, "{method}: {seen:?}");
            assert_eq!(header(&seen.answer, "x-user-id"), [""; 0], "clients are not told: {seen:?}");
            let request = seen.request();
            request.is_of(USER);
            assert_eq!(request.header("X-Session-Handle"), ["session-1"], "{request:?}");
            assert_eq!((request.text("method"), request.text("path"), request.text("body")), (method, "/app/x", sent));
            assert_eq!(request.header("Authorization"), [alice.split_once(": ").expect("a header").1]);
        }
        for (user, sent) in [
            ("a\u{fc} b,%", "a%C3%BC%20b,%25"),
            ("\u{437}\u{43e}\u{44f}", "%D0%B7%D0%BE%D1%8F"),
            ("a\u{1f511}", "a%F0%9F%94%91"),
        ] {
            let odd = self.issuer.token_with(json!({ "sub": user, "exp": now() + 600 }));
            self.send("GET", "/app/x", &[&bearer(&odd)], "").request().is_of(sent);
        }
    }

    fn refusals_come_through(&self) {
        let stranger = self.send("GET", "/app/x", &[], "");
        assert_eq!(header(&stranger.refused(401).answer, "www-authenticate"), ["Bearer"]);
        self.send("HEAD", "/app/x", &[], "").refused(401);
        let expired = bearer(&self.issuer.mint(TokenKind::Expired));
        self.send("POST", "/app/x", &[&expired], "{}").refused(401);
        self.send("GET", "/app/x", &["Authorization: Basic YTpi"], "").refused(401);
        self.send("OPTIONS", "/app/x", &[], "").refused(401);
        self.send("GET", "/app/x", &["Connection: Upgrade", "Upgrade: websocket"], "").refused(401);
        self.send("POST", "/app/x", &[], &"x".repeat(300_000)).refused(401);
    }

    /// The JSON of a refusal, where the proxy hands it on.
    pub(crate) fn refusals_have_their_body(&self) {
        let stranger = self.send("GET", "/app/x", &[], "");
        assert_eq!(body(&stranger.refused(401).answer), json!({ "message": "unauthorised" }));
        assert_eq!(header(&stranger.answer, "content-type"), ["application/json; charset=utf-8"]);
        assert_eq!(header(&stranger.answer, "cache-control"), ["no-store"], "{stranger:?}");
        let expired = bearer(&self.issuer.mint(TokenKind::Expired));
        let expired = self.send("POST", "/app/x", &[&expired], "{}");
        assert_eq!(body(&expired.refused(401).answer), json!({ "message": "try refresh token" }));
    }

    fn a_cookie_needs_its_proof(&self, session: &str) {
        for method in ["GET", "HEAD", "OPTIONS"] {
            self.send(method, "/app/x", &[session], "").request().is_of(USER);
        }
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            self.send(method, "/app/x", &[session], "").refused(401);
            self.send(method, "/app/x", &[session, "rid: anti-csrf"], "").request().is_of(USER);
        }
    }

    /// Nor the proof that it needs: neither by the header that this proxy sets, nor by that of another one.
    fn a_client_does_not_choose_the_method(&self, session: &str) {
        for method in ["POST", "DELETE"] {
            for told in [
                &["X-Forwarded-Method: GET"][..],
                &["X-Original-Method: GET"],
                &["X-Forwarded-Method: GET", "X-Original-Method: GET"],
                &["x-forwarded-method: HEAD", "X-Forwarded-Method: GET"],
                &["X-Original-Method: OPTIONS"],
                &["X-HTTP-Method-Override: GET"],
                &["Connection: X-Forwarded-Method, X-Original-Method"],
                &["Connection: X-Forwarded-Method", "X-Original-Method: GET"],
            ] {
                self.send(method, "/app/x", &[&[session], told].concat(), "").refused(401);
            }
        }
    }

    fn preflights_come_through(&self, alice: &str) {
        for credentials in [&[][..], &[alice], &["Authorization: Bearer expired"]] {
            let answered = self.send("OPTIONS", "/app/x?y=1", &[&PREFLIGHT[..], credentials].concat(), "");
            assert_eq!(header(&answered.answer, "access-control-allow-origin"), ["https://app.example.com"]);
            let request = answered.request();
            request.is_of_nobody();
            assert_eq!((request.text("method"), request.text("path")), ("OPTIONS", "/app/x?y=1"));
            assert_eq!(request.header("Origin"), ["https://app.example.com"]);
            assert_eq!(request.header("Access-Control-Request-Method"), ["PATCH"]);
        }
    }

    fn nobody_else_passes_for_a_preflight(&self) {
        for part in [&PREFLIGHT[..1], &PREFLIGHT[1..2], &PREFLIGHT[2..]] {
            self.send("OPTIONS", "/app/x", part, "").refused(401);
        }
        for method in ["GET", "POST", "PATCH"] {
            self.send(method, "/app/x", &PREFLIGHT, "").refused(401);
            for told in ["X-Forwarded-Method: OPTIONS", "X-Original-Method: OPTIONS", "X-HTTP-Method-Override: OPTIONS"]
            {
                self.send(method, "/app/x", &[&PREFLIGHT[..], &[told]].concat(), "").refused(401);
            }
            let both = ["X-Forwarded-Method: OPTIONS", "X-Original-Method: OPTIONS", "Connection: X-Forwarded-Method"];
            self.send(method, "/app/x", &[&PREFLIGHT[..], &both].concat(), "").refused(401);
        }
    }

    fn names_that_look_alike_are_no_way_in(&self, alice: &str) {
        for forged in ["X_User_Id: root", "x-user_id: root", "X.User.Id: root", "X-User-ID: root", "X_Tenant-Id: t"] {
            let seen = self.send("GET", "/app/x", &[alice, forged], "");
            match seen.status() {
                400 => assert!(seen.reached.is_empty(), "{forged}: {seen:?}"),
                _ => seen.request().is_of(USER),
            }
        }
    }

    /// What `Connection` names ends at the proxy (RFC 9110 section 7.6.1), but only what came with it.
    fn what_connection_names_is_not_dropped(&self, alice: &str) {
        for lines in [
            &["Connection: X-User-Id"][..],
            &["Connection: X-User-Id, X-Session-Handle, X-Tenant-Id"],
            &["Connection: keep-alive, x-user-id"],
            &["connection: X-USER-ID"],
            &["Connection: close, X-User-Id"],
            &["Connection: close", "Connection: X-User-Id", "Connection: x-session-handle"],
            &["Connection: ,,X-User-Id ,\tX-Session-Handle"],
            &["Connection: close", "Keep-Alive: timeout=5", "Proxy-Connection: X-User-Id"],
            &["Connection: \"X-User-Id\""],
        ] {
            let mut client = Client::connect(self.proxy.address);
            let answer = client.request("GET /app/x HTTP/1.1", &[&FORGED[..], &[alice], lines].concat(), "");
            let reached = self.reached();
            match answer.status {
                // A list may be refused that is none.
                400 => assert!(reached.is_empty(), "{lines:?}"),
                _ => {
                    assert_eq!((answer.status, reached.len()), (200, 1), "{lines:?}: {answer:?}");
                    reached[0].is_of(USER);
                    assert_eq!(reached[0].header("X-Session-Handle"), ["session-1"], "{lines:?}");
                }
            }
        }
    }

    fn websockets(&self, alice: &str) {
        let handshake =
            ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
        for connection in [
            &["Connection: Upgrade"][..],
            &["Connection: upgrade"],
            // Firefox.
            &["Connection: keep-alive, Upgrade"],
            &["Connection: Upgrade, X-User-Id"],
            &["Connection: X-User-Id, Upgrade, x-session-handle"],
            &["Connection: Upgrade", "Connection: X-User-Id"],
        ] {
            let mut client = Client::connect(self.proxy.address);
            let headers = [&FORGED[..], &[alice], &handshake, connection].concat();
            let answer = client.request("GET /app/socket HTTP/1.1", &headers, "");
            assert_eq!(answer.status, 101, "{connection:?}: {answer:?}");
            assert!(answer.head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer:?}");
            for text in ["one", "two"] {
                assert_eq!(client.frame(text), format!("echo {text}"), "{connection:?}");
            }
            let reached = self.reached();
            assert_eq!(reached.len(), 1, "{connection:?}: {reached:?}");
            reached[0].is_of(USER);
            assert_eq!(reached[0].header("X-Session-Handle"), ["session-1"], "{connection:?}");
        }
        // A stranger has none.
        let mut client = Client::connect(self.proxy.address);
        let answer =
            client.request("GET /app/socket HTTP/1.1", &[&handshake[..], &["Connection: Upgrade"]].concat(), "");
        assert_eq!((answer.status, self.reached().len()), (401, 0));
    }

    /// A service that changes to HTTP/2 would hear all that follows from the client alone, without checks.
    fn other_upgrades(&self, alice: &str, proxy: Proxy) {
        let settings = "HTTP2-Settings: AAMAAABkAAQAAP__";
        for upgrade in [
            &["Upgrade: h2c"][..],
            &["Upgrade: H2C"],
            &["Upgrade: websocket, h2c"],
            &["Upgrade: h2c,websocket"],
            &["Upgrade: h2c", "Upgrade: websocket"],
            &["Upgrade: websocket", "Upgrade: h2c"],
            &["Upgrade: websocket-h2c"],
            &["Upgrade: TLS/1.0"],
        ] {
            for path in ["/app/x", "/welcome/", "/public/"] {
                for connection in ["Connection: Upgrade", "Connection: Upgrade, HTTP2-Settings"] {
                    let headers = [&[alice, settings, connection], upgrade].concat();
                    let answer =
                        Client::connect(self.proxy.address).request(&format!("GET {path} HTTP/1.1"), &headers, "");
                    let told = format!("{path}: {upgrade:?}: {connection}: {}", answer.status);
                    for request in self.reached() {
                        let upgrades = request.header("Upgrade").join(",").to_ascii_lowercase();
                        let asked = request.header("Connection").join(",").to_ascii_lowercase().contains("upgrade");
                        let harmless = !asked || ["", "websocket"].contains(&upgrades.as_str());
                        assert!(harmless || proxy.hands_on_any_upgrade, "{told}: {request:?}");
                    }
                }
            }
        }
    }

    /// Neither the first nor the last of several is taken.
    fn two_tokens_are_none(&self, alice: &str) {
        let bob = bearer(&self.issuer.token("bob"));
        for lines in [[alice, &bob], [&bob, alice], [alice, alice]] {
            let seen = self.send("GET", "/app/x", &lines, "");
            assert!([400, 401].contains(&seen.status()) && seen.reached.is_empty(), "{seen:?}");
        }
        let forged = ["X-User-Id: a", "x-user-id: b", "X-USER-ID: c", "X-Session-Handle: d", "X-Tenant-Id: e"];
        self.send("GET", "/app/x", &[&forged[..], &[alice]].concat(), "").request().is_of(USER);
    }

    fn bodies_reach_the_service_alone(&self, alice: &str) {
        let long = "all of this body ".repeat(20_000);
        self.tap.sent();
        let seen = self.send("POST", "/app/x", &[alice], &long);
        assert!(seen.request().text("body") == long, "the body is another one");
        seen.request().is_of(USER);
        let chunked = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
        let mut client = Client::connect(self.proxy.address);
        client.write(&format!(
            "POST /app/x HTTP/1.1\r\nHost: localhost\r\n{alice}\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
        ));
        assert_eq!(client.answer(false).status, 200);
        let reached = self.reached();
        assert!(reached.len() == 1 && reached[0].text("body") == long, "the chunks are others");
        reached[0].is_of(USER);
        let checks = self.tap.sent();
        assert!(!checks.is_empty() && !checks.contains("all of this body"), "{}", checks.len());
    }

    fn large_headers(&self, token: &str) {
        let cookie = format!("Cookie: a={}; sAccessToken={token}", "x".repeat(6_000));
        let others = ["B", "C", "D"].map(|name| format!("X-Other-{name}: {}", "y".repeat(6_000)));
        let seen = self.send("GET", "/app/x", &[&cookie, &others[0], &others[1], &others[2]], "");
        assert_eq!(seen.status(), 200, "{seen:?}");
        seen.request().is_of(USER);
        assert_eq!(seen.request().header("Cookie").join(""), cookie.split_once(": ").expect("a header").1);
        assert_eq!(seen.request().header("X-Other-D").join("").len(), 6_000);
        let many: Vec<_> = (0..60).map(|number| format!("X-Number-{number}: {number}")).collect();
        let headers: Vec<_> = many.iter().map(String::as_str).chain([cookie.as_str()]).collect();
        self.send("GET", "/app/x", &headers, "").request().is_of(USER);
    }

    fn paths_come_through(&self, alice: &str) {
        for path in [
            "/app/a%20b/%C3%BC?x=%2F..&role=admin",
            "/app/x/",
            "/app/",
            "/app/a;v=1/b;c",
            "/app/a+b,c:d@e!$&'()*",
            "/app/x?",
            "/app/x?next=https://id.example/a?b",
            "/app/-/optional",
            "/app/%E2%82%AC",
            "/app/%2520",
        ] {
            let seen = self.send("GET", path, &[alice], "");
            assert_eq!(seen.status(), 200, "{path}: {seen:?}");
            seen.request().is_of(USER);
            let came = seen.request().text("path");
            // Caddy takes an empty query for none.
            assert!(came == path || came == path.trim_end_matches('?'), "{path}: {came}");
            self.send("GET", path, &[], "").refused(401);
        }
        // What a service may take for a part of `/app/`: with a session, whatever the proxy makes of it.
        for path in ["/app//x", "/app///", "/app/./x", "/app/y/../x", "/app/x%2Fy", "/app/x%00", "/app/%"] {
            if let Some(seen) = self.try_send("GET", path, &[alice], "")
                && seen.status() == 200
            {
                seen.request().is_of(USER);
            }
            if let Some(seen) = self.try_send("GET", path, &[], "") {
                assert!(seen.reached.is_empty(), "{path}: {seen:?}");
            }
        }
    }

    /// The second request of a connection is not the first one's.
    fn connections_are_shared_by_users(&self) {
        let [alice, bob] = ["alice", "bob"].map(|user| bearer(&self.issuer.token(user)));
        let mut client = Client::connect(self.proxy.address);
        for (headers, user) in [
            (&[alice.as_str()][..], "alice"),
            (&[&bob], "bob"),
            (&[&alice], "alice"),
            (&[&alice, "X-User-Id: bob"], "alice"),
        ] {
            assert_eq!(client.request("GET /app/x HTTP/1.1", headers, "").status, 200);
            let reached = self.reached();
            assert_eq!(reached.len(), 1);
            assert_eq!(reached[0].header("X-User-Id"), [user]);
        }
        assert_eq!(client.request("POST /app/x HTTP/1.1", &[&bob], "a body").status, 200);
        let reached = self.reached();
        assert_eq!((reached[0].text("body"), reached[0].header("X-User-Id")), ("a body", vec!["bob"]));
        assert_eq!(client.request("GET /app/x HTTP/1.1", &["Connection: close"], "").status, 401);
        assert!(self.reached().is_empty());
    }

    fn old_and_hesitant_clients(&self, alice: &str) {
        let mut client = Client::connect(self.proxy.address);
        client.write(&format!(
            "POST /app/x HTTP/1.1\r\nHost: localhost\r\n{alice}\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n"
        ));
        let mut answer = client.answer(false);
        if answer.status == 100 {
            client.write("a body");
        }
        // Caddy says it for itself and for the service.
        while answer.status == 100 {
            answer = client.answer(false);
        }
        let reached = self.reached();
        assert_eq!((answer.status, reached.len()), (200, 1), "{answer:?}");
        assert_eq!(reached[0].text("body"), "a body");
        reached[0].is_of(USER);

        // Envoy refuses HTTP/1.0 unless told otherwise.
        for (headers, good) in [(&[alice][..], 200), (&[], 401)] {
            let answer = Client::connect(self.proxy.address).request("GET /app/x HTTP/1.0", headers, "");
            let reached = self.reached();
            match answer.status {
                426 => assert!(reached.is_empty()),
                status => {
                    assert_eq!(status, good, "{answer:?}");
                    assert_eq!(reached.len(), usize::from(good == 200));
                    reached.iter().for_each(|request| request.is_of(USER));
                }
            }
        }
    }

    /// Whatever the client's request is, its check has no body, no upgrade, and tells its method.
    fn a_check_is_a_small_request(&self, alice: &str, proxy: Proxy) {
        self.tap.sent();
        self.send("PUT", "/app/x/y?z=1", &[alice, "Content-Type: text/plain"], "a body").request().is_of(USER);
        let check = self.tap.sent().to_ascii_lowercase();
        let line = if proxy.asks_with_the_request { "put /auth/-/app/x/y?z=1 http/1." } else { "get /auth" };
        assert!(check.starts_with(line), "{check}");
        let length = check.lines().find_map(|line| line.strip_prefix("content-length:")).map(str::trim);
        assert!(matches!(length, None | Some("0")), "{check}");
        assert!(!check.contains("transfer-encoding") && !check.contains("a body"), "{check}");
        assert!(check.contains(&alice.to_ascii_lowercase()), "{check}");
        let method = check
            .lines()
            .find(|line| line.starts_with("x-forwarded-method:") || line.starts_with("x-original-method:"));
        assert!(proxy.asks_with_the_request || method.is_some_and(|line| line.ends_with(": put")), "{check}");
    }

    fn strangers_are_nobody(&self) {
        for path in ["/welcome/", "/public/"] {
            let welcome = self.send("GET", path, &[], "");
            assert_eq!(welcome.status(), 200, "{path}");
            welcome.request().is_of_nobody();
            for alike in ["X_User_Id: root", "x-user_id: root", "X.User.Id: root"] {
                if let Some(seen) = self.send("GET", path, &[alike], "").reached.first() {
                    seen.is_of_nobody();
                }
            }
        }
        let forged = bearer(&self.issuer.mint(TokenKind::WrongKey));
        self.send("GET", "/welcome/", &[&forged], "").refused(401);
        self.send("GET", "/welcome/", &[&bearer(&self.token())], "").request().is_of(USER);
        self.send("OPTIONS", "/admin/", &PREFLIGHT, "").request().is_of_nobody();
    }

    fn no_path_goes_around_the_check(&self) {
        for path in [
            "//app/x",
            "/./app/x",
            "/%61pp/x",
            "/app%2Fx",
            "/welcome/../app/x",
            "/welcome/%2e%2e/app/x",
            "/welcome/.%2E/app/x",
            "/welcome/..%2fapp/x",
            "/welcome%2F../app/x",
            "/welcome//../app/x",
            "/welcome/..//app/x",
            "/welcome/x/../../app/x",
            "/welcome/..;/app/x",
            "/public/../app/x",
            "/public/%2e%2e%2fapp/x",
            "/app/../../app/x",
            "/app/x/-/optional",
            "/app/x?/auth/optional",
            "/app/x%3f/../../welcome/",
            "/app/..",
            "/app/x#/welcome/",
            "http://localhost/app/x",
            "/nowhere/../app/x",
        ] {
            let Some(seen) = self.try_send("GET", path, &[], "") else { continue };
            for request in &seen.reached {
                let taken_for = lenient(request.text("path"));
                assert!(!taken_for.starts_with("/app/"), "{path}: {seen:?}");
                request.is_of_nobody();
            }
            assert_eq!(seen.status() == StatusCode::OK, !seen.reached.is_empty(), "{path}: {seen:?}");
        }
    }
}

/// What a service makes of a path that decodes it, resolves its dots and takes several slashes for one.
fn lenient(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = percent_decode_str(path).decode_utf8_lossy();
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    format!("/{}/", segments.join("/"))
}
