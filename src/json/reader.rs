//! The grammar of RFC 8259, and the rules beyond it.

use std::borrow::Cow;
use std::collections::HashSet;

use super::plain::plain_bytes;
use super::rules::{Fault, JsonError, MAX_DEPTH, Rules};

/// A place in a text, and what is refused there.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    rules: Rules,
    /// The names seen so far in the objects that are open, those of the innermost one last.
    names: Vec<Cow<'a, str>>,
}

/// What an open object has had.
#[derive(Default)]
struct Seen<'a> {
    /// The sorts of its first names: most differ in it, and need not be compared.
    sorts: u64,
    /// All of its names, once they are many.
    many: Option<HashSet<Cow<'a, str>>>,
}

/// With more names than this in one object they are looked for in a set and no longer one by one.
const FEW_NAMES: usize = 16;

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, rules: Rules) -> Self {
        Self { text, at: 0, rules, names: Vec::with_capacity(FEW_NAMES) }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault<T>(&self, fault: Fault) -> Result<T, JsonError> {
        Err(JsonError { fault, at: self.at })
    }

    pub(super) fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return self.fault(Fault::Syntax);
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        self.white_space();
        if self.at == self.text.len() { Ok(()) } else { self.fault(Fault::Syntax) }
    }

    pub(super) fn value(&mut self, level: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => self.object(level, |_, _| {}),
            Some(b'[') => self.array(level),
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fault(Fault::Syntax),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return self.fault(Fault::Syntax);
        }
        self.at += word.len();
        Ok(())
    }

    fn enter(&self, level: usize) -> Result<(), JsonError> {
        if level > self.rules.depth.min(MAX_DEPTH) { self.fault(Fault::TooDeep) } else { Ok(()) }
    }

    pub(super) fn object(
        &mut self,
        level: usize,
        mut member: impl FnMut(Cow<'a, str>, &'a str),
    ) -> Result<(), JsonError> {
        self.enter(level)?;
        let first_name = self.names.len();
        let mut seen = Seen::default();
        self.expect(b'{')?;
        self.white_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.white_space();
            let name_at = self.at;
            let name = self.string()?;
            if !self.is_new(name.clone(), first_name, &mut seen) {
                return Err(JsonError { fault: Fault::DuplicateMember, at: name_at });
            }
            self.white_space();
            self.expect(b':')?;
            self.white_space();
            let value_at = self.at;
            self.value(level + 1)?;
            member(name, &self.text[value_at..self.at]);
            self.white_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => {
                    self.names.truncate(first_name);
                    return self.expect(b'}');
                }
            }
        }
    }

    /// Tells whether the innermost object, whose names begin at `first`, has no such name yet, and notes it.
    fn is_new(&mut self, name: Cow<'a, str>, first: usize, seen: &mut Seen<'a>) -> bool {
        // Only objects have names here, and one that closes takes away its own: the place is in range.
        let names = self.names.get(first..).unwrap_or_default();
        if names.len() < FEW_NAMES {
            let sort = sort(name.as_bytes());
            let new = seen.sorts & sort == 0 || !names.contains(&name);
            seen.sorts |= sort;
            self.names.push(name);
            return new;
        }
        seen.many.get_or_insert_with(|| names.iter().cloned().collect()).insert(name)
    }

    fn array(&mut self, level: usize) -> Result<(), JsonError> {
        self.enter(level)?;
        self.expect(b'[')?;
        self.white_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.white_space();
            self.value(level + 1)?;
            self.white_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return self.expect(b']'),
            }
        }
    }

    /// Reads a string; nearly all are without escapes, and so are parts of the text.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        self.plain();
        if self.peek() != Some(b'"') {
            return self.string_with_escapes(start).map(Cow::Owned);
        }
        let text = &self.text[start..self.at];
        self.at += 1;
        Ok(Cow::Borrowed(text))
    }

    /// Goes to the end of the string, to the next escape, or to what a string must not hold.
    fn plain(&mut self) {
        self.at += plain_bytes(self.text.as_bytes().get(self.at..).unwrap_or_default());
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<String, JsonError> {
        let mut decoded = String::new();
        let mut plain = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    decoded.push_str(&self.text[plain..self.at]);
                    self.at += 1;
                    return Ok(decoded);
                }
                Some(b'\\') => {
                    decoded.push_str(&self.text[plain..self.at]);
                    decoded.push(self.escape()?);
                    plain = self.at;
                }
                // A control character, or the end of the text.
                _ => return self.fault(Fault::Syntax),
            }
            self.plain();
        }
    }

    /// Reads one escape, or two for a character beyond the basic plane (RFC 8259 section 7).
    fn escape(&mut self) -> Result<char, JsonError> {
        let escape_at = self.at;
        self.at += 1;
        let kind = self.peek();
        self.at += 1;
        Ok(match kind {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let lone = JsonError { fault: Fault::LoneSurrogate, at: escape_at };
                let code = match self.hex4()? {
                    high @ 0xd800..=0xdbff => {
                        if !self.text[self.at..].starts_with("\\u") {
                            return Err(lone);
                        }
                        self.at += 2;
                        match self.hex4()? {
                            low @ 0xdc00..=0xdfff => 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00),
                            _ => return Err(lone),
                        }
                    }
                    0 if !self.rules.nul => {
                        return Err(JsonError { fault: Fault::Nul, at: escape_at });
                    }
                    code => code,
                };
                char::from_u32(code).ok_or(lone)?
            }
            _ => return Err(JsonError { fault: Fault::Syntax, at: escape_at }),
        })
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return self.fault(Fault::Syntax) };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn digits(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if start == self.at { self.fault(Fault::Syntax) } else { Ok(&self.text[start..self.at]) }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let number_at = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return self.fault(Fault::Syntax);
        }
        let mut fraction = "";
        if self.peek() == Some(b'.') {
            self.at += 1;
            fraction = self.digits()?;
        }
        let mut exponent = 0;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let negative = match self.peek() {
                Some(sign @ (b'+' | b'-')) => {
                    self.at += 1;
                    sign == b'-'
                }
                _ => false,
            };
            // Saturates: a longer exponent is out of every range that the rules can name.
            let size = self.digits()?.parse::<i64>().unwrap_or(i64::MAX / 4);
            exponent = if negative { -size } else { size };
        }
        // The lengths are those of slices, so far below i64::MAX.
        let length = |digits: &str| i64::try_from(digits.len()).unwrap_or(i64::MAX / 4);
        let (highest, lowest) = (length(whole) - 1 + exponent, exponent - length(fraction));
        let limit = self.rules.exponent;
        if exponent.abs() > limit || highest > limit || lowest < -limit {
            return Err(JsonError { fault: Fault::NumberOutOfRange, at: number_at });
        }
        Ok(())
    }
}

/// One of 64 sorts of names, as a bit: two names of different sorts are different.
fn sort(name: &[u8]) -> u64 {
    let end = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
    1 << ((name.len() ^ end(name.first()) ^ (end(name.last()) << 2)) % 64)
}
