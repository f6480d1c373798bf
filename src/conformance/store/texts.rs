use super::identity::byte_exact_ids;
use super::probe::{Probe, Violation, fresh_user};
use super::report::{Rows, Tally, Verdict};
use super::vectors::{Answer, apply, kept_or_refused};
use crate::store::MetadataStore;
use crate::user_id::UserId;

/// A text that is JSON, is not, or may be taken for JSON.
#[derive(Clone, Debug)]
pub struct JsonText {
    /// The name of the text in messages.
    pub id: String,
    /// The text; need not be UTF-8.
    pub bytes: Vec<u8>,
    /// What a reader must make of it.
    pub expect: JsonExpect,
}

/// What a reader must make of a [`JsonText`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonExpect {
    /// It is JSON: kept with equal values, or refused for a rule of this crate that goes beyond JSON.
    Accept,
    /// It is not JSON.
    Reject,
    /// Either answer, as long as what is taken is also kept.
    Either,
}

/// JSON texts come back equal through the store, and what is not JSON does not get in.
///
/// A text that is not an object is kept as the value of a field. `family` is the name in the [`Tally`].
///
/// # Errors
///
/// All texts that fail.
pub async fn json_texts(
    store: &dyn MetadataStore,
    family: &'static str,
    texts: &[JsonText],
) -> Result<Tally, Violation> {
    const PROMISE: &str = "JSON comes back equal, and what is not JSON is refused";
    let probe = Probe::new(store, PROMISE);
    let mut outcomes = Rows::of(family);
    for text in texts {
        outcomes.add(&text.id, json_text(probe, text).await.map_err(|violation| violation.detail));
    }
    outcomes.finish(PROMISE)
}

async fn json_text(probe: Probe<'_>, text: &JsonText) -> Result<Verdict, Violation> {
    let wrapped = [&b"{\"v\":"[..], &text.bytes, b"}"].concat();
    let user = fresh_user("json");
    match text.expect {
        JsonExpect::Accept => {
            let is_object = text.bytes.trim_ascii_start().starts_with(b"{");
            let Ok(update) = std::str::from_utf8(if is_object { &text.bytes } else { &wrapped }) else {
                return probe.broken("the text is not UTF-8");
            };
            kept_or_refused(probe, &user, update).await
        }
        JsonExpect::Reject => {
            let stored = probe.update(&user, r#"{"before":true}"#).await?;
            for update in [&text.bytes, &wrapped] {
                let answer = apply(probe, &user, update).await?;
                probe.hold(matches!(answer, Answer::Refused(_)), format!("{answer:?} although it is not JSON"))?;
                probe.unchanged(&user, Some(&stored)).await?;
            }
            Ok(Verdict::Refused)
        }
        JsonExpect::Either => match (apply(probe, &user, &wrapped).await?, std::str::from_utf8(&wrapped)) {
            (Answer::Kept(record), Ok(update)) => {
                probe.same("update", &record.metadata, update)?;
                probe.unchanged(&user, Some(&record)).await?;
                Ok(Verdict::Policy("kept".to_owned()))
            }
            (Answer::Kept(_), Err(_)) => probe.broken("what is not UTF-8 is kept"),
            (Answer::Refused(kind), _) => {
                probe.unchanged(&user, None).await?;
                Ok(Verdict::Policy(format!("refused as {kind:?}")))
            }
        },
    }
}

/// Naughty strings come back byte for byte as field names, as values, deep down, and, where they are valid, as user
/// ids.
///
/// The documents of users with these ids are cleared.
///
/// # Errors
///
/// All strings that fail.
pub async fn strings(store: &dyn MetadataStore, family: &'static str, strings: &[String]) -> Result<Tally, Violation> {
    const PROMISE: &str = "strings come back byte for byte";
    let probe = Probe::new(store, PROMISE);
    let mut outcomes = Rows::of(family);
    for string in strings {
        let name = serde_json::Value::from(string.as_str());
        let update = format!(r#"{{{name}:{{"deep":{{{name}:[{name}]}}}},"a value\n":{name}}}"#);
        let user = fresh_user("string");
        outcomes.add(string, kept_or_refused(probe, &user, &update).await.map_err(|violation| violation.detail));
    }
    let mut ids: Vec<_> = strings.iter().filter_map(|string| UserId::new(string.as_str()).ok()).collect();
    ids.sort();
    ids.dedup();
    byte_exact_ids(store, &ids).await?;
    outcomes.finish(PROMISE)
}
