//! How what the server tells of a hash becomes a record.

use redis::Value;

use super::error;
use crate::metadata::{Metadata, Record, Version};
use crate::store::StoreError;

/// Begins the name of each hash field that holds a root field; what belongs to the store has names of one letter.
pub(super) const ROOT_FIELD: char = 'f';
pub(super) const VERSION: &str = "v";

/// What `HGETALL` answers.
pub(super) fn found(answer: Value) -> Result<Option<Record>, StoreError> {
    let Value::Array(entries) = answer else { return Err(error::refused(answer)) };
    if entries.is_empty() {
        return Ok(None);
    }
    let mut hash = Hash::default();
    for pair in entries.chunks_exact(2) {
        let [Value::BulkString(name), Value::BulkString(value)] = pair else { return Err(error::unexpected()) };
        hash.add(text(name)?, text(value)?)?;
    }
    hash.record().map(Some)
}

/// The record of a hash as a script joins it: fields and values with NUL between them, and behind them their number.
pub(super) fn joined(answer: &[u8]) -> Result<Record, StoreError> {
    let mut parts = text(answer)?.split('\0');
    let mut hash = Hash::default();
    let mut read = 0_usize;
    while let Some(name) = parts.next() {
        let Some(value) = parts.next() else {
            // A NUL within one of them, which no document has, makes the number another one.
            return if name == read.to_string() { hash.record() } else { Err(error::damaged()) };
        };
        hash.add(name, value)?;
        read += 2;
    }
    Err(error::damaged())
}

fn text(bytes: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(bytes).map_err(|_| error::damaged())
}

/// The fields of a hash, one by one.
struct Hash {
    version: Option<Version>,
    fields: usize,
    document: Vec<u8>,
}

impl Default for Hash {
    fn default() -> Self {
        Self { version: None, fields: 0, document: b"{".to_vec() }
    }
}

impl Hash {
    fn add(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        if name == VERSION {
            self.version = value.parse().ok();
            return Ok(());
        }
        let name = name.strip_prefix(ROOT_FIELD).ok_or_else(error::damaged)?;
        if self.fields > 0 {
            self.document.push(b',');
        }
        self.fields += 1;
        serde_json::to_writer(&mut self.document, name).map_err(|_| error::damaged())?;
        self.document.push(b':');
        self.document.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn record(mut self) -> Result<Record, StoreError> {
        self.document.push(b'}');
        let metadata = Metadata::from_stored(&self.document).ok_or_else(error::damaged)?;
        match self.version {
            // A value with a comma in it could otherwise bring in fields of its own.
            Some(version) if metadata.len() == self.fields => Ok(Record { metadata, version }),
            _ => Err(error::damaged()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the script joins a hash.
    fn join(entries: &[&[u8]]) -> Vec<u8> {
        let number = entries.len().to_string();
        [entries, &[number.as_bytes()]].concat().join(&0)
    }

    #[test]
    fn both_answers_are_read_alike() {
        let quoted = |length: usize| format!("\"{}\"", "x".repeat(length));
        let values: Vec<_> = [0, 29, 30, 253, 254, 65_533, 65_534].map(quoted).into();
        let names: Vec<_> = (0..values.len()).map(|n| format!("f\"{n}")).collect();
        for fields in 0..=values.len() {
            let mut entries: Vec<&[u8]> = vec![b"v", b"00f3a60b2d1c9e47"];
            for (name, value) in names.iter().zip(&values).take(fields) {
                entries.extend([name.as_bytes(), value.as_bytes()]);
            }
            let list = entries.iter().map(|entry| Value::BulkString(entry.to_vec())).collect();
            let record = joined(&join(&entries)).expect("a record");
            assert_eq!(record.metadata.len(), fields);
            assert_eq!(found(Value::Array(list)).expect("a record"), Some(record));
        }
    }

    #[test]
    fn an_answer_that_is_cut_or_has_more_in_it_is_no_record() {
        let whole = join(&[b"v", b"00f3a60b2d1c9e47", b"ftheme", b"\"dark\""]);
        assert!(joined(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(joined(&whole[..length]).is_err(), "{length}");
        }
        for entry in [&b"1\0fb\0true"[..], b"1\0", b"\0", b"1\x004"] {
            assert!(joined(&join(&[b"v", b"00f3a60b2d1c9e47", b"fa", entry])).is_err());
        }
    }
}
