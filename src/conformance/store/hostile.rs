use serde::Deserialize;

use super::handles::OpenStore;
use super::identity::{byte_exact_ids, namespaces};
use super::probe::{Probe, Violation, fresh_user};
use super::report::{Rows, Tally, Verdict};
use super::vectors::{Answer, apply};
use crate::store::Namespace;
use crate::user_id::{InvalidUserId, UserId};

const PROMISE: &str = "hostile input is refused or kept apart";

#[derive(Deserialize)]
struct Row {
    id: String,
    family: String,
    expect: String,
    body: Option<String>,
    user_id: Option<String>,
    #[serde(default)]
    tenants: Vec<String>,
    #[serde(default)]
    user_ids: Vec<String>,
}

/// Bodies that are no updates, ids that are no users, ids and namespaces that look like one another; a row is a JSON
/// object with `id`, `expect` and, by its `family`, a `body`, a `user_id`, or `tenants` with `user_ids`.
///
/// Tenants are opened as namespaces. The documents of users with these ids are cleared.
///
/// # Errors
///
/// All rows that fail, and all that are not understood.
pub async fn hostile_inputs<'r, O: OpenStore>(
    open: &O,
    rows: impl IntoIterator<Item = &'r str>,
) -> Result<Tally, Violation> {
    let store = open.open(Namespace::default()).await;
    let probe = Probe::new(store.as_ref(), PROMISE);
    let mut outcomes = Rows::of("metadata/hostile_inputs");
    let mut ids = Vec::new();
    for text in rows {
        let row: Row = match serde_json::from_str(text) {
            Ok(row) => row,
            Err(error) => {
                outcomes.add(text, Err(format!("not understood: {error}")));
                continue;
            }
        };
        let outcome = match (row.family.as_str(), &row.body, &row.user_id) {
            ("body", Some(body), None) => one_body(probe, body, &row.expect).await.map_err(|broken| broken.detail),
            ("user-id", None, Some(id)) => user_id(id, &row.expect, &mut ids),
            ("tenant", None, None) => tenants(open, &row).await.map_err(|broken| broken.detail),
            (family, ..) => Err(format!("not understood: a row of the family {family}")),
        };
        outcomes.add(&row.id, outcome);
    }
    ids.sort();
    ids.dedup();
    byte_exact_ids(store.as_ref(), &ids).await?;
    outcomes.finish(PROMISE)
}

async fn one_body(probe: Probe<'_>, body: &str, expect: &str) -> Result<Verdict, Violation> {
    let Some(body) = expand(body) else { return probe.broken(format!("not understood: the body {body}")) };
    let user = fresh_user("body");
    let before = probe.update(&user, r#"{"kept":[1,2.50]}"#).await?;
    let answer = apply(probe, &user, body.as_bytes()).await?;
    match &answer {
        Answer::Kept(record) => probe.unchanged(&user, Some(record)).await?,
        Answer::Refused(_) => probe.unchanged(&user, Some(&before)).await?,
    }
    match (expect, answer) {
        ("accept", Answer::Kept(_)) => Ok(Verdict::Accepted),
        ("reject" | "refuse", Answer::Refused(_)) => Ok(Verdict::Refused),
        (policy, Answer::Kept(_)) if is_policy(policy) => Ok(Verdict::Policy("kept".to_owned())),
        (policy, Answer::Refused(kind)) if is_policy(policy) => Ok(Verdict::Policy(format!("refused as {kind:?}"))),
        (expect, answer) => probe.broken(format!("{answer:?} instead of {expect}")),
    }
}

fn is_policy(expect: &str) -> bool {
    expect == "policy" || expect.starts_with("policy:")
}

/// The body that a short form stands for: `@FORM:N` for bodies too long to write down. `None`: an unknown form.
fn expand(body: &str) -> Option<String> {
    let Some(form) = body.strip_prefix('@') else { return Some(body.to_owned()) };
    let (form, number) = form.split_once(':')?;
    let number: usize = number.parse().ok()?;
    let nested = |open: &str, close: &str| format!("{{\"a\":{}1{}}}", open.repeat(number), close.repeat(number));
    Some(match form {
        "nest" => nested("[", "]"),
        "obj-nest" => nested("{\"a\":", "}"),
        "keylen" => format!("{{\"{}\":1}}", "k".repeat(number)),
        "keys" => format!("{{{}}}", (0..number).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(",")),
        "strlen" => format!("{{\"a\":\"{}\"}}", "x".repeat(number)),
        "size" => format!("{{\"a\":\"{}\"}}", "x".repeat(number.checked_sub(8)?)),
        "digits" => format!("{{\"a\":{}}}", "7".repeat(number)),
        _ => return None,
    })
}

fn user_id(id: &str, expect: &str, accepted: &mut Vec<UserId>) -> Result<Verdict, String> {
    let verdict = match (UserId::new(id), expect) {
        (Ok(user), "accept") => {
            accepted.push(user);
            Verdict::Accepted
        }
        (Err(_), "refuse" | "reject") => Verdict::Refused,
        (Ok(user), policy) if is_policy(policy) => {
            accepted.push(user);
            Verdict::Policy("accepted".to_owned())
        }
        (Err(invalid), policy) if is_policy(policy) => Verdict::Policy(format!("refused: {invalid}")),
        // A rule of this crate: no two users may become one where a reader trims.
        (Err(invalid @ InvalidUserId::Padded), "accept") if id.trim() != id => {
            Verdict::Policy(format!("refused: {invalid}"))
        }
        (Ok(_), expect) => return Err(format!("accepted instead of {expect}")),
        (Err(invalid), expect) => return Err(format!("refused ({invalid}) instead of {expect}")),
    };
    Ok(verdict)
}

async fn tenants<O: OpenStore>(open: &O, row: &Row) -> Result<Verdict, Violation> {
    let broken = |detail: &str| Violation { promise: PROMISE, detail: detail.to_owned() };
    if row.expect != "isolated" || row.tenants.len() < 2 || row.user_ids.is_empty() {
        return Err(broken("not understood: a tenant row of another kind"));
    }
    let names: Result<Vec<_>, _> = row.tenants.iter().map(|name| Namespace::new(name.as_str())).collect();
    let ids: Result<Vec<_>, _> = row.user_ids.iter().map(|id| UserId::new(id.as_str())).collect();
    let (Ok(names), Ok(ids)) = (names, ids) else {
        // What cannot be opened or named cannot meet.
        return Ok(Verdict::Refused);
    };
    namespaces(open, &names, &ids).await?;
    Ok(Verdict::Accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_stand_for_what_they_say() {
        assert_eq!(expand("{}").as_deref(), Some("{}"));
        assert_eq!(expand("@nest:2").as_deref(), Some("{\"a\":[[1]]}"));
        assert_eq!(expand("@obj-nest:1").as_deref(), Some("{\"a\":{\"a\":1}}"));
        assert_eq!(expand("@keylen:3").as_deref(), Some("{\"kkk\":1}"));
        assert_eq!(expand("@keys:2").as_deref(), Some("{\"k0\":0,\"k1\":1}"));
        assert_eq!(expand("@size:10").map(|body| body.len()), Some(10));
        assert_eq!(expand("@strlen:2").as_deref(), Some("{\"a\":\"xx\"}"));
        assert_eq!(expand("@unknown:2"), None);
        assert_eq!(expand("@nest"), None);
    }

    #[test]
    fn an_id_is_judged_by_what_is_expected_of_it() {
        let mut ids = Vec::new();
        assert_eq!(user_id("a", "accept", &mut ids), Ok(Verdict::Accepted));
        assert_eq!(user_id("", "refuse", &mut ids), Ok(Verdict::Refused));
        assert!(matches!(user_id("a\tb", "policy", &mut ids), Ok(Verdict::Policy(_))));
        assert!(matches!(user_id(" a", "accept", &mut ids), Ok(Verdict::Policy(_))));
        assert!(user_id("a", "refuse", &mut ids).is_err());
        assert!(user_id("a\0", "accept", &mut ids).is_err());
        assert!(user_id("a", "other", &mut ids).is_err());
        assert_eq!(ids.len(), 1);
    }
}
