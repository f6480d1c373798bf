use super::exact::{ExactValue, Members};
use crate::metadata::{InvalidMetadataKind, Limits};
use serde_json::value::RawValue;

/// The merge a second time, as simple as it can be said, to check stores against.
///
/// ```
/// use tower_user_metadata::conformance::Model;
///
/// let mut model = Model::new();
/// assert_eq!(model.to_json(), None);
/// model.update(r#"{"theme":"dark","todos":["a"]}"#).unwrap();
/// model.update(r#"{"todos":null,"seen":{"by":null}}"#).unwrap();
/// assert_eq!(model.to_json().as_deref(), Some(r#"{"theme":"dark","seen":{"by":null}}"#));
/// model.clear();
/// assert_eq!(model.to_json(), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// `None`: no document.
    document: Option<Vec<(String, String)>>,
}

impl Model {
    /// A user without a document.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Merges an update, or says why every store must refuse it; a refused update changes nothing.
    ///
    /// # Errors
    ///
    /// All that is wrong with the update; a store may name any of them.
    pub fn update(&mut self, update: &str) -> Result<(), Vec<InvalidMetadataKind>> {
        let refused = refusals(update);
        if !refused.is_empty() {
            return Err(refused);
        }
        let Ok(Members(members)) = serde_json::from_str(update) else {
            return Err(vec![InvalidMetadataKind::NotAnObject]);
        };
        let document = self.document.get_or_insert_default();
        for (name, value) in members {
            document.retain(|(stored, _)| *stored != name);
            if value.get() != "null" {
                document.push((name, value.get().to_owned()));
            }
        }
        Ok(())
    }

    /// Removes the document.
    pub fn clear(&mut self) {
        self.document = None;
    }

    /// The document as JSON text, values as they were written; `None` when the user has none.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        let members = self.document.as_ref()?.iter();
        let members = members.map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name.as_str())));
        Some(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
    }
}

/// What the rules of the crate and the default [`Limits`] refuse in a text that is JSON; the sizes of whole documents
/// are left out.
#[must_use]
pub fn refusals(text: &str) -> Vec<InvalidMetadataKind> {
    let mut found = Vec::new();
    if let Ok(raw) = serde_json::from_str(text) {
        visit(raw, 1, &mut found);
    }
    found
}

fn visit(raw: &RawValue, level: usize, found: &mut Vec<InvalidMetadataKind>) {
    use InvalidMetadataKind as Kind;
    let limits = Limits::default();
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{' | b'[') if level > limits.depth() => found.push(Kind::TooDeep),
        Some(b'{') => {
            let members = serde_json::from_str(text).map_or_else(|_| Vec::new(), |Members(members)| members);
            for (at, (name, value)) in members.iter().enumerate() {
                if members[..at].iter().any(|(earlier, _)| earlier == name) {
                    found.push(Kind::DuplicateField);
                }
                if name.contains('\0') {
                    found.push(Kind::Nul);
                }
                if level == 1 && name.len() > limits.field_name_bytes() {
                    found.push(Kind::FieldNameTooLong);
                }
                visit(value, level + 1, found);
            }
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
            items.into_iter().for_each(|item| visit(item, level + 1, found));
        }
        Some(b'"') if serde_json::from_str::<String>(text).is_ok_and(|text| text.contains('\0')) => {
            found.push(Kind::Nul);
        }
        Some(b'-' | b'0'..=b'9') if !in_range(text) => found.push(Kind::NumberOutOfRange),
        _ => {}
    }
}

/// Whether the exponent, and the power of ten of each digit, is within ±1000.
fn in_range(literal: &str) -> bool {
    let unsigned = literal.trim_start_matches('-');
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let range = -1000..=1000;
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    range.contains(&exponent)
        && range.contains(&(exponent + whole.len() as i64 - 1))
        && range.contains(&(exponent - fraction.len() as i64))
}

/// The document of the model as an exact value.
pub(super) fn exact(model: &Model) -> Option<ExactValue> {
    // The model wrote the text itself, from values that parsed.
    model.to_json().and_then(|text| ExactValue::parse(&text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use InvalidMetadataKind as Kind;

    #[test]
    fn each_rule_is_found_at_any_depth() {
        let nested = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        for (text, kinds) in [
            ("{\"a\":[\"\\u0000\"]}".to_owned(), vec![Kind::Nul]),
            ("{\"a\":{\"\\u0000\":1}}".to_owned(), vec![Kind::Nul]),
            ("{\"a\":1,\"\\u0061\":1}".to_owned(), vec![Kind::DuplicateField]),
            ("{\"a\":[1e1001]}".to_owned(), vec![Kind::NumberOutOfRange]),
            ("{\"a\":1.5e-1000}".to_owned(), vec![Kind::NumberOutOfRange]),
            (format!("{{\"{}\":1}}", "k".repeat(257)), vec![Kind::FieldNameTooLong]),
            (nested(65), vec![Kind::TooDeep]),
            (nested(64), vec![]),
            (format!("{{\"a\":{{\"{}\":-1e1000}}}}", "k".repeat(257)), vec![]),
        ] {
            assert_eq!(refusals(&text), kinds, "{text}");
        }
    }

    #[test]
    fn a_refused_update_changes_nothing() {
        let mut model = Model::new();
        assert_eq!(model.update("{\"a\":\"\\u0000\"}"), Err(vec![Kind::Nul]));
        assert_eq!(model.update("[]"), Err(vec![Kind::NotAnObject]));
        assert_eq!(model.to_json(), None);
        assert_eq!(model.update("{}"), Ok(()));
        assert_eq!(model.to_json().as_deref(), Some("{}"));
    }
}
