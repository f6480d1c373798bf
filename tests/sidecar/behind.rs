//! A proxy with the sidecar that it asks and the service behind it, and what reached the service.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tower_user_metadata::conformance::adapter::{Answer, USER};

use crate::client::Client;
use crate::issuer::{Issuer, now};
use crate::processes::{LONGEST, Process};
use crate::tap::Tap;
use crate::{FORGED, IDENTITY, bearer};

/// A program before the service, and its configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proxy {
    /// The program; of Traefik the variable `TRAEFIK` names it, since no distribution has it.
    pub(crate) program: &'static str,
    pub(crate) arguments: &'static [&'static str],
    pub(crate) configuration: &'static str,
    /// The check asks with the method of the client's request, under a path that ends with it.
    pub(crate) asks_with_the_request: bool,
    /// Its configuration is made by a program that hands on every `Upgrade`.
    pub(crate) hands_on_any_upgrade: bool,
    /// The status where the sidecar answers 503, and where there is none.
    pub(crate) outage: [u16; 2],
}

impl Proxy {
    pub(crate) const NGINX: Self = Self {
        program: "nginx",
        arguments: &["-c"],
        configuration: include_str!("nginx.conf"),
        asks_with_the_request: false,
        hands_on_any_upgrade: false,
        outage: [500, 500],
    };
    pub(crate) const INGRESS_NGINX: Self =
        Self { configuration: include_str!("ingress-nginx.conf"), hands_on_any_upgrade: true, ..Self::NGINX };
    pub(crate) const CADDY: Self = Self {
        program: "caddy",
        arguments: &["run", "--adapter", "caddyfile", "--config"],
        configuration: include_str!("Caddyfile"),
        asks_with_the_request: false,
        hands_on_any_upgrade: false,
        outage: [503, 502],
    };
    pub(crate) const ENVOY: Self = Self {
        program: "envoy",
        arguments: &["--disable-hot-restart", "--concurrency", "1", "--config-path"],
        configuration: include_str!("envoy.yaml"),
        asks_with_the_request: true,
        hands_on_any_upgrade: false,
        outage: [503, 503],
    };
    pub(crate) const TRAEFIK: Self = Self {
        program: "traefik",
        arguments: &[
            "--entryPoints.web.address=127.0.0.1:{PORT}",
            "--entryPoints.web.http.aliasHeadersStrategy=delete",
            "--entryPoints.web.http.encodedCharacters.allowEncodedSlash=false",
            "--providers.file.filename",
        ],
        configuration: include_str!("traefik.yaml"),
        asks_with_the_request: false,
        hands_on_any_upgrade: false,
        outage: [503, 500],
    };
}

/// `/app/` and `/admin/` demand a session and a role, `/welcome/` takes strangers, and `/public/` is not checked at all.
pub(crate) struct Behind {
    pub(crate) issuer: Issuer,
    pub(crate) sidecar: Process,
    /// Between the proxy and the sidecar.
    pub(crate) tap: Tap,
    pub(crate) proxy: Process,
    service: Process,
}

/// An answer, and the requests that reached the service for it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) reached: Vec<Reached>,
}

/// A request as the service saw it.
#[derive(Clone, Debug)]
pub(crate) struct Reached(Value);

impl Behind {
    /// `None`, and a line that says so, where the program is not installed.
    pub(crate) fn start(proxy: Proxy) -> Option<Self> {
        Self::start_with(proxy, &[("DATABASE_URL", "memory:"), ("LOG", "error")])
    }

    pub(crate) fn start_with(proxy: Proxy, settings: &[(&str, &str)]) -> Option<Self> {
        let program = match proxy.program {
            "traefik" => std::env::var("TRAEFIK").ok()?,
            program => program.to_owned(),
        };
        let issuer = Issuer::start();
        let sidecar = Process::sidecar(&issuer, settings);
        let service = Process::service(&sidecar)?;
        let tap = Tap::before(sidecar.address);
        let mut configuration = proxy.configuration.to_owned();
        for (name, address) in [("SIDECAR", tap.address), ("SERVICE", service.address)] {
            configuration = configuration.replace(&format!("{{{name}}}"), &address.to_string());
            configuration = configuration.replace(&format!("{{{name}_PORT}}"), &address.port().to_string());
        }
        let proxy = Process::proxy(&program, proxy.arguments, &configuration)?;
        // Traefik listens before it knows its routes.
        let begun = Instant::now();
        while proxy.send("GET", "/public/", &[], "").status() != 200 {
            assert!(begun.elapsed() < LONGEST, "{program} does not find the service");
            sleep(Duration::from_millis(20));
        }
        let behind = Self { issuer, sidecar, tap, proxy, service };
        behind.reached();
        Some(behind)
    }

    /// Sends a request that claims to be somebody else's.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Outcome {
        self.try_send(method, path, headers, body).expect("an answer")
    }

    /// What is no HTTP/1.1 to the proxy may have no answer.
    pub(crate) fn try_send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Option<Outcome> {
        let headers: Vec<_> = FORGED.iter().chain(headers).copied().collect();
        let answer = self.proxy.try_send(method, path, &headers, body);
        let reached = self.reached();
        match answer {
            Ok(answer) => Some(Outcome { answer, reached }),
            Err(error) => {
                assert!(reached.is_empty(), "{error}: {reached:?}");
                None
            }
        }
    }

    /// The requests that reached the service since this was asked last.
    pub(crate) fn reached(&self) -> Vec<Reached> {
        let told = Client::connect(self.service.address).request("GET /_reached HTTP/1.1", &["Connection: close"], "");
        serde_json::from_slice::<Vec<Value>>(&told.body).expect("a list").into_iter().map(Reached).collect()
    }

    /// A session with a handle.
    pub(crate) fn token(&self) -> String {
        self.issuer.token_with(json!({ "sub": USER, "sid": "session-1", "exp": now() + 600 }))
    }

    /// An administrator and a user who is none.
    pub(crate) fn two_users(&self) -> [String; 2] {
        let admin = json!({ "sub": USER, "exp": now() + 600, "st-role": { "v": ["admin"], "t": 1 } });
        [bearer(&self.issuer.token_with(admin)), bearer(&self.issuer.token(USER))]
    }
}

impl Outcome {
    pub(crate) fn status(&self) -> u16 {
        self.answer.status()
    }

    /// The one request that reached the service.
    pub(crate) fn request(&self) -> &Reached {
        match self.reached.as_slice() {
            [request] => request,
            other => panic!("{} requests reached the service: {self:?}", other.len()),
        }
    }

    /// Nothing reached the service, and the client hears this.
    pub(crate) fn refused(&self, status: u16) -> &Self {
        assert_eq!((self.status(), self.reached.len()), (status, 0), "{self:?}");
        self
    }
}

impl Reached {
    pub(crate) fn text(&self, what: &str) -> &str {
        self.0[what].as_str().expect("a text")
    }

    /// The values of a header, whatever the case of its name.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let headers = self.headers().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        headers.map(|(_, value)| value).collect()
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.0["headers"].as_array().expect("a list");
        headers.iter().filter_map(|header| Some((header[0].as_str()?, header[1].as_str()?)))
    }

    /// Whose request it is by its headers, and by no other name that a service may take for one of them.
    pub(crate) fn is_of(&self, user: &str) {
        self.nobody_else();
        assert_eq!(self.header("X-User-Id"), [user], "{self:?}");
        assert!(["", "session-1"].contains(&self.header("X-Session-Handle").join("").as_str()), "{self:?}");
        assert_eq!(self.header("X-Tenant-Id").join(""), "", "{self:?}");
    }

    /// It is nobody's, whether a proxy sends empty headers or none.
    pub(crate) fn is_of_nobody(&self) {
        self.nobody_else();
        for name in IDENTITY {
            assert_eq!(self.header(name).join(""), "", "{name}: {self:?}");
        }
    }

    /// CGI, WSGI and others make one name of `X-User-Id`, `X_User_Id` and `X.User.Id`.
    fn nobody_else(&self) {
        for (name, value) in self.headers() {
            let alike: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            let is = |of: &str| of.eq_ignore_ascii_case(&alike);
            assert!(
                !IDENTITY.iter().any(|of| is(of)) || IDENTITY.iter().any(|of| of.eq_ignore_ascii_case(name)),
                "{name}: {value}"
            );
        }
    }
}
