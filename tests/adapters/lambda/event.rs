use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Response, header};
use http_body_util::Full;
use serde_json::{Map, Value, json};

/// What stands between a client and a function, and makes an event of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trigger {
    /// API Gateway, payload format 1.0.
    RestApi,
    /// API Gateway and function URLs, payload format 2.0.
    HttpApi,
    /// An application load balancer with its defaults.
    LoadBalancer,
    /// One with `lambda.multi_value_headers.enabled`.
    MultiValueLoadBalancer,
}

impl Trigger {
    pub(crate) const ALL: [Self; 4] = [Self::RestApi, Self::HttpApi, Self::LoadBalancer, Self::MultiValueLoadBalancer];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RestApi => "lambda behind a REST API",
            Self::HttpApi => "lambda behind an HTTP API",
            Self::LoadBalancer => "lambda behind a load balancer",
            Self::MultiValueLoadBalancer => "lambda behind a load balancer with all headers",
        }
    }

    /// An event as it was recorded; these are the examples of AWS's documentation, from the tests of `lambda_http`.
    pub(crate) fn recorded(self) -> Value {
        let event = match self {
            Self::RestApi => include_str!("apigw_v1.json"),
            Self::HttpApi => include_str!("apigw_v2.json"),
            Self::LoadBalancer => include_str!("alb.json"),
            Self::MultiValueLoadBalancer => include_str!("alb_multi_value.json"),
        };
        serde_json::from_str(event).expect("JSON")
    }

    /// The recorded event with this request in it.
    pub(crate) fn event(self, parts: &Parts, body: &[u8]) -> Value {
        let mut event = self.recorded();
        let (method, path, query) = (parts.method.as_str(), parts.uri.path(), parts.uri.query().unwrap_or_default());
        match self {
            Self::HttpApi => {
                event["requestContext"]["http"]["method"] = json!(method);
                event["requestContext"]["http"]["path"] = json!(path);
                event["rawPath"] = json!(path);
                event["rawQueryString"] = json!(query);
                event["queryStringParameters"] = Value::Object(last_of(&pairs(query)));
                event["cookies"] = json!(cookies(&parts.headers));
                let others = headers(&parts.headers).into_iter().filter(|(name, _)| name != "cookie").collect();
                event["headers"] = Value::Object(joined(&others));
            }
            _ => {
                event["httpMethod"] = json!(method);
                event["path"] = json!(path);
                event["headers"] = Value::Object(last_of(&headers(&parts.headers)));
                event["multiValueHeaders"] = Value::Object(all_of(&headers(&parts.headers)));
                event["queryStringParameters"] = Value::Object(last_of(&pairs(query)));
                event["multiValueQueryStringParameters"] = Value::Object(all_of(&pairs(query)));
            }
        }
        let members = event.as_object_mut().expect("an object");
        match self {
            Self::RestApi => members["requestContext"]["httpMethod"] = json!(method),
            Self::LoadBalancer => members.retain(|name, _| !name.starts_with("multiValue")),
            // Instead of the others, and not beside them.
            Self::MultiValueLoadBalancer => {
                members.retain(|name, _| !["headers", "queryStringParameters"].contains(&name.as_str()));
            }
            Self::HttpApi => {}
        }
        let (body, is_base64) = encoded(parts, body);
        event["body"] = body;
        event["isBase64Encoded"] = json!(is_base64);
        event
    }

    /// What the client gets for this answer of the function.
    pub(crate) fn response(self, answer: &Value) -> Response<Full<Bytes>> {
        assert_eq!(answer["isBase64Encoded"], false, "all bodies are text: {answer}");
        let body = answer["body"].as_str().unwrap_or_default().to_owned();
        let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
        let mut response = Response::builder().status(status);
        let single = |name: &str| answer[name].as_object().cloned().unwrap_or_default();
        let members: Vec<(String, Value)> = match self {
            Self::RestApi => single("headers").into_iter().chain(single("multiValueHeaders")).collect(),
            Self::HttpApi => {
                let cookies = answer["cookies"].as_array().cloned().unwrap_or_default();
                single("headers").into_iter().chain(cookies.into_iter().map(|it| ("set-cookie".into(), it))).collect()
            }
            Self::LoadBalancer => single("headers").into_iter().collect(),
            Self::MultiValueLoadBalancer => single("multiValueHeaders").into_iter().collect(),
        };
        for (name, value) in members {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value]);
            for value in values {
                response = response.header(&name, value.as_str().expect("a text"));
            }
        }
        response.body(Full::from(body)).expect("headers that a server may send")
    }
}

type Pairs = Vec<(String, String)>;

/// The headers of the request itself, and not of its connection.
fn headers(headers: &HeaderMap) -> Pairs {
    const HOP: [HeaderName; 3] = [header::CONNECTION, header::EXPECT, header::TRANSFER_ENCODING];
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let own = headers.iter().filter(|(name, _)| !HOP.contains(name));
    own.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

fn cookies(all: &HeaderMap) -> Vec<String> {
    let lines = headers(all).into_iter().filter(|(name, _)| name == "cookie");
    lines.flat_map(|(_, line)| line.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()).collect()
}

fn pairs(query: &str) -> Pairs {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let pair = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (name.to_owned(), value.to_owned())
    };
    parameters.map(pair).collect()
}

fn last_of(pairs: &Pairs) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
}

fn joined(pairs: &Pairs) -> Map<String, Value> {
    let join = |values: &Value| {
        values.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
    };
    all_of(pairs).into_iter().map(|(name, values)| (name, json!(join(&values)))).collect()
}

fn all_of(pairs: &Pairs) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in pairs {
        let values = all.entry(name.clone()).or_insert_with(|| json!([]));
        values.as_array_mut().expect("made here").push(json!(value));
    }
    all
}

/// Text stays text where its type says that it is; anything else is base64.
fn encoded(parts: &Parts, body: &[u8]) -> (Value, bool) {
    let kind = parts.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let is_text = kind.starts_with(b"text/") || kind.starts_with(b"application/json");
    match std::str::from_utf8(body) {
        Ok("") => (Value::Null, false),
        Ok(text) if is_text => (json!(text), false),
        _ => (json!(STANDARD.encode(body)), true),
    }
}
