use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;
use serde::de::DeserializeOwned;

use crate::json::{self, Rules, WrongType};

/// What is refused in headers and claims beyond a syntax error: two members of one name, nesting past 64 levels, and
/// numbers past the range of `f64`, on which JSON readers disagree.
pub(crate) const RULES: Rules = Rules { depth: 64, exponent: 308, nul: true };

/// A JSON object that was read strictly, kept as its text and the places of its members in it.
#[derive(Clone, Default)]
pub(crate) struct Payload {
    /// The text as it came; behind it, decoded, the names that were written with escapes.
    text: Box<str>,
    members: Box<[Member]>,
}

/// Places in the text.
#[derive(Clone, Copy)]
struct Member {
    name: Place,
    value: Place,
}

/// From where to where, in bytes: half the size of a range, and there is one for each member of each known session.
#[derive(Clone, Copy)]
struct Place(u32, u32);

/// Not one JSON object, or one that the rules refuse, or of 4 GiB and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Payload {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Malformed> {
        Self::from_vec(text.to_vec())
    }

    pub(crate) fn from_vec(text: Vec<u8>) -> Result<Self, Malformed> {
        let found = json::read_object(&text, RULES).map_err(|_| Malformed)?;
        let start = text.as_ptr() as usize;
        let place = |part: &str| Place::new(part.as_ptr() as usize - start, part.len());
        let mut decoded = String::new();
        let mut members = Vec::with_capacity(found.len());
        for (name, value) in found {
            let name = match name {
                Cow::Borrowed(name) => place(name)?,
                Cow::Owned(name) => {
                    decoded.push_str(&name);
                    Place::new(text.len() + decoded.len() - name.len(), name.len())?
                }
            };
            members.push(Member { name, value: place(value)? });
        }
        // Was read as UTF-8 above.
        let mut text = String::from_utf8(text).map_err(|_| Malformed)?;
        text.push_str(&decoded);
        Ok(Self { text: text.into(), members: members.into() })
    }

    /// The raw value of a member; every object holds a name once at most.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        let text = self.text.as_bytes();
        let named = |member: &&Member| member.name.len() == name.len() && member.name.of(text) == Some(name.as_bytes());
        self.members.iter().find(named).and_then(|member| self.text.get(member.value.range()))
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, WrongType> {
        self.raw(name).map(json::typed).transpose()
    }

    /// A member that is a string; it is copied only if it was written with escapes.
    pub(crate) fn text(&self, name: &str) -> Result<Option<Cow<'_, str>>, WrongType> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let plain = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match plain.filter(|text| memchr(b'\\', text.as_bytes()).is_none()) {
            Some(text) => Ok(Some(Cow::Borrowed(text))),
            None => json::typed(raw).map(|text: String| Some(Cow::Owned(text))),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let part = |place: Place| self.text.get(place.range());
        self.members.iter().filter_map(move |member| Some((part(member.name)?, part(member.value)?)))
    }

    /// What it takes in memory beside itself, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.members)
    }
}

impl Place {
    fn new(at: usize, length: usize) -> Result<Self, Malformed> {
        let place = |at| u32::try_from(at).map_err(|_| Malformed);
        Ok(Self(place(at)?, place(at + length)?))
    }

    fn range(self) -> Range<usize> {
        self.0 as usize..self.1 as usize
    }

    fn len(self) -> usize {
        self.range().len()
    }

    fn of(self, text: &[u8]) -> Option<&[u8]> {
        text.get(self.range())
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

    #[test]
    fn names_with_escapes_are_found_by_what_they_mean() {
        let payload = Payload::parse(br#"{"\u0061b":1,"c":2,"\n":3,"":4}"#).expect("well-formed");
        assert_eq!(payload.iter().collect::<Vec<_>>(), [("ab", "1"), ("c", "2"), ("\n", "3"), ("", "4")]);
        assert_eq!(payload.raw("\\n"), None);
    }

    #[test]
    fn a_text_is_copied_only_where_it_has_escapes() {
        let payload = Payload::parse(br#"{"a":"x","b":"\u0078","c":1,"d":"","e":null}"#).expect("well-formed");
        assert!(matches!(payload.text("a"), Ok(Some(Cow::Borrowed("x")))));
        assert!(matches!(payload.text("b"), Ok(Some(Cow::Owned(text))) if text == "x"));
        assert!(matches!(payload.text("d"), Ok(Some(Cow::Borrowed("")))));
        assert!(payload.text("c").is_err() && payload.text("e").is_err());
        assert!(matches!(payload.text("f"), Ok(None)));
    }
}
