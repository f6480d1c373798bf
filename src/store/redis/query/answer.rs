//! How what the server tells of a hash becomes a record.

use redis::Value;

use super::{BYTES, ROOT_FIELD, VERSION};
use crate::metadata::{Metadata, Record, Version};
use crate::store::StoreError;
use crate::store::redis::error;

/// What [`get`](super::get) answers.
pub(in crate::store::redis) fn found(answer: Value) -> Result<Option<Record>, StoreError> {
    let Value::Array(entries) = answer else { return Err(super::refused(answer)) };
    if entries.is_empty() {
        return Ok(None);
    }
    let mut hash = Hash::default();
    for pair in entries.chunks_exact(2) {
        let [Value::BulkString(name), Value::BulkString(value)] = pair else { return Err(error::unexpected()) };
        hash.add(name, value)?;
    }
    hash.record().map(Some)
}

/// The record of a hash as a script packs it.
pub(super) fn packed(answer: &[u8]) -> Result<Record, StoreError> {
    let mut rest = answer;
    let entries = array(&mut rest).ok_or_else(error::unexpected)?;
    let mut hash = Hash::default();
    for _ in 0..entries / 2 {
        let (name, value) = string(&mut rest).zip(string(&mut rest)).ok_or_else(error::unexpected)?;
        hash.add(name, value)?;
    }
    hash.record()
}

/// The fields of a hash, one by one.
struct Hash {
    version: Option<Version>,
    sized: bool,
    fields: usize,
    document: Vec<u8>,
}

impl Default for Hash {
    fn default() -> Self {
        Self { version: None, sized: false, fields: 0, document: b"{".to_vec() }
    }
}

impl Hash {
    fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| error::damaged());
        let value = text(value)?;
        match name {
            VERSION => self.version = value.parse().ok(),
            BYTES => self.sized = true,
            [ROOT_FIELD, name @ ..] => {
                if self.fields > 0 {
                    self.document.push(b',');
                }
                self.fields += 1;
                serde_json::to_writer(&mut self.document, text(name)?).map_err(|_| error::damaged())?;
                self.document.push(b':');
                self.document.extend_from_slice(value.as_bytes());
            }
            _ => return Err(error::damaged()),
        }
        Ok(())
    }

    fn record(mut self) -> Result<Record, StoreError> {
        self.document.push(b'}');
        let metadata = Metadata::from_stored(&self.document).ok_or_else(error::damaged)?;
        match self.version {
            // A value with a comma in it could otherwise bring in fields of its own.
            Some(version) if self.sized && metadata.len() == self.fields => Ok(Record { metadata, version }),
            _ => Err(error::damaged()),
        }
    }
}

/// The number of items of an array in MessagePack.
fn array(rest: &mut &[u8]) -> Option<usize> {
    match split(rest, 1)? {
        [first @ 0x90..=0x9f] => Some(usize::from(first & 0x0f)),
        [0xdc] => number(rest, 2),
        [0xdd] => number(rest, 4),
        _ => None,
    }
}

/// A string in MessagePack.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = match split(rest, 1)? {
        [first @ 0xa0..=0xbf] => usize::from(first & 0x1f),
        [0xd9] => number(rest, 1)?,
        [0xda] => number(rest, 2)?,
        [0xdb] => number(rest, 4)?,
        _ => return None,
    };
    split(rest, length)
}

fn number(rest: &mut &[u8], bytes: usize) -> Option<usize> {
    Some(split(rest, bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

fn split<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (first, others) = rest.split_at_checked(length)?;
    *rest = others;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Redis packs a list of strings.
    fn pack(entries: &[&[u8]]) -> Vec<u8> {
        let mut packed = match entries.len() {
            length @ 0..16 => vec![0x90 | length as u8],
            length => [&[0xdc], &(length as u16).to_be_bytes()[..]].concat(),
        };
        for entry in entries {
            match entry.len() {
                length @ 0..32 => packed.push(0xa0 | length as u8),
                length @ 32..256 => packed.extend([0xd9, length as u8]),
                length @ 256..65_536 => packed.extend([&[0xda], &(length as u16).to_be_bytes()[..]].concat()),
                length => packed.extend([&[0xdb], &(length as u32).to_be_bytes()[..]].concat()),
            }
            packed.extend_from_slice(entry);
        }
        packed
    }

    #[test]
    fn both_answers_are_read_alike() {
        let quoted = |length: usize| format!("\"{}\"", "x".repeat(length));
        let values: Vec<_> = [0, 29, 30, 253, 254, 65_533, 65_534].map(quoted).into();
        let names: Vec<_> = (0..values.len()).map(|n| format!("f\"{n}")).collect();
        for fields in 0..=values.len() {
            let mut entries: Vec<&[u8]> = vec![b"v", b"00f3a60b2d1c9e47", b"n", b"1"];
            for (name, value) in names.iter().zip(&values).take(fields) {
                entries.extend([name.as_bytes(), value.as_bytes()]);
            }
            let list = entries.iter().map(|entry| Value::BulkString(entry.to_vec())).collect();
            let record = packed(&pack(&entries)).expect("a record");
            assert_eq!(record.metadata.len(), fields);
            assert_eq!(found(Value::Array(list)).expect("a record"), Some(record));
        }
    }

    #[test]
    fn an_answer_that_is_cut_is_no_record() {
        let whole = pack(&[b"v", b"00f3a60b2d1c9e47", b"n", b"12", b"ftheme", b"\"dark\""]);
        assert!(packed(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(packed(&whole[..length]).is_err(), "{length}");
        }
    }
}
