//! Strict JSON: one reader for everything that comes from outside (update bodies, token headers, claims, key sets).
//!
//! `serde_json` keeps the last of two members with one name and rounds numbers; both are wrong where the text is
//! evidence (RFC 7515 section 4) or must come back digit by digit. This reader checks a whole text once and hands
//! out the members of its root object as slices of it.

use std::borrow::Cow;
use std::collections::HashSet;

/// Depth past which no text is read, whatever the limits say: the reader recurses once a level.
pub(crate) const MAX_DEPTH: usize = 128;

/// What is refused beyond a plain syntax error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Levels of nesting; the root object is the first.
    pub(crate) depth: usize,
    /// The largest power of ten, up or down, that a digit of a number may stand for.
    pub(crate) exponent: i64,
    /// Whether a string may hold U+0000.
    pub(crate) nul: bool,
}

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotUtf8,
    Syntax,
    NotAnObject,
    DuplicateMember,
    LoneSurrogate,
    Nul,
    NumberOutOfRange,
    TooDeep,
}

/// A refused text: the fault and the byte at which it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    pub(crate) fault: Fault,
    pub(crate) at: usize,
}

/// The members of a root object: decoded names, values as they stand in the text.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// Reads a text that must be one JSON object.
pub(crate) fn read_object(text: &[u8], rules: Rules) -> Result<Members<'_>, JsonError> {
    let text =
        std::str::from_utf8(text).map_err(|error| JsonError { fault: Fault::NotUtf8, at: error.valid_up_to() })?;
    let mut reader = Reader { text, at: 0, rules };
    reader.white_space();
    if reader.peek() != Some(b'{') {
        // A scalar or an array is well-formed JSON of the wrong shape: tell the two mistakes apart.
        reader.value(1)?;
        reader.end()?;
        return Err(JsonError { fault: Fault::NotAnObject, at: 0 });
    }
    let mut members = Vec::new();
    reader.object(1, |name, value| members.push((name, value)))?;
    reader.end()?;
    Ok(members)
}

/// The text of a value without the white space between its tokens.
pub(crate) fn compact(value: &str) -> Cow<'_, str> {
    let insignificant = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    if !value.as_bytes().iter().any(insignificant) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in value.chars() {
        if in_string {
            out.push(character);
            (in_string, escaped) = match (character, escaped) {
                ('\\', false) => (true, true),
                ('"', false) => (false, false),
                _ => (true, false),
            };
        } else if !matches!(character, ' ' | '\t' | '\n' | '\r') {
            in_string = character == '"';
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The levels of nesting of a value that [`read_object`] accepted: 0 for a scalar.
pub(crate) fn depth(value: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in value.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    rules: Rules,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault<T>(&self, fault: Fault) -> Result<T, JsonError> {
        Err(JsonError { fault, at: self.at })
    }

    fn white_space(&mut self) {
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

    fn end(&mut self) -> Result<(), JsonError> {
        self.white_space();
        if self.at == self.text.len() { Ok(()) } else { self.fault(Fault::Syntax) }
    }

    fn value(&mut self, level: usize) -> Result<(), JsonError> {
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

    fn object(&mut self, level: usize, mut member: impl FnMut(Cow<'a, str>, &'a str)) -> Result<(), JsonError> {
        self.enter(level)?;
        let mut names = Names::default();
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
            if !names.insert(&name) {
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
                _ => return self.expect(b'}'),
            }
        }
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

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        let mut decoded: Option<String> = None;
        let mut plain = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = &self.text[plain..self.at];
                    self.at += 1;
                    return Ok(match decoded {
                        None => Cow::Borrowed(rest),
                        Some(text) => Cow::Owned(text + rest),
                    });
                }
                Some(b'\\') => {
                    let so_far = &self.text[plain..self.at];
                    let character = self.escape()?;
                    let text = decoded.get_or_insert_with(String::new);
                    text.push_str(so_far);
                    text.push(character);
                    plain = self.at;
                }
                None | Some(0x00..=0x1f) => return self.fault(Fault::Syntax),
                Some(_) => self.at += 1,
            }
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

/// The names seen in one object: a list while there are few, a set past that.
#[derive(Default)]
struct Names {
    few: Vec<String>,
    many: HashSet<String>,
}

impl Names {
    const FEW: usize = 16;

    fn insert(&mut self, name: &str) -> bool {
        if self.many.is_empty() {
            if self.few.iter().any(|seen| seen == name) {
                return false;
            }
            if self.few.len() < Self::FEW {
                self.few.push(name.to_owned());
                return true;
            }
            self.many.extend(self.few.drain(..));
        }
        self.many.insert(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { depth: 64, exponent: 1000, nul: false };

    fn fault(text: &str) -> Option<Fault> {
        read_object(text.as_bytes(), RULES).err().map(|error| error.fault)
    }

    #[test]
    fn members_are_decoded_names_and_raw_values() {
        let members =
            read_object(br#" { "a" : [1, 2] , "\u0062\n\ud83d\ude00" : -0.0e+1 } "#, RULES).expect("well-formed");
        assert_eq!(members, [("a".into(), "[1, 2]"), ("b\n\u{1f600}".into(), "-0.0e+1")]);
    }

    #[test]
    fn each_fault_has_its_name() {
        for (text, expected) in [
            ("", Fault::Syntax),
            ("{", Fault::Syntax),
            ("{\"a\":1,}", Fault::Syntax),
            ("{\"a\":01}", Fault::Syntax),
            ("{\"a\":1.}", Fault::Syntax),
            ("{\"a\":+1}", Fault::Syntax),
            ("{\"a\":\"\t\"}", Fault::Syntax),
            ("{\"a\":\"\\x\"}", Fault::Syntax),
            ("{\"a\":\"\\u12g4\"}", Fault::Syntax),
            ("{\"a\":\"\\", Fault::Syntax),
            ("{} {}", Fault::Syntax),
            ("\u{feff}{}", Fault::Syntax),
            ("[{}]", Fault::NotAnObject),
            ("null", Fault::NotAnObject),
            ("{\"a\":1,\"\\u0061\":2}", Fault::DuplicateMember),
            ("{\"a\":{\"b\":1,\"b\":1}}", Fault::DuplicateMember),
            ("{\"a\":\"\\ud800\"}", Fault::LoneSurrogate),
            ("{\"a\":\"\\udc00\\ud800\"}", Fault::LoneSurrogate),
            ("{\"a\":\"\\ud800\\u0041\"}", Fault::LoneSurrogate),
            ("{\"\\u0000\":1}", Fault::Nul),
            ("{\"a\":1e1001}", Fault::NumberOutOfRange),
            ("{\"a\":10e1000}", Fault::NumberOutOfRange),
            ("{\"a\":0.1e-1000}", Fault::NumberOutOfRange),
            ("{\"a\":1.5e-1000}", Fault::NumberOutOfRange),
            ("{\"a\":0e99999999999999999999}", Fault::NumberOutOfRange),
        ] {
            assert_eq!(fault(text), Some(expected), "{text}");
        }
        for text in ["{\"a\":1e1000}", "{\"a\":1e-1000}", "{\"a\":0.00}", "{\"a\":123456789012345678901234567890}"] {
            assert_eq!(fault(text), None, "{text}");
        }
        let digits = |fraction: usize| format!("{{\"a\":1.{}}}", "7".repeat(fraction));
        assert_eq!(fault(&digits(1000)), None);
        assert_eq!(fault(&digits(1001)), Some(Fault::NumberOutOfRange));
    }

    #[test]
    fn depth_counts_the_root_as_one() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(fault(&nested(63)), None);
        assert_eq!(fault(&nested(64)), Some(Fault::TooDeep));
        assert_eq!(fault(&nested(100_000)), Some(Fault::TooDeep));
        assert_eq!(depth(&nested(63)), 64);
        assert_eq!(depth("\"[[\\\"[\""), 0);
    }

    #[test]
    fn compact_leaves_strings_alone() {
        assert_eq!(compact("[ 1,\n\"a \\\" b\" , { } ]"), "[1,\"a \\\" b\",{}]");
        assert!(matches!(compact("[1]"), Cow::Borrowed(_)));
    }

    #[test]
    fn many_names_are_still_compared() {
        let members: Vec<String> = (0..40).map(|n| format!("\"k{n}\":0")).collect();
        let text = format!("{{{},\"k3\":1}}", members.join(","));
        assert_eq!(fault(&text), Some(Fault::DuplicateMember));
    }
}
