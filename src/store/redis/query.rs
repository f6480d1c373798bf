//! The commands about keys: what is sent, and what the answers mean. Those about servers are in `query_server`.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, Script, Value, cmd};

use super::error;
use super::record::{self, ROOT_FIELD};
use super::refusal::is_unknown_command;
use crate::metadata::{InvalidMetadata, InvalidMetadataKind, Limits, MetadataUpdate, Precondition, Record, Version};
use crate::store::{Namespace, StoreError};
use crate::user_id::UserId;

const UPDATE: &str = include_str!("update.lua");
const CLEAR: &str = include_str!("clear.lua");

static UPDATE_DIGEST: LazyLock<String> = LazyLock::new(|| Script::new(UPDATE).get_hash().to_owned());
static CLEAR_DIGEST: LazyLock<String> = LazyLock::new(|| Script::new(CLEAR).get_hash().to_owned());

/// How a script is named: by its digest, which needs no more bytes, or whole, when the server does not know it yet.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum By {
    Digest,
    Text,
}

/// Makes the keys of one namespace.
pub(super) struct Keys {
    stem: String,
}

impl Keys {
    /// `prefix` has no braces.
    pub(super) fn new(prefix: &str, namespace: &Namespace) -> Self {
        let namespace = escaped(namespace.as_str());
        Self { stem: format!("{prefix}:{{{}:{namespace}:", namespace.len()) }
    }

    /// The key of a user, `prefix:{6:public:alice}`: no two users have one key, since the namespace is told by its
    /// length, and what is between the braces decides alone on the slot in a Cluster, since no id brings braces in.
    pub(super) fn of(&self, user: &UserId) -> String {
        format!("{}{}}}", self.stem, escaped(user.as_str()))
    }

    /// The user whose key this is.
    pub(super) fn user(&self, key: &str) -> Option<UserId> {
        let id = key.strip_prefix(&self.stem)?.strip_suffix('}')?;
        UserId::new(id.replace("%7D", "}").replace("%7B", "{").replace("%25", "%")).ok()
    }

    /// Makes the server tell which of these keys change, by whomever.
    pub(super) fn track(&self) -> Cmd {
        let mut command = cmd("CLIENT");
        command.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(&self.stem);
        command
    }
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('{', "%7B").replace('}', "%7D")
}

pub(super) fn get(key: &str) -> Cmd {
    let mut command = cmd("HGETALL");
    command.arg(key);
    command
}

/// What an update is sent with.
pub(super) struct Terms {
    pub(super) when: Precondition,
    pub(super) fresh: Version,
    pub(super) limits: Limits,
    /// Zero: for ever.
    pub(super) time_to_live: Duration,
}

pub(super) fn update(by: By, key: &str, update: &MetadataUpdate, terms: &Terms) -> Cmd {
    let mut command = script(by, UPDATE, &UPDATE_DIGEST, key, &terms.when);
    command
        .arg(terms.fresh.to_string())
        .arg(terms.limits.document_bytes())
        .arg(terms.limits.root_fields())
        .arg(u64::try_from(terms.time_to_live.as_millis()).unwrap_or(u64::MAX));
    let removed: Vec<_> = update.fields().filter(|(_, value)| value.is_none()).collect();
    command.arg(removed.len());
    for (name, _) in removed {
        command.arg(hash_field(name));
    }
    for (name, value) in update.fields().filter_map(|(name, value)| Some((name, value?))) {
        command.arg(hash_field(name)).arg(value.get());
    }
    command
}

pub(super) fn clear(by: By, key: &str, when: &Precondition) -> Cmd {
    script(by, CLEAR, &CLEAR_DIGEST, key, when)
}

/// Makes the scripts known to a server.
pub(super) fn scripts() -> [Cmd; 2] {
    [UPDATE, CLEAR].map(|text| {
        let mut command = cmd("SCRIPT");
        command.arg("LOAD").arg(text);
        command
    })
}

/// Waits until so many replicas have what this connection wrote so far.
pub(super) fn wait(replicas: u32, at_most: Duration) -> Cmd {
    let mut command = cmd("WAIT");
    // Zero would be for ever.
    command.arg(replicas).arg(u64::try_from(at_most.as_millis()).unwrap_or(u64::MAX).max(1));
    command
}

fn script(by: By, text: &str, digest: &str, key: &str, when: &Precondition) -> Cmd {
    let mut command = match by {
        By::Digest => cmd("EVALSHA"),
        By::Text => cmd("EVAL"),
    };
    command.arg(if by == By::Digest { digest } else { text }).arg(1).arg(key);
    match when {
        Precondition::None => command.arg(""),
        Precondition::Exists => command.arg("*"),
        Precondition::Absent => command.arg("-"),
        Precondition::Version(version) => command.arg(version.to_string()),
    };
    command
}

fn hash_field(name: &str) -> String {
    format!("{ROOT_FIELD}{name}")
}

/// Whether a script that was named by its digest has to be sent whole: the server does not know it, or does not take digests.
/// Nothing was run then.
pub(super) fn wants_text(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else { return false };
    let details = error.details().unwrap_or_default();
    let names_command = details.to_ascii_lowercase().contains("evalsha");
    match error.kind() {
        Some(redis::ServerErrorKind::NoScript) => true,
        Some(redis::ServerErrorKind::NoPerm) => names_command,
        _ => names_command && is_unknown_command(details),
    }
}

/// The number of replicas that `WAIT` tells.
pub(super) fn replicas(answer: &Value) -> Option<i64> {
    match answer {
        Value::Int(replicas) => Some(*replicas),
        _ => None,
    }
}

/// What [`update`] answers.
pub(super) fn updated(answer: Value, limits: &Limits) -> Result<Record, StoreError> {
    let too = |kind, limit| Err(InvalidMetadata::new(kind, limit).into());
    match answer {
        Value::Int(1) => too(InvalidMetadataKind::TooManyFields, limits.root_fields()),
        Value::Int(2) => too(InvalidMetadataKind::DocumentTooLarge, limits.document_bytes()),
        Value::Int(3) => Err(error::damaged()),
        Value::Array(broken) => match &broken[..] {
            [Value::BulkString(version)] => Err(precondition_failed(version)),
            _ => Err(not_written(Value::Array(broken))),
        },
        // It is written, and something else in the hash cannot be read.
        Value::BulkString(hash) => record::joined(&hash).map_err(StoreError::with_may_have_happened),
        other => Err(not_written(other)),
    }
}

/// What [`clear`] answers.
pub(super) fn cleared(answer: Value) -> Result<(), StoreError> {
    match answer {
        Value::Array(_) => Ok(()),
        Value::BulkString(version) => Err(precondition_failed(&version)),
        Value::Int(3) => Err(error::damaged()),
        other => Err(not_written(other)),
    }
}

fn precondition_failed(version: &[u8]) -> StoreError {
    if version.is_empty() {
        return StoreError::precondition_failed(None);
    }
    let version = std::str::from_utf8(version).ok().and_then(|version| version.parse().ok());
    version.map_or_else(error::damaged, |version| StoreError::precondition_failed(Some(version)))
}

/// The refusal of a write, or an answer that says nothing about it.
fn not_written(answer: Value) -> StoreError {
    match answer {
        Value::ServerError(_) => error::refused(answer),
        _ => error::unexpected().with_may_have_happened(),
    }
}
