use std::env;
use std::error::Error;
use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ErrorKind};
use clap::{Command, FromArgMatches};

use crate::list::trimmed;
use crate::settings::{self, Settings};

/// Reads the command line and, where that says nothing, the environment.
///
/// # Errors
///
/// A setting that cannot be used, or settings that contradict each other; or help or the version was asked for.
pub(crate) fn settings(arguments: impl IntoIterator<Item = OsString>) -> Result<Settings, clap::Error> {
    let mut arguments: Vec<_> = arguments.into_iter().filter_map(without_ends).collect();
    match settings::command().try_get_matches_from(&arguments) {
        // Whatever the environment says.
        Err(asked) if matches!(asked.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Err(asked);
        }
        _ => {}
    }
    let unread = |argument: clap::Arg| argument.env(Resettable::<clap::builder::OsStr>::Reset);
    let mut command = settings::command().mut_args(unread);
    let environment = environment(&settings::command(), &arguments);
    arguments.extend(environment.map_err(|problem| command.error(ErrorKind::InvalidUtf8, problem))?);
    let matches = command.try_get_matches_from_mut(&arguments).map_err(in_words)?;
    let settings = Settings::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    settings.check().map_err(|(kind, problem)| command.error(kind, problem))?;
    Ok(settings)
}

/// The environment variables that are set, as arguments, without those that the command line has. An empty one counts as
/// one that is not set, which clap by itself sees otherwise.
///
/// # Errors
///
/// The value of one is not UTF-8.
fn environment(command: &Command, given: &[OsString]) -> Result<Vec<OsString>, String> {
    let set = |argument: &clap::Arg| {
        let (name, flag) = (argument.get_env()?, format!("--{}", argument.get_long()?));
        let is_flag = |given: &OsString| {
            given
                .to_str()
                .and_then(|given| given.strip_prefix(&flag))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        if given.iter().any(is_flag) {
            return None;
        }
        let Some(value) = env::var_os(name)?.into_string().ok() else {
            return Some(Err(format!("{} is not UTF-8", name.display())));
        };
        without_ends(format!("{flag}={value}").into()).map(Ok)
    };
    command.get_arguments().filter_map(set).collect()
}

/// An argument without white space around its value; `None` where nothing is left after `--name=`.
fn without_ends(argument: OsString) -> Option<OsString> {
    let Some(text) = argument.to_str() else { return Some(argument) };
    match text.split_once('=') {
        Some((name, value)) if name.starts_with("--") => {
            Some(trimmed(value)).filter(|value| !value.is_empty()).map(|value| format!("{name}={value}").into())
        }
        _ => Some(trimmed(text).into()),
    }
}

/// An error of clap by the name of the setting, and with the value so that white space and control characters can be seen.
fn in_words(error: clap::Error) -> clap::Error {
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = context(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            // `--flag <NAME>`
            let name = argument.split(['<', '>']).nth(1).unwrap_or(&argument);
            let value = context(ContextKind::InvalidValue);
            let reason = match error.source() {
                Some(source) => source.to_string(),
                None => format!("possible are {}", context(ContextKind::ValidValue)),
            };
            settings::command().error(error.kind(), format!("{name} cannot be {value:?}: {reason}"))
        }
        // What follows no flag is not repeated: it may be a URL with a password.
        ErrorKind::UnknownArgument if !argument.starts_with('-') => settings::command()
            .error(ErrorKind::UnknownArgument, "settings are flags, and there is a value without one"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(arguments: &[&str]) -> Result<Settings, String> {
        let arguments = ["user-metadata-auth", "--jwks-url=https://id.example/jwks"].iter().chain(arguments);
        settings(arguments.map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn white_space_around_a_value_is_taken_off() {
        let settings = read(&["--issuer= https://id.example\r\n", "--audience", " a , b,,\n", "--leeway=\u{feff}5 "]);
        let settings = settings.expect("they can be used");
        assert_eq!(settings.issuer.as_deref(), Some("https://id.example"));
        assert_eq!(settings.audiences(), ["a", "b"]);
        assert_eq!(settings.leeway, Some(Duration::from_secs(5)));
    }

    #[test]
    fn what_cannot_be_used_is_shown_by_its_name() {
        for (arguments, words) in [
            (&["--issuer=i", "--listen=80\n80"][..], r#"LISTEN cannot be "80\n80": invalid socket address syntax"#),
            (&["--issuer=i", "--leeway=1m"], r#"LEEWAY cannot be "1m": invalid digit found in string"#),
            (
                &["--issuer=i", "--tokens=jtw"],
                r#"TOKENS cannot be "jtw": possible are jwt, supertokens, supertokens-static"#,
            ),
            (&["--issuer=i", "--log=loud"], r#"LOG cannot be "loud""#),
            (&["--issuer=i", "--offline-start=yes"], r#"OFFLINE_START cannot be "yes": possible are true, false"#),
            (&["--issuer=i", "--anti-csrf=off"], r#"ANTI_CSRF cannot be "off""#),
            (&["--issuer=i", "--session-cookie=a b"], "`a b` is not the name of a cookie"),
            (&["--issuer=i", "--token-header=a:b"], "`a:b` is not the name of a header"),
            (&["--issuer=\n", "--audience=,\t,"], "neither ISSUER nor AUDIENCE is set"),
            (&["--audience=a", "--any-audience=true"], "contradict"),
            (&["--supertokens-connection-uri=http://localhost"], "both"),
            (&["--tokens=supertokens", "--user-claim=email"], "USER_CLAIM is for TOKENS=jwt"),
            (&["--tokens=supertokens-static", "--leeway=5"], "LEEWAY is for TOKENS=jwt"),
        ] {
            let error = read(arguments).expect_err("refused");
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
        assert!(read(&["--tokens=supertokens"]).is_ok(), "they have a form of their own");
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = "postgres://app:sesame@localhost/app";
        for arguments in [&[url][..], &["--databse-url", url], &[&format!("--databse-url={url}")], &["--", url]] {
            let error = read(&[&["--issuer=i"], arguments].concat()).expect_err("refused");
            assert!(!error.contains("sesame"), "{error}");
        }
    }

    /// Names that stand in help, in the table of the documentation, and here.
    #[test]
    fn help_and_documentation_have_each_setting() {
        let names: Vec<_> = settings::command()
            .get_arguments()
            .filter_map(|argument| argument.get_env().map(|name| name.display().to_string()))
            .collect();
        let help = settings::command().render_help().to_string();
        let in_help = help.split("[env: ").skip(1).filter_map(|rest| rest.split(']').next());
        assert_eq!(in_help.collect::<Vec<_>>(), names);
        let docs = include_str!("../../forward_auth/docs.md");
        let (_, section) = docs.split_once("\n# Settings\n").expect("a chapter");
        let rows = section.split("\n# ").next().unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `"));
        assert_eq!(rows.filter_map(|row| row.split('`').next()).collect::<Vec<_>>(), names);
        for argument in settings::command().get_arguments().filter(|argument| argument.get_env().is_some()) {
            let flag = argument.get_long().expect("each has a flag").replace('-', "_").to_uppercase();
            assert_eq!(Some(flag.as_str()), argument.get_env().and_then(|name| name.to_str()));
            let id = argument.get_id().as_str();
            assert!(argument.is_hide_env_values_set(), "help would show the value of {id}");
            let default = argument.get_default_values().first().and_then(|value| value.to_str());
            let row = section.lines().find(|line| line.starts_with(&format!("| `{flag}` ")));
            if let (Some(default), Some(row)) = (default, row) {
                assert!(row.contains(&format!("`{default}`")), "the default of {flag} is {default}");
            }
        }
    }
}
