//! What is asked of a server about itself and its Cluster.

use redis::{Cmd, RedisConnectionInfo, ServerError, Value, cmd};

use crate::store::StoreError;
use crate::store::redis::error::refused;
use crate::store::redis::refusal::is_unknown_command;

/// Says who we are, and chooses the database.
pub(in super::super) fn login(login: &RedisConnectionInfo) -> Vec<Cmd> {
    let mut commands = Vec::new();
    if let Some(password) = login.password() {
        let mut command = cmd("AUTH");
        if let Some(user) = login.username() {
            command.arg(user);
        }
        command.arg(password);
        commands.push(command);
    }
    if login.db() != 0 {
        let mut command = cmd("SELECT");
        command.arg(login.db());
        commands.push(command);
    }
    commands
}

/// Whether a refusal is of everything that a connection may ask.
pub(in super::super) fn lets_nobody_in(refusal: &ServerError) -> bool {
    let full = refusal.details().is_some_and(|text| text.starts_with("max number of clients"));
    matches!(refusal.code(), "NOAUTH" | "DENIED") || (refusal.code() == "ERR" && full)
}

pub(in super::super) fn server_kind() -> Cmd {
    let mut command = cmd("INFO");
    command.arg("cluster");
    command
}

/// Whether `INFO` tells that the server is one of a Cluster. A server that does not let us ask, or a proxy that does not know
/// the command, is taken for one that is not.
pub(in super::super) fn is_cluster(answer: &Value) -> Result<bool, StoreError> {
    match answer {
        Value::BulkString(text) => {
            Ok(text.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"cluster_enabled:1")))
        }
        Value::ServerError(error) if error.kind() == Some(redis::ServerErrorKind::NoPerm) => Ok(false),
        Value::ServerError(error) if error.details().is_some_and(is_unknown_command) => Ok(false),
        other => Err(refused(other.clone())),
    }
}

pub(in super::super) fn slots() -> Cmd {
    let mut command = cmd("CLUSTER");
    command.arg("SLOTS");
    command
}

/// Lets a server take the next command for a slot that it is about to get.
pub(in super::super) fn asking() -> Cmd {
    cmd("ASKING")
}

/// What a server says of itself, which every user may ask.
pub(in super::super) fn hello() -> Cmd {
    cmd("HELLO")
}

/// Whether [`hello`] tells of a primary.
pub(in super::super) fn is_primary(answer: &Value) -> bool {
    let Value::Map(lines) = answer else { return false };
    let text = |value: &Value| match value {
        Value::BulkString(text) => Some(text.clone()),
        Value::SimpleString(text) => Some(text.clone().into_bytes()),
        _ => None,
    };
    lines
        .iter()
        .any(|(name, value)| text(name).as_deref() == Some(b"role") && text(value).as_deref() == Some(b"master"))
}

pub(in super::super) fn cluster_state() -> Cmd {
    let mut command = cmd("CLUSTER");
    command.arg("INFO");
    command
}

/// The number of primaries with slots, and the epoch, which changes when a slot gets another one.
pub(in super::super) fn shape(answer: &Value) -> Option<(usize, u64)> {
    let text = match answer {
        Value::BulkString(text) => std::str::from_utf8(text).ok()?,
        Value::VerbatimString { text, .. } => text,
        _ => return None,
    };
    let number = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    Some((number("cluster_size")?.parse().ok()?, number("cluster_current_epoch")?.parse().ok()?))
}
