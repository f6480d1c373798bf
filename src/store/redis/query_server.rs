//! The commands that are about a server or its Cluster, and not about a key.

use redis::{Cmd, RedisConnectionInfo, ServerError, Value, cmd};

use super::error::refused;
use super::refusal::is_unknown_command;
use crate::store::StoreError;

/// Authenticates and selects the database.
pub(super) fn login(login: &RedisConnectionInfo) -> Vec<Cmd> {
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

/// Whether the server refuses every command on this connection, not only the one that was sent.
pub(super) fn refuses_everything(refusal: &ServerError) -> bool {
    let full = refusal.details().is_some_and(|text| text.starts_with("max number of clients"));
    matches!(refusal.code(), "NOAUTH" | "DENIED") || (refusal.code() == "ERR" && full)
}

pub(super) fn server_kind() -> Cmd {
    let mut command = cmd("INFO");
    command.arg("server");
    command
}

/// What a server is.
#[derive(Debug, PartialEq)]
pub(super) enum ServerKind {
    Alone,
    OfCluster,
    /// It watches others, and keeps nothing.
    Sentinel,
}

/// What `INFO` tells of a server. One that does not let us ask, or a proxy that does not know the command, is taken for one
/// that stands alone.
pub(super) fn kind(answer: &Value) -> Result<ServerKind, StoreError> {
    let text = match answer {
        Value::BulkString(text) => text,
        Value::ServerError(error) if error.kind() == Some(redis::ServerErrorKind::NoPerm) => {
            return Ok(ServerKind::Alone);
        }
        Value::ServerError(error) if error.details().is_some_and(is_unknown_command) => return Ok(ServerKind::Alone),
        other => return Err(refused(other.clone())),
    };
    // Valkey calls it by the second name.
    let mode = text
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"redis_mode:").or_else(|| line.strip_prefix(b"server_mode:")));
    Ok(match mode.unwrap_or_default().trim_ascii() {
        b"cluster" => ServerKind::OfCluster,
        b"sentinel" => ServerKind::Sentinel,
        _ => ServerKind::Alone,
    })
}

pub(super) fn slots() -> Cmd {
    let mut command = cmd("CLUSTER");
    command.arg("SLOTS");
    command
}

/// Lets a server take the next command for a slot that it is about to get.
pub(super) fn asking() -> Cmd {
    cmd("ASKING")
}

/// What a server says of itself, which every user may ask.
pub(super) fn hello() -> Cmd {
    cmd("HELLO")
}

/// Whether [`hello`] tells of a primary.
pub(super) fn is_primary(answer: &Value) -> bool {
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

pub(super) fn cluster_state() -> Cmd {
    let mut command = cmd("CLUSTER");
    command.arg("INFO");
    command
}

/// The number of primaries with slots, and the epoch, which changes when a slot gets another one.
pub(super) fn shape(answer: &Value) -> Option<(usize, u64)> {
    let text = match answer {
        Value::BulkString(text) => std::str::from_utf8(text).ok()?,
        Value::VerbatimString { text, .. } => text,
        _ => return None,
    };
    let number = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    Some((number("cluster_size")?.parse().ok()?, number("cluster_current_epoch")?.parse().ok()?))
}
