//! Contestants that take turns in one run, and the table of what they did.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use crate::measure::{self, Call, Kind, Round};
use crate::workload::Workload;

/// How long and how often.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

pub(crate) enum Contestant {
    Here { name: String, call: Call, workload: Workload },
    Elsewhere { name: String, process: Mutex<Elsewhere> },
}

impl Contestant {
    /// Fills what the calls are about.
    pub(crate) async fn filled(name: impl Into<String>, call: Call, workload: &Workload) -> Self {
        let workload = workload.anew();
        measure::fill(&call, &workload).await;
        Self::Here { name: name.into(), call, workload }
    }

    /// As another over the same documents.
    pub(crate) fn same(&self, name: impl Into<String>, call: Call) -> Self {
        match self {
            Self::Here { workload, .. } => Self::Here { name: name.into(), call, workload: workload.clone() },
            Self::Elsewhere { .. } => panic!("in another process"),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Here { name, .. } | Self::Elsewhere { name, .. } => name,
        }
    }

    async fn round(&self, kind: Kind, in_flight: usize, time: Duration) -> Round {
        match self {
            Self::Here { call, workload, .. } => measure::round(call, workload, kind, in_flight, time).await,
            Self::Elsewhere { process, .. } => {
                let mut process = process.lock().expect("whole");
                tokio::task::block_in_place(|| process.round(in_flight, time))
            }
        }
    }
}

/// A program that is asked for rounds by lines: in flight, milliseconds. It answers one by a line: seconds, latencies.
pub(crate) struct Elsewhere {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Elsewhere {
    /// Starts a package beside this one and waits until it has filled its database.
    pub(crate) fn start(manifest: &str, arguments: &[&str]) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut child = Command::new(cargo)
            .args(["run", "--quiet", "--release", "--locked", "--manifest-path", manifest, "--"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo runs");
        let asks = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut elsewhere = Self { child, asks, answers };
        assert_eq!(elsewhere.line(), "ready");
        elsewhere
    }

    pub(crate) fn named(self, name: String) -> Contestant {
        Contestant::Elsewhere { name, process: Mutex::new(self) }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        line.trim().to_owned()
    }

    fn round(&mut self, in_flight: usize, time: Duration) -> Round {
        writeln!(self.asks, "{in_flight} {}", time.as_millis()).expect("asked");
        let line = self.line();
        let mut numbers = line.split(' ');
        let seconds = numbers.next().and_then(|number| number.parse().ok()).expect("seconds");
        Round { seconds, latencies: numbers.map(|number| number.parse().expect("microseconds")).collect() }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // It ends with its input, too, when this process could not do this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rounds of each contestant.
pub(crate) struct Outcome {
    names: Vec<String>,
    rounds: Vec<Vec<Round>>,
}

/// Lets all of them have their turns, so that the moods of the machine hit them alike.
pub(crate) async fn contest(contestants: &[Contestant], kind: Kind, in_flight: usize, pace: Pace) -> Outcome {
    let mut rounds = vec![Vec::new(); contestants.len()];
    for turn in 0..=pace.rounds {
        for place in 0..contestants.len() {
            // Nobody is always the one who comes after the same other.
            let place = if turn % 2 == 0 { place } else { contestants.len() - 1 - place };
            let time = if turn == 0 { pace.time / 2 } else { pace.time };
            let round = contestants[place].round(kind, in_flight, time).await;
            // The first one warms up.
            if turn > 0 {
                rounds[place].push(round);
            }
        }
    }
    Outcome { names: contestants.iter().map(|contestant| contestant.name().to_owned()).collect(), rounds }
}

impl Outcome {
    /// The median over the rounds of how much more one did than another in the same round.
    pub(crate) fn ratio(&self, one: usize, other: usize) -> f64 {
        let pairs = self.rounds[one].iter().zip(&self.rounds[other]);
        median(pairs.map(|(one, other)| one.rate() / other.rate()).collect())
    }

    pub(crate) fn rate(&self, place: usize) -> f64 {
        median(self.rounds[place].iter().map(Round::rate).collect())
    }

    /// The latency, in microseconds, that this share of the calls of a round does not pass: the median over the rounds.
    pub(crate) fn quantile(&self, place: usize, share: f64) -> f64 {
        median(self.rounds[place].iter().map(|round| quantile(round.latencies.clone(), share)).collect())
    }

    /// The same over the calls of all rounds together.
    pub(crate) fn quantile_of_all(&self, place: usize, share: f64) -> f64 {
        quantile(self.rounds[place].iter().flat_map(|round| round.latencies.iter().copied()).collect(), share)
    }

    /// Rows of a table; the ratios are to the contestant in place 0.
    pub(crate) fn print(&self, in_flight: usize) {
        for (place, name) in self.names.iter().enumerate() {
            println!(
                "| {name} | {in_flight} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} |",
                self.rate(place),
                self.quantile(place, 0.5) / 1e3,
                self.quantile(place, 0.99) / 1e3,
                self.quantile_of_all(place, 0.99) / 1e3,
                self.ratio(place, 0),
            );
        }
    }

    /// Rows of a table; the cost is that of the contestant in place 0.
    pub(crate) fn print_growth(&self, verb: &str) {
        for (place, name) in self.names.iter().enumerate() {
            println!(
                "| {verb}, {name} | {:.0} | {:.2} | {:.2} | {:.2} |",
                self.rate(place),
                self.quantile(place, 0.5) / 1e3,
                self.quantile(place, 0.99) / 1e3,
                self.ratio(0, place),
            );
        }
    }
}

pub(crate) fn heading(title: &str, note: &str) {
    println!("\n### {title}\n\n{note}\n");
    println!("| | in flight | calls/s | p50, ms | p99, ms | p99 of all rounds, ms | × the first |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
}

pub(crate) fn growth_heading(title: &str) {
    println!("\n### Growth, {title}\n");
    println!("| 16 in flight | calls/s | p50, ms | p99, ms | cost × the first |");
    println!("|---|---:|---:|---:|---:|");
}

fn quantile(mut latencies: Vec<u32>, share: f64) -> f64 {
    latencies.sort_unstable();
    let last = latencies.len().saturating_sub(1);
    latencies.get((last as f64 * share).round() as usize).copied().map_or(f64::NAN, f64::from)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
