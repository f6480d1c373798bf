//! The application on AWS Lambda: a function that polls the runtime API over a socket, behind what makes its events.

mod event;
mod gateway;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

pub(crate) use event::Trigger;
pub(crate) use gateway::Gateway;

use crate::example::{Example, issued_by};
use crate::issuer::Issuer;

/// Behind these, all answers are the same as without them.
pub(crate) const EQUAL: [Trigger; 3] = [Trigger::RestApi, Trigger::HttpApi, Trigger::MultiValueLoadBalancer];

#[test]
fn recorded_events_are_answered() {
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    for trigger in Trigger::ALL {
        let directory = tempfile::tempdir().expect("a directory");
        let function = Example::function(trigger, directory.path(), &issued_by(&issuer));
        let mut event = trigger.recorded();
        let nowhere = function.invoke(&event);
        assert_eq!(answer(&nowhere), (404, r#"{"message":"not found"}"#), "{trigger:?}");

        set_route(&mut event, "POST", "/updateinfo");
        let stranger = function.invoke(&event);
        assert_eq!(answer(&stranger), (401, r#"{"message":"unauthorised"}"#), "{trigger:?}");

        set_header(&mut event, "authorization", &[&format!("Bearer {token}")]);
        set_header(&mut event, "content-type", &["application/json"]);
        let updated = r#"{"message":"successfully updated user metadata","metadata":{"a":"é"}}"#;
        for (body, is_base64) in [(r#"{"a":"é"}"#.to_owned(), false), (STANDARD.encode(r#"{"a":"é"}"#), true)] {
            event["body"] = json!(body);
            event["isBase64Encoded"] = json!(is_base64);
            assert_eq!(answer(&function.invoke(&event)), (200, updated), "{trigger:?}");
        }
        event["body"] = json!(STANDARD.encode(b"{\"a\":\"\xff\"}"));
        let broken = function.invoke(&event);
        assert_eq!(answer(&broken), (400, r#"{"message":"metadata is not valid UTF-8 at byte 6"}"#), "{trigger:?}");
    }
}

/// REST APIs keep the letter case of names, so that two of one name may stand beside each other.
#[test]
fn two_tokens_are_refused_however_an_event_shows_them() {
    let issuer = Issuer::start();
    let [alice, bob] = ["alice", "bob"].map(|user| format!("Bearer {}", issuer.token(user)));
    let one_name = json!({ "authorization": [alice, bob] });
    let two_names = json!({ "Authorization": [alice], "authorization": [bob] });
    for trigger in [Trigger::RestApi, Trigger::MultiValueLoadBalancer] {
        let directory = tempfile::tempdir().expect("a directory");
        let function = Example::function(trigger, directory.path(), &issued_by(&issuer));
        let mut event = trigger.recorded();
        set_route(&mut event, "GET", "/userinfo");
        for all in [&one_name, &two_names] {
            let last = all.as_object().expect("an object").iter().map(|(name, values)| {
                (name.clone(), values.as_array().expect("an array").last().expect("not empty").clone())
            });
            event["headers"] = Value::Object(last.collect());
            event["multiValueHeaders"] = all.clone();
            let refused = function.invoke(&event);
            assert_eq!(answer(&refused), (401, r#"{"message":"unauthorised"}"#), "{trigger:?}");
            let challenge = &refused["multiValueHeaders"]["www-authenticate"];
            assert_eq!(*challenge, json!([r#"Bearer error="invalid_request""#]), "{trigger:?}");

            // Once `lambda_http` shows both, `adapter::lambda` has nothing left to do.
            let seen = lambda_http::request::from_str(&event.to_string()).expect("an event");
            assert_eq!(seen.headers().get_all(AUTHORIZATION).iter().count(), 1, "{trigger:?}");
        }
    }
}

fn answer(answer: &Value) -> (u64, &str) {
    assert_eq!(answer["isBase64Encoded"], false);
    (answer["statusCode"].as_u64().expect("a number"), answer["body"].as_str().expect("a text"))
}

fn set_route(event: &mut Value, method: &str, path: &str) {
    if event["version"] == "2.0" {
        event["rawPath"] = json!(path);
        event["requestContext"]["http"]["method"] = json!(method);
    } else {
        event["path"] = json!(path);
        event["httpMethod"] = json!(method);
    }
}

fn set_header(event: &mut Value, name: &str, values: &[&str]) {
    for (member, value) in [("headers", json!(values.last())), ("multiValueHeaders", json!(values))] {
        if let Some(headers) = event[member].as_object_mut() {
            headers.retain(|other, _| !other.eq_ignore_ascii_case(name));
            headers.insert(name.to_owned(), value);
        }
    }
}
