use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::json::{self, JsonError, Rules, WrongType};

/// What is refused in headers and claims beyond a syntax error: two members of one name, nesting past 64 levels, and
/// numbers past the range of `f64`, on which JSON readers disagree.
pub(crate) const RULES: Rules = Rules { depth: 64, exponent: 308, nul: true };

/// A JSON object that was read strictly, kept as its text and the places of its members in it.
#[derive(Clone, Default)]
pub(crate) struct Payload {
    text: Box<str>,
    members: Vec<(Box<str>, Range<usize>)>,
}

impl Payload {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, JsonError> {
        let members = json::read_object(text, RULES)?;
        let start = text.as_ptr() as usize;
        let members = members
            .into_iter()
            .map(|(name, value)| {
                let at = value.as_ptr() as usize - start;
                (Box::from(name), at..at + value.len())
            })
            .collect();
        // `read_object` accepts UTF-8 only, so nothing is replaced here.
        Ok(Self { text: String::from_utf8_lossy(text).into(), members })
    }

    /// The raw value of a member; every object holds a name once at most.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        let (_, place) = self.members.iter().find(|(member, _)| &**member == name)?;
        self.text.get(place.clone())
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, WrongType> {
        self.raw(name).map(json::typed).transpose()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().filter_map(|(name, place)| Some((&**name, self.text.get(place.clone())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_in_the_text() {
        let payload = Payload::parse(br#"{ "a" : [1, "\u00e9"], "b": null }"#).expect("well-formed");
        assert_eq!(payload.raw("a"), Some(r#"[1, "\u00e9"]"#));
        assert_eq!(payload.get::<(u8, String)>("a").expect("typed"), Some((1, "\u{e9}".to_owned())));
        assert_eq!(payload.get::<Option<u8>>("b").expect("typed"), Some(None));
        assert_eq!(payload.raw("c"), None);
        assert_eq!(payload.iter().count(), 2);
    }
}
