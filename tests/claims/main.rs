//! The claim validators: their answers beside those of supertokens-node, and a refusal as the client gets it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tower::{Layer, ServiceExt};
use tower_user_metadata::session::claims::{
    BooleanClaim, ClaimInput, ClaimValidator, Expiry, MultiFactorAuth, Primitive, PrimitiveArrayClaim,
    PrimitiveArrayValidator, PrimitiveClaim, PrimitiveValidator, Tenant,
};
use tower_user_metadata::session::{Clock, Session, SessionVerifier, Verdict, VerifyInput};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{AuthError, UserId, UserMetadataLayer};

/// Observed by `tests/vectors/claims/observe.js`, with supertokens-node 24.0.3, at [`now`].
const ROWS: &str = include_str!("../vectors/claims/supertokens-node.jsonl");

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn session(claims: &str) -> Session {
    let alice = UserId::new("alice").expect("an id");
    let builder = Session::assertion(alice, now() + Duration::from_secs(60)).with_tenant_id("public");
    builder.with_claims(claims.as_bytes(), &[]).expect("well-formed claims").build()
}

#[derive(Deserialize)]
struct Row {
    op: String,
    // As text, since `serde_json` may read a number one bit away from where JavaScript does.
    arg: Box<RawValue>,
    #[serde(rename = "maxAge")]
    max_age: Option<f64>,
    id: Option<String>,
    payload: String,
    node: String,
    ours: Option<String>,
}

impl Row {
    fn validator(&self) -> Box<dyn ClaimValidator> {
        let list = PrimitiveArrayClaim::new("k");
        match self.op.as_str() {
            "hasValue" => self.primitive(PrimitiveClaim::new("k").has_value(primitive(&self.arg))),
            "isTrue" => self.primitive(BooleanClaim::new("k").is_true()),
            "isFalse" => self.primitive(BooleanClaim::new("k").is_false()),
            "includes" => self.list(list.includes(primitive(&self.arg))),
            "excludes" => self.list(list.excludes(primitive(&self.arg))),
            "includesAll" => self.list(list.includes_all(self.args())),
            "excludesAll" => self.list(list.excludes_all(self.args())),
            "includesAny" => self.list(list.includes_any(self.args())),
            "mfaCompleted" => match &self.id {
                Some(id) => Box::new(MultiFactorAuth::completed().with_id(id.as_str())),
                None => Box::new(MultiFactorAuth::completed()),
            },
            op => panic!("{op} is not known"),
        }
    }

    fn args(&self) -> Vec<Primitive> {
        let args: Vec<&RawValue> = serde_json::from_str(self.arg.get()).expect("an array");
        args.into_iter().map(primitive).collect()
    }

    fn primitive(&self, mut validator: PrimitiveValidator) -> Box<dyn ClaimValidator> {
        if let Some(max_age) = self.max_age {
            validator = validator.with_max_age(Duration::from_secs_f64(max_age));
        }
        if let Some(id) = &self.id {
            validator = validator.with_id(id.as_str());
        }
        Box::new(validator)
    }

    fn list(&self, mut validator: PrimitiveArrayValidator) -> Box<dyn ClaimValidator> {
        if let Some(max_age) = self.max_age {
            validator = validator.with_max_age(Duration::from_secs_f64(max_age));
        }
        if let Some(id) = &self.id {
            validator = validator.with_id(id.as_str());
        }
        Box::new(validator)
    }
}

fn primitive(arg: &RawValue) -> Primitive {
    match serde_json::from_str(arg.get()).expect("JSON") {
        Value::Null => Primitive::NULL,
        Value::Bool(value) => value.into(),
        Value::Number(_) => arg.get().parse::<f64>().expect("a number").into(),
        Value::String(value) => value.into(),
        other => panic!("{other} is not a primitive"),
    }
}

/// The `claimValidationErrors` of a response.
fn errors(validator: &dyn ClaimValidator, session: &Session) -> String {
    let Err(rejection) = validator.validate(&ClaimInput::new(session, now())) else { return "[]".to_owned() };
    let id = Value::from(validator.id());
    match rejection.reason() {
        Some(reason) => format!(r#"[{{"id":{id},"reason":{reason}}}]"#),
        None => format!(r#"[{{"id":{id}}}]"#),
    }
}

#[test]
fn answers_are_those_of_supertokens_node_byte_for_byte() {
    let mut counts = BTreeMap::<String, [usize; 3]>::new();
    for line in ROWS.lines() {
        let row: Row = serde_json::from_str(line).expect("a row");
        let answer = errors(&*row.validator(), &session(&row.payload));
        assert_eq!(&answer, row.ours.as_ref().unwrap_or(&row.node), "{line}");
        let count = counts.entry(row.op).or_default();
        match row.ours {
            // Where the answers differ, ours is a refusal.
            Some(ours) => {
                assert_ne!(ours, "[]", "{line}");
                count[2] += 1;
            }
            None => count[usize::from(row.node != "[]")] += 1,
        }
    }
    for (op, [accepted, refused, stricter]) in &counts {
        println!(
            "claims: {op}: {accepted} accepted, {refused} refused with the same bytes, {stricter} refused by us only"
        );
    }
    let total: usize = counts.values().flatten().sum();
    assert_eq!((total, counts.len()), (ROWS.lines().count(), 9));
}

#[derive(Debug)]
struct Claims(&'static str);

impl SessionVerifier for Claims {
    fn verify(&self, _: VerifyInput<'_>) -> Verdict {
        Verdict::Ready(Ok(Some(session(self.0))))
    }
}

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        now()
    }
}

#[tokio::test]
async fn a_refusal_names_every_claim_in_the_order_of_the_validators() {
    let claims = r#"{"st-ev":{"v":false,"t":1799999940000},"st-role":{"v":["user", "caf\u00e9"],"t":1799999940000}}"#;
    let layer = UserMetadataLayer::new(Claims(claims), MemoryStore::new())
        .with_clock(Fixed)
        .with_claim_validator(PrimitiveArrayClaim::USER_ROLE.includes("admin"))
        .with_claim_validator(Tenant::exactly("public"))
        .with_claim_validator(BooleanClaim::EMAIL_VERIFICATION.is_true().with_max_age(Duration::from_secs(59)))
        .with_claim_validator(MultiFactorAuth::completed())
        .with_claim_validator(PrimitiveArrayClaim::PERMISSION.includes_any(["read", "write"]).with_id("may-read"))
        .with_claim_validator(Expiry::at_least(Duration::from_secs(61)));
    let service = layer.layer(tower::service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let request = Request::get("/").header("authorization", "Bearer token").body(()).expect("a request");
    let response = service.oneshot(request).await.expect("an answer");
    assert_eq!(response.status(), 403);
    let error = response.extensions().get::<AuthError>().expect("the error").clone();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(
        String::from_utf8_lossy(&body),
        concat!(
            r#"{"message":"invalid claim","claimValidationErrors":["#,
            r#"{"id":"st-role","reason":{"message":"wrong value","expectedToInclude":"admin","#,
            r#""actualValue":["user","café"]}},"#,
            r#"{"id":"st-ev","reason":{"message":"expired","ageInSeconds":60,"maxAgeInSeconds":59}},"#,
            r#"{"id":"st-mfa"},"#,
            r#"{"id":"may-read","reason":{"message":"value does not exist","expectedToNotInclude":["read","write"]}},"#,
            r#"{"id":"exp","reason":{"message":"expires too soon","#,
            r#""remainingInSeconds":60,"minRemainingInSeconds":61}}]}"#
        )
    );
    let debug = format!("{error:?} {:?}", error.claims());
    assert!(debug.contains("st-role") && !debug.contains("caf") && !debug.contains("admin"), "{debug}");
}
