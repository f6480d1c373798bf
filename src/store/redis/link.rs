//! One connection to one server: shared by all calls, and made anew when it was lost. A call is sent at most once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Pipeline, ServerErrorKind, Value};
use tokio::sync::watch;
use tokio::time::Instant;

use super::address::Address;
use super::connect::Connector;
use super::connection::Connection;
use super::error::{Cause, Failure};
use crate::store::StoreErrorKind;
use crate::store::deadline::timeout_at;

/// The longest pause after the first attempt to connect that failed; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// A server that comes back is found at most this much later.
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

/// A server, and the connection to it while there is one.
pub(super) struct Link {
    address: Address,
    connector: Arc<Connector>,
    state: Mutex<State>,
}

enum State {
    Down(Option<Pause>),
    Connecting(watch::Receiver<Option<Attempt>>),
    Up(Arc<Connection>),
}

/// After a failure: until then calls fail at once for the same cause.
struct Pause {
    until: Instant,
    failures: u32,
    cause: Cause,
}

type Attempt = Result<Arc<Connection>, Cause>;

impl Link {
    pub(super) fn new(address: Address, connector: Arc<Connector>) -> Arc<Self> {
        Arc::new(Self { address, connector, state: Mutex::new(State::Down(None)) })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Sends commands in one piece and waits for all answers; an error of the server is an answer.
    pub(super) async fn call(self: &Arc<Self>, commands: &Pipeline, deadline: Instant) -> Result<Vec<Value>, Failure> {
        let late = || Cause::late().at(&self.address);
        let connection = match timeout_at(deadline, self.connection()).await {
            Ok(attempt) => attempt.map_err(Failure::NotSent)?,
            Err(_) => return Err(Failure::NotSent(late())),
        };
        let mut calls = connection.calls.clone();
        let outcome = timeout_at(deadline, calls.send_packed_commands(commands, 0, commands.len())).await;
        let useless = match &outcome {
            // The name of the server may lead to another one by now, which takes writes.
            Ok(Ok(answers)) => answers.iter().any(is_read_only),
            // When the deadline passed, the server may be gone without a word, and later calls would wait for it, too.
            Ok(Err(_)) | Err(_) => true,
        };
        if useless {
            self.give_up(&connection);
        }
        match outcome {
            Ok(answers) => answers.map_err(|error| Failure::NoAnswer(Cause::connection(error).at(&self.address))),
            Err(_) => Err(Failure::NoAnswer(late())),
        }
    }

    /// Keeps no connection; calls that are under way end with theirs.
    pub(super) fn close(&self) {
        *self.state() = State::Down(None);
    }

    async fn connection(self: &Arc<Self>) -> Attempt {
        let mut attempt = {
            let mut state = self.state();
            match &*state {
                State::Up(connection) if !connection.driver.is_finished() => return Ok(connection.clone()),
                State::Down(Some(pause)) if Instant::now() < pause.until => return Err(pause.cause.clone()),
                // One whose runtime was shut down has no sender any more.
                State::Connecting(attempt) if attempt.has_changed().is_ok() => attempt.clone(),
                State::Down(Some(pause)) => self.start(pause.failures, &mut state),
                State::Down(None) | State::Connecting(_) | State::Up(_) => self.start(0, &mut state),
            }
        };
        match attempt.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            Ok(None) | Err(_) => Err(Cause::new(StoreErrorKind::Unavailable, "the attempt to connect was cut short")),
        }
    }

    /// Connects in a task of its own, since the call that needs the connection first may be dropped.
    fn start(self: &Arc<Self>, failures: u32, state: &mut State) -> watch::Receiver<Option<Attempt>> {
        let (sender, receiver) = watch::channel(None);
        *state = State::Connecting(receiver.clone());
        let (link, attempt) = (self.clone(), receiver.clone());
        tokio::spawn(async move {
            let outcome = link.connector.connect(&link.address).await.map(Arc::new);
            {
                let mut state = link.state();
                // Else the link was closed meanwhile.
                if matches!(&*state, State::Connecting(current) if current.same_channel(&attempt)) {
                    *state = match &outcome {
                        Ok(connection) => State::Up(connection.clone()),
                        Err(cause) => State::Down(Some(Pause::after(failures, cause.clone()))),
                    };
                }
            }
            sender.send_replace(Some(outcome));
        });
        receiver
    }

    fn give_up(&self, connection: &Arc<Connection>) {
        let mut state = self.state();
        if matches!(&*state, State::Up(current) if Arc::ptr_eq(current, connection)) {
            *state = State::Down(None);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a poisoned lock guards a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pause {
    fn after(failures: u32, cause: Cause) -> Self {
        let longest = LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.pow(failures.min(5)));
        Self { until: Instant::now() + jitter(longest), failures: failures.saturating_add(1), cause }
    }
}

/// Between half of a pause and all of it, so that many clients of one server do not come back at once.
pub(super) fn jitter(longest: Duration) -> Duration {
    let half = longest / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
    // Without randomness the pauses are merely alike.
    half + Duration::from_nanos(getrandom::u64().unwrap_or(nanos) % nanos.saturating_add(1))
}

fn is_read_only(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::ReadOnly))
}
