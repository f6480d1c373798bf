//! The table of answers in the documentation, made from what the examples answered.

use std::fmt::Write;
use std::path::Path;

use tonic::Code;
use tower_user_metadata::conformance::adapter::{Checked, Report};

use crate::EXAMPLES;
use crate::differences::{differences, rows_of_its_own};

/// Compares the table with the one in the documentation; with the environment variable `UPDATE_POLICY` it writes that.
pub(crate) fn check(report: &Report, codes: &[Option<Code>]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapter/policy.md");
    let policy = render(report, codes);
    if std::env::var_os("UPDATE_POLICY").is_some() {
        std::fs::write(&file, &policy).expect("the file can be written");
    }
    let documented = std::fs::read_to_string(&file).expect("the file is committed");
    assert!(documented == policy, "{} is not what the examples answer: set UPDATE_POLICY=1", file.display());
}

fn render(report: &Report, codes: &[Option<Code>]) -> String {
    let mut text = "# Every request and its answer\n\n".to_owned();
    let line = |text: &mut String, line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("memory");
    let (last, others) = EXAMPLES.split_last().expect("examples");
    line(
        &mut text,
        format_args!(
            "The applications in `examples/` gave these answers over a socket, byte for byte the same: {} and\n\
             {last}. The last column is the status of the same call to tonic, with the same message; `-` where gRPC has no such request.\n",
            others.join(", ")
        ),
    );
    line(&mut text, format_args!("| Request | Status | Body | gRPC |\n|---|---|---|---|"));
    for (Checked { name, answer, .. }, code) in report.checked().iter().zip(codes) {
        let code = code.map_or_else(|| "-".to_owned(), |code| format!("{code:?}"));
        let body = match answer.body_text() {
            body if body.is_empty() => body,
            body => format!("`{}`", body.replace('|', "\\|")),
        };
        line(&mut text, format_args!("| {name} | {} | {body} | {code} |", answer.status()));
    }
    line(&mut text, format_args!("\nWhat servers and routers answer differently, to requests with a good session:\n"));
    line(&mut text, format_args!("| Request | Status | Except |\n|---|---|---|"));
    for difference in differences() {
        let except: Vec<_> = difference.except.iter().map(|(name, status)| format!("{name} {status}")).collect();
        line(&mut text, format_args!("| {} | {} | {} |", difference.name, difference.status, except.join(", ")));
    }
    for (name, row) in EXAMPLES.iter().flat_map(|name| rows_of_its_own(name).iter().map(move |row| (name, row))) {
        line(&mut text, format_args!("| {row} | as above | {name} sees no such header |"));
    }
    text
}
