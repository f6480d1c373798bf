use std::fmt;

use super::probe::Violation;

/// What a run of [`check`](super::check) did: the promises that hold, and how many vectors of each family were run.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Report {
    promises: Vec<&'static str>,
    tallies: Vec<Tally>,
}

impl Report {
    pub(super) fn holds(&mut self, check: &'static str) {
        self.promises.push(check);
    }

    pub(super) fn counted(&mut self, tally: Tally) {
        self.tallies.push(tally);
    }

    /// The names of the checks that passed, in the order in which they ran.
    #[must_use]
    pub fn promises(&self) -> &[&'static str] {
        &self.promises
    }

    /// The vectors that were run.
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "store contract: {} promises hold: {}", self.promises.len(), self.promises.join(", "))?;
        self.tallies.iter().try_for_each(|tally| writeln!(f, "{tally}"))
    }
}

/// How many rows of a family of vectors were run, and with what outcome; all of them were as expected.
#[derive(Clone, Debug)]
#[must_use]
pub struct Tally {
    family: &'static str,
    accepted: usize,
    refused: usize,
    policy: Vec<String>,
}

impl Tally {
    /// The family, for example `metadata/update_vectors`.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.family
    }

    /// All rows that were run.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.accepted + self.refused + self.policy.len()
    }

    /// The rows that were accepted.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// The rows that were refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// The rows where either answer can be defended, each with the answer of this crate.
    #[must_use]
    pub fn policy(&self) -> &[String] {
        &self.policy
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (family, accepted, refused, policy) = (self.family, self.accepted, self.refused, self.policy.len());
        write!(f, "vectors: {family} {} rows, {accepted} accepted, {refused} refused, {policy} policy", self.rows())?;
        self.policy.iter().try_for_each(|answer| write!(f, "\n  policy: {answer}"))
    }
}

/// The outcome of one row that went as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    Policy(String),
}

/// Collects the outcomes of the rows of a family, so that one bad row does not hide the next.
#[derive(Debug)]
pub(super) struct Rows {
    tally: Tally,
    failures: Vec<String>,
}

impl Rows {
    pub(super) fn of(family: &'static str) -> Self {
        let tally = Tally { family, accepted: 0, refused: 0, policy: Vec::new() };
        Self { tally, failures: Vec::new() }
    }

    pub(super) fn add(&mut self, id: &str, outcome: Result<Verdict, String>) {
        match outcome {
            Ok(Verdict::Accepted) => self.tally.accepted += 1,
            Ok(Verdict::Refused) => self.tally.refused += 1,
            Ok(Verdict::Policy(answer)) => self.tally.policy.push(format!("{id}: {answer}")),
            Err(failure) => self.failures.push(format!("{id}: {failure}")),
        }
    }

    pub(super) fn finish(self, promise: &'static str) -> Result<Tally, Violation> {
        if self.failures.is_empty() {
            return Ok(self.tally);
        }
        let (failed, family) = (self.failures.len(), self.tally.family);
        let rows = self.tally.rows() + failed;
        let detail = format!("{failed} of {rows} rows of {family} fail:\n  {}", self.failures.join("\n  "));
        Err(Violation { promise, detail })
    }
}
