//! What the refusals of a server mean to an operator.

use std::borrow::Cow;

use crate::store::StoreErrorKind;

/// The commands of the store: no other word of a server's text is repeated.
const COMMANDS: &[&str] = &[
    "asking", "auth", "client", "cluster", "eval", "evalsha", "exists", "hdel", "hello", "hget", "hgetall", "hset",
    "info", "persist", "pexpire", "script", "select", "unlink", "wait",
];

/// The kind and the meaning of a refusal, in which only the code and names of our own commands come from the server.
pub(super) fn explained(code: &str, details: &str) -> (StoreErrorKind, Cow<'static, str>) {
    use StoreErrorKind::{Corrupt, Internal, Unavailable};
    let (kind, reason) = match code {
        // What passes by itself.
        "LOADING" => (Unavailable, "the server is loading its data after a start (LOADING)"),
        "MASTERDOWN" => (Unavailable, "the server is a replica that has lost its primary (MASTERDOWN)"),
        "CLUSTERDOWN" => (Unavailable, "a part of the Cluster has no primary (CLUSTERDOWN)"),
        "TRYAGAIN" => (Unavailable, "a slot of the Cluster is being moved (TRYAGAIN)"),
        "READONLY" => (Unavailable, "the server is a replica, which takes no writes (READONLY)"),
        "OOM" => (Unavailable, "the server has used up its `maxmemory` and takes no writes (OOM)"),
        "MISCONF" => (
            Unavailable,
            "the server takes no writes since it cannot save them to its disk; its log says why (MISCONF)",
        ),
        "NOREPLICAS" => (Unavailable, "the server has fewer replicas than its `min-replicas-to-write` (NOREPLICAS)"),
        "BUSY" => (Unavailable, "the server is busy with a script that runs for long (BUSY)"),
        "ERR" if details.starts_with("max number of clients") => {
            (Unavailable, "the server has as many clients as its `maxclients` allows")
        }
        // What somebody has to mend.
        "WRONGPASS" => (Internal, "the server does not accept the user name or the password of the URL (WRONGPASS)"),
        "NOAUTH" => (Internal, "the server demands a password, and the URL has none (NOAUTH)"),
        "DENIED" => {
            (Internal, "the server is in protected mode: without a password it serves its own machine only (DENIED)")
        }
        "ERR" if details.contains("without any password configured") => {
            (Internal, "the URL has a password, and the server has none for the default user")
        }
        "ERR" if details.contains("DB index") || details.contains("database index") => {
            (Internal, "the server has no database of the number in the URL")
        }
        "MOVED" | "ASK" => (Internal, "the server is one of a Cluster, which `redis+cluster:` opens"),
        "WRONGTYPE" => (Corrupt, "the key of the user holds something else than a hash (WRONGTYPE)"),
        _ => return (Internal, other(code, details)),
    };
    (kind, Cow::Borrowed(reason))
}

fn other(code: &str, details: &str) -> Cow<'static, str> {
    let command = named_command(details);
    let keys = details.contains(" key");
    // From inside a script: Redis says the second and the third, Valkey the fourth.
    let right = code == "NOPERM"
        || details.contains("can't run this command")
        || details.contains("can't access at least")
        || details.starts_with("ACL failure in script");
    match (code, command) {
        ("ERR", Some(command)) if is_unknown_command(details) => {
            format!("the server, or a proxy before it, does not know the command `{command}`").into()
        }
        (_, Some(command)) if right => {
            format!("the user has no right to the command `{command}`; the ACL of the server decides (NOPERM)").into()
        }
        (_, None) if right && keys => "the user has no right to the keys of the store; the ACL of the server decides \
                                       (NOPERM)"
            .into(),
        (_, None) if right => {
            "the user has no right to a command of the store; the ACL of the server decides (NOPERM)".into()
        }
        _ if is_code(code) => format!("the server refused the command ({code})").into(),
        _ => "the server refused the command, by an error without a code".into(),
    }
}

/// Whether the text of an `ERR` says that the server, or a proxy before it, has no such command, or that it is disabled.
pub(super) fn is_unknown_command(details: &str) -> bool {
    let details = details.to_ascii_lowercase();
    let unknown = [
        "unknown command",
        "unsupported command",
        "command not supported",
        "command is not allowed",
        "unknown subcommand",
    ];
    unknown.iter().any(|words| details.contains(words)) || (details.contains("command") && details.contains("disabled"))
}

/// The command of ours that a text names first.
fn named_command(details: &str) -> Option<&'static str> {
    let words = details.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    // "script" is also what a text says of where it is, and a name that is quoted stands first.
    let mut quoted = details
        .split(['\'', '`', '"'])
        .skip(1)
        .step_by(2)
        .map(|text| text.split(['|', ' ']).next().unwrap_or_default());
    let known = |word: &str| COMMANDS.iter().copied().find(|command| command.eq_ignore_ascii_case(word));
    quoted.find_map(known).or_else(|| words.filter(|word| *word != "script").find_map(known))
}

fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= 32 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> (StoreErrorKind, String) {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("a reply");
        let redis::Value::ServerError(error) = value else { panic!("{line} is no error") };
        let (kind, reason) = explained(error.code(), error.details().unwrap_or_default());
        (kind, reason.into_owned())
    }

    #[test]
    fn each_refusal_has_a_kind_and_a_meaning() {
        use StoreErrorKind::{Corrupt, Internal, Unavailable};
        for (line, kind, meaning) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", Unavailable, "maxmemory"),
            ("READONLY You can't write against a read only replica.", Unavailable, "replica"),
            ("LOADING Redis is loading the dataset in memory", Unavailable, "loading"),
            ("CLUSTERDOWN Hash slot not served", Unavailable, "no primary"),
            ("MISCONF Errors writing to the AOF file", Unavailable, "disk"),
            ("NOREPLICAS Not enough good replicas to write.", Unavailable, "replicas"),
            ("ERR max number of clients reached", Unavailable, "maxclients"),
            ("MOVED 3999 127.0.0.1:6381", Internal, "redis+cluster:"),
            ("NOSCRIPT No matching script.", Internal, "NOSCRIPT"),
            ("NOAUTH Authentication required.", Internal, "the URL has none"),
            ("WRONGPASS invalid username-password pair or user is disabled.", Internal, "password"),
            ("DENIED Redis is running in protected mode because", Internal, "protected mode"),
            ("ERR AUTH <password> called without any password configured for the default user.", Internal, "has none"),
            ("ERR DB index is out of range", Internal, "no database of the number"),
            ("ERR invalid DB index", Internal, "no database of the number"),
            ("NOPERM this user has no permissions to access the 'secret' key", Internal, "right to the keys"),
            (
                "NOPERM this user has no permissions to access one of the keys used as arguments",
                Internal,
                "right to the keys",
            ),
            ("NOPERM No permissions to access a key", Internal, "right to the keys"),
            ("NOPERM User secret has no permissions to run the 'evalsha' command", Internal, "command `evalsha`"),
            (
                "NOPERM User secret has no permissions to run the 'client|tracking' command",
                Internal,
                "command `client`",
            ),
            (
                "NOPERM this user has no permissions to run the 'hgetall' command or its subcommand",
                Internal,
                "`hgetall`",
            ),
            ("NOPERM this user has no permissions to run the 'secret' command", Internal, "a command of the store"),
            ("ERR unknown command 'EVALSHA', with args beginning with: 'secret' 'secret'", Internal, "does not know"),
            ("ERR unknown command `INFO`, with args beginning with: `secret`", Internal, "command `info`"),
            ("ERR unsupported command 'hello'", Internal, "command `hello`"),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Corrupt, "a hash"),
            ("ERR Error running script secret", Internal, "(ERR)"),
            (
                "ERR ACL failure in script: User secret has no permissions to run the 'hgetall' command script: on \
                 @user_script:1.",
                Internal,
                "command `hgetall`",
            ),
            ("ERR ACL failure in script: No permissions to access a key script: on", Internal, "right to the keys"),
            ("secret of a proxy", Internal, "without a code"),
        ] {
            let (found, reason) = refused(line);
            assert_eq!(found, kind, "{line}");
            assert!(reason.contains(meaning), "{line}: {reason}");
            assert!(!reason.contains("secret") && !reason.contains("127.0.0.1"), "{reason}");
        }
    }
}
