use std::fmt;

use super::{Answer, Request};

/// What a run of [`check`](super::check) saw: every request of the table with its answer, all of them as they should be.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Report {
    checked: Vec<Checked>,
}

/// One request of the table and its answer.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What was asked.
    pub name: String,
    /// The request itself.
    pub request: Request,
    /// What was answered.
    pub answer: Answer,
}

impl Report {
    pub(super) fn add(&mut self, name: String, request: Request, answer: Answer) {
        self.checked.push(Checked { name, request, answer });
    }

    /// The requests in the order in which they were made.
    #[must_use]
    pub fn checked(&self) -> &[Checked] {
        &self.checked
    }
}

/// A Markdown table.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| Request | Status | Body |\n|---|---|---|")?;
        self.checked.iter().try_for_each(|Checked { name, answer, .. }| {
            writeln!(f, "| {name} | {} | `{}` |", answer.status(), answer.body_text().replace('|', "\\|"))
        })
    }
}
