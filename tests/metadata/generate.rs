//! Random JSON texts: valid ones in odd spellings, and ruined ones.

use proptest::collection::vec;
use proptest::prelude::*;

/// A JSON string in one of the spellings that JSON has for it.
pub(crate) fn string() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        4 => "[a-c]{0,3}",
        1 => any::<String>(),
        1 => prop::sample::select(vec!["", "__proto__", "$set", "a.b", "a\"b", "\\", "\u{2028}", "e\u{301}", "\u{1f642}"])
            .prop_map(str::to_owned),
    ];
    (plain, vec(any::<bool>(), 8)).prop_map(|(text, escaped)| {
        let spell = |(at, character): (usize, char)| {
            let must = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
            if !must && !escaped[at % escaped.len()] {
                return character.to_string();
            }
            character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect()
        };
        format!("\"{}\"", text.chars().enumerate().map(spell).collect::<String>())
    })
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?",
        Just("-0.0".to_owned()),
    ]
}

/// White space between tokens.
fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\r\n]{0,2}"]
}

pub(crate) fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        2 => Just("null".to_owned()),
        1 => Just("true".to_owned()),
        1 => Just("false".to_owned()),
        3 => number(),
        3 => string(),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..4), space())
                .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(&format!("{space},")))),
            object_of(inner),
        ]
    })
}

fn object_of(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (vec((string(), value), 0..5), space()).prop_map(|(members, space)| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}{space}:{space}{value}")).collect();
        format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")))
    })
}

/// An object whose members are values of any kind; names may come twice.
pub(crate) fn object() -> impl Strategy<Value = String> {
    object_of(value())
}

/// An object with a few bytes removed, added or replaced.
pub(crate) fn ruined() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => prop::sample::select(b"{}[]\",:\\u0dD8+-.eEtfn 1/\t\n".to_vec()),
        1 => any::<u8>(),
    ];
    let change = (any::<prop::sample::Index>(), 0..3_u8, byte);
    (object(), vec(change, 0..4)).prop_map(|(text, changes)| {
        let mut text = text.into_bytes();
        for (at, kind, byte) in changes {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match kind {
                0 => drop(text.remove(at)),
                1 => text.insert(at, byte),
                _ => text[at] = byte,
            }
        }
        text
    })
}
