//! Which server of a Cluster has which keys.

use redis::Value;

use crate::store::redis::address::Address;

/// The number of slots that keys fall into.
pub(super) const SLOTS: u16 = 16_384;

/// The slot of a key: of what is between its first braces, when there is something, else of all of it
/// (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>).
pub(super) fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key).as_bytes()) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8)
            .fold(crc ^ (u16::from(*byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

/// A range of slots, and the primary that has them.
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: Address,
}

/// What `CLUSTER SLOTS` answers; `None` when it is something else. `asked` is the server that answered.
pub(super) fn ranges(answer: &Value, asked: &Address) -> Option<Vec<Range>> {
    let Value::Array(entries) = answer else { return None };
    let mut ranges = Vec::with_capacity(entries.len());
    for entry in entries {
        let Value::Array(entry) = entry else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = entry.as_slice() else { return None };
        let [host, Value::Int(port), ..] = primary.as_slice() else { return None };
        let host = match host {
            Value::BulkString(host) => std::str::from_utf8(host).ok()?,
            Value::Nil => "",
            _ => return None,
        };
        let (first, last, port) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?, u16::try_from(*port).ok()?);
        if last >= SLOTS {
            return None;
        }
        if let Some(primary) = Address::named(host, port, asked) {
            ranges.push(Range { first, last, primary });
        }
    }
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
        assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot("foo{{bar}}zap"), crc16(b"{bar") % SLOTS);
        assert_eq!(slot("foo{bar}{zap}"), crc16(b"bar") % SLOTS);
    }

    #[test]
    fn ranges_are_read_or_refused() {
        let asked = Address::Tcp("asked".to_owned(), 1);
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())]);
        let entry = |first, last, node| Value::Array(vec![Value::Int(first), Value::Int(last), node]);
        let named = |host: &str| Value::BulkString(host.as_bytes().to_vec());
        let answer = Value::Array(vec![
            entry(0, 5, node(named("a"), 7)),
            entry(6, 6, node(Value::Nil, 8)),
            entry(7, 16_383, node(named("?"), 9)),
        ]);
        let ranges = |answer: &Value| {
            let ranges = ranges(answer, &asked)?;
            Some(ranges.into_iter().map(|range| (range.first, range.last, range.primary)).collect::<Vec<_>>())
        };
        let (a, same) = (Address::Tcp("a".to_owned(), 7), Address::Tcp("asked".to_owned(), 8));
        assert!(ranges(&answer) == Some(vec![(0, 5, a), (6, 6, same)]));
        for odd in
            [Value::Nil, Value::Array(vec![Value::Okay]), Value::Array(vec![entry(0, 16_384, node(named("a"), 7))])]
        {
            assert!(ranges(&odd).is_none());
        }
    }
}
