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

/// More members than most payloads have: they are gathered on the stack.
const FEW: usize = 24;

/// The longest text, so that places fit their type, also those of the decoded names.
const MAX_BYTES: usize = (u32::MAX / 2) as usize;

/// Places in the text.
#[derive(Clone, Copy, Default)]
struct Member {
    name: Place,
    value: Place,
}

/// From where to where, in bytes: half the size of a range, and there is one for each member of each known session.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place(u32, u32);

/// A text that is kept beside a payload: mostly where it stands in it, so that it takes no place of its own.
#[derive(Clone)]
pub(crate) enum Text {
    /// In the payload that it is kept beside.
    At(Place),
    Own(Box<str>),
}

impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        Self::Own(text)
    }
}

/// Not one JSON object, or one that the rules refuse, or of 2 GiB and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Payload {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Malformed> {
        Self::from_vec(text.to_vec())
    }

    pub(crate) fn from_vec(text: Vec<u8>) -> Result<Self, Malformed> {
        if text.len() > MAX_BYTES {
            return Err(Malformed);
        }
        let mut text = String::from_utf8(text).map_err(|_| Malformed)?;
        let start = text.as_ptr() as usize;
        let place = |part: &str| Place::new(part.as_ptr() as usize - start, part.len());
        let mut decoded = String::new();
        let (mut first, mut count, mut further) = ([Member::default(); FEW], 0, Vec::new());
        json::read_members(&text, RULES, |name, value| {
            let name = match name {
                Cow::Borrowed(name) => place(name),
                Cow::Owned(name) => {
                    decoded.push_str(&name);
                    Place::new(text.len() + decoded.len() - name.len(), name.len())
                }
            };
            let member = Member { name, value: place(value) };
            match first.get_mut(count) {
                Some(place) => *place = member,
                None => further.push(member),
            }
            count += 1;
        })
        .map_err(|_| Malformed)?;
        let first = first.get(..count).unwrap_or(&first);
        let members = if further.is_empty() { first.into() } else { [first, &further].concat().into() };
        text.push_str(&decoded);
        Ok(Self { text: text.into(), members })
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

    /// What [`text`](Self::text) gave, to be kept beside this payload.
    pub(crate) fn keep(&self, text: Cow<'_, str>) -> Text {
        let at = (text.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        match &text {
            Cow::Borrowed(part) if self.text.get(at..at.saturating_add(part.len())) == Some(part) => {
                Text::At(Place::new(at, part.len()))
            }
            _ => Text::Own(text.into()),
        }
    }

    /// A text that is kept beside this payload.
    pub(crate) fn kept<'a>(&'a self, text: &'a Text) -> &'a str {
        match text {
            // Is in it: `keep` looked.
            Text::At(place) => self.text.get(place.range()).unwrap_or_default(),
            Text::Own(text) => text,
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
    fn new(at: usize, length: usize) -> Self {
        // Not beyond the type, since the text is not.
        let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self(place(at), place(at + length))
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

    #[test]
    fn a_text_is_kept_where_it_stands() {
        let payload = Payload::parse(br#"{"a":"x","b":"\u0078","c":""}"#).expect("well-formed");
        let keep = |name| payload.keep(payload.text(name).expect("a text").expect("a member"));
        let (a, b, c) = (keep("a"), keep("b"), keep("c"));
        assert!(matches!((&a, &b), (Text::At(_), Text::Own(_))));
        assert_eq!([&a, &b, &c].map(|text| payload.kept(text)), ["x", "x", ""]);
        // One that is not of this payload is copied.
        assert!(matches!(Payload::default().keep(Cow::Borrowed("x")), Text::Own(text) if *text == *"x"));
    }

    #[test]
    fn what_it_takes_is_its_text_and_the_places_of_its_members() {
        let bytes = |text: &str| Payload::parse(text.as_bytes()).expect("well-formed").heap_bytes();
        assert_eq!(bytes("{}"), 2);
        assert_eq!(bytes(r#"{"a":1}"#), 7 + size_of::<Member>());
        assert_eq!(bytes(r#"{"a":"xxxxx","b":2}"#), 19 + 2 * size_of::<Member>());
    }

    #[test]
    fn many_members_are_all_there() {
        for count in [FEW - 1, FEW, FEW + 1, 3 * FEW] {
            let members: Vec<_> = (0..count).map(|n| format!("\"{n}\":{n}")).collect();
            let payload = Payload::parse(format!("{{{}}}", members.join(",")).as_bytes()).expect("well-formed");
            assert!(payload.iter().eq(members.iter().map(|m| {
                let n = m.rsplit(':').next().unwrap_or_default();
                (n, n)
            })));
        }
    }
}
