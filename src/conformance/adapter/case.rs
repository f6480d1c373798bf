use std::borrow::Cow;

use super::Answer;

/// The document before each request. Its fields are in the order that every store keeps: by length and by alphabet.
pub(super) const SEED: &str = r#"{"a":1,"bb":{"x":null},"ccc":"é"}"#;

/// The headers that are compared: those that are not listed with an answer must not be there.
const COMPARED: [&str; 11] = [
    "accept-encoding",
    "accept-patch",
    "allow",
    "cache-control",
    "content-type",
    "etag",
    "location",
    "retry-after",
    "set-cookie",
    "vary",
    "www-authenticate",
];

/// A request and what must come of it.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) request: Request,
    pub(super) expected: Expected,
    /// The document afterwards.
    pub(super) after: Cow<'static, str>,
}

impl Case {
    /// A request that leaves the document alone.
    pub(super) fn new(name: impl Into<String>, request: Request, expected: Expected) -> Self {
        Self { name: name.into(), request, expected, after: Cow::Borrowed(SEED) }
    }

    pub(super) fn after(self, document: impl Into<Cow<'static, str>>) -> Self {
        Self { after: document.into(), ..self }
    }
}

#[derive(Clone)]
pub(super) struct Expected {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Cow<'static, str>,
}

impl Expected {
    fn new(status: u16, content_type: &'static str, body: impl Into<Cow<'static, str>>) -> Self {
        Self { status, headers: vec![("content-type", content_type)], body: body.into() }
    }

    /// An answer of the application.
    pub(super) fn application(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// An answer of the adapter.
    pub(super) fn problem(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, "application/json; charset=utf-8", body)
    }

    /// A 401 of the layer.
    pub(super) fn refusal(challenge: &'static str, body: &'static str) -> Self {
        Self::problem(401, body)
            .header("cache-control", "no-store")
            .header("vary", "Authorization, Cookie")
            .header("www-authenticate", challenge)
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn compare(&self, answer: &Answer) -> Result<(), String> {
        if answer.status() != self.status || answer.body() != self.body.as_bytes() {
            let (status, body) = (answer.status(), answer.body_text());
            return Err(format!("{status} {body}, and should be {} {}", self.status, self.body));
        }
        for name in COMPARED {
            let given: Vec<_> = answer.header(name).collect();
            let expected: Vec<_> =
                self.headers.iter().filter(|(expected, _)| *expected == name).map(|(_, value)| *value).collect();
            if given != expected {
                return Err(format!("`{name}` is {given:?}, and should be {expected:?}"));
            }
        }
        Ok(())
    }
}

/// A request in the making; written to the wire as it is, whatever is in it.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    target: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Sized(Vec<u8>),
    Chunked(Vec<u8>),
}

impl Request {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method
    }

    /// The path, and the query if there is one.
    #[must_use]
    pub fn target(&self) -> &str {
        self.target
    }

    /// The headers, besides those that tell the length of the body.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (*name, value.as_slice()))
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::None => b"",
            Body::Sized(body) | Body::Chunked(body) => body,
        }
    }

    pub(super) fn new(method: &'static str, target: &'static str) -> Self {
        Self { method, target, headers: Vec::new(), body: Body::None }
    }

    pub(super) fn get(target: &'static str) -> Self {
        Self::new("GET", target)
    }

    /// Without a body there is a `Content-Length` of 0, as clients send it.
    pub(super) fn post(target: &'static str) -> Self {
        Self::new("POST", target).with_body("")
    }

    pub(super) fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name, value.as_ref().to_owned()));
        self
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    pub(super) fn cookie(self, token: &str) -> Self {
        self.header("Cookie", format!("sAccessToken={token}"))
    }

    pub(super) fn with_body(self, body: impl AsRef<[u8]>) -> Self {
        Self { body: Body::Sized(body.as_ref().to_owned()), ..self }
    }

    pub(super) fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.header("Content-Type", "application/json").with_body(body)
    }

    /// A body of a length that is not announced (RFC 9112 section 7.1).
    pub(super) fn chunked_json(self, body: impl AsRef<[u8]>) -> Self {
        let request = self.header("Content-Type", "application/json");
        Self { body: Body::Chunked(body.as_ref().to_owned()), ..request }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Self { method, target, headers, body } = self;
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").into_bytes();
        for (name, value) in headers {
            text.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        match body {
            Body::None => text.extend(b"\r\n"),
            Body::Sized(body) => {
                text.extend(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
                text.extend(body);
            }
            Body::Chunked(body) => {
                text.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in body.chunks(16 * 1024) {
                    text.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                    text.extend([chunk, b"\r\n"].concat());
                }
                text.extend(b"0\r\n\r\n");
            }
        }
        text
    }
}
