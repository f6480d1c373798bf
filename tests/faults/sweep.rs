//! Connections that are cut, fall silent or pause after each byte of an exchange, each way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tower_user_metadata::store::MetadataStore;
use tower_user_metadata::{Precondition, Record, StoreError, StoreErrorKind};

use crate::backend::{Backend, How, Net, put, recovered, update};
use crate::proxy::{Fault, Way};
use crate::support::vectors::say;
use crate::user;

const OLD: &str = r#"{"a":0,"gone":true}"#;
const UPDATE: &str = r#"{"a":1,"b":1,"gone":null}"#;
const NEW: &str = r#"{"a":1,"b":1}"#;

/// Shorter than a hole, longer than a pause.
const DEADLINE: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(25);

/// An exchange, and after which of its bytes what happens to it.
#[derive(Clone, Copy, Debug)]
struct Sweep {
    write: Write,
    way: Way,
    fault: Fault,
    /// It begins with making the connection.
    cold: bool,
    after: Every,
}

#[derive(Clone, Copy, Debug)]
enum Every {
    Byte,
    /// So many of the bytes of an exchange.
    Of(usize),
}

impl Every {
    /// `FAULTS_EVERY_BYTE` makes it each byte, which takes the better part of an hour.
    fn step(self, bytes: usize) -> usize {
        if std::env::var_os("FAULTS_EVERY_BYTE").is_some() {
            return 1;
        }
        match self {
            Self::Byte => 1,
            Self::Of(places) => (bytes / places).max(1),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Update(Precondition),
    Clear(Precondition),
    /// Updates of three users at once.
    Three,
}

/// What a write of a user was told; `None`: that there is no document any more.
type Outcome = (String, Result<Option<Record>, StoreError>);

/// How often a write was told to be done, not done, or unknown, and how often the last was what.
#[derive(Debug, Default)]
struct Told {
    done: u64,
    not_done: u64,
    unknown_but_done: u64,
    unknown_and_not_done: u64,
}

/// Each way and fault, for an update; what the other writes have of their own, in larger steps.
pub(crate) async fn all<B: Backend>() {
    let how = How { one: true, ..How::default() };
    let Some(net) = Net::<B>::new(false, how).await else { return };
    net.server.count_writes().await;
    let update = Write::Update(Precondition::None);
    let cut = |write, way, after| Sweep { write, way, fault: Fault::Cut, cold: false, after };
    for way in [Way::ToServer, Way::ToClient] {
        let told = net.run(cut(update, way, Every::Byte)).await;
        match way {
            Way::ToServer => assert!(told.unknown_and_not_done > 100 && told.done > 0, "{told:?}"),
            Way::ToClient => assert!(told.unknown_but_done > 30 && told.done > 0, "{told:?}"),
        }
        let told = net.run(Sweep { cold: true, ..cut(update, way, Every::Of(30)) }).await;
        assert!(told.not_done > 0, "{told:?}");
        for write in [
            Write::Update(Precondition::Exists),
            Write::Clear(Precondition::None),
            Write::Clear(Precondition::Exists),
            Write::Three,
        ] {
            let told = net.run(cut(write, way, Every::Of(12))).await;
            assert!(told.unknown_but_done + told.unknown_and_not_done > 0, "{told:?}");
        }
        for write in [update, Write::Three] {
            let told = net.run(Sweep { fault: Fault::Pause(PAUSE), ..cut(write, way, Every::Of(6)) }).await;
            let lost = told.not_done + told.unknown_but_done + told.unknown_and_not_done;
            assert_eq!(lost, 0, "a pause is no loss: {told:?}");
        }
    }
    let Net { server, proxy, direct, .. } = net;
    let how = How { deadline: DEADLINE, ..how };
    let store = B::open(&server.url_at(proxy.port), how).await.expect("opened");
    let net = Net { server, proxy, store, direct };
    for way in [Way::ToServer, Way::ToClient] {
        // Each costs a deadline.
        let hole = |write, places| Sweep { write, way, fault: Fault::Hole, cold: false, after: Every::Of(places) };
        let told = net.run(hole(update, 6)).await;
        assert!(told.unknown_but_done + told.unknown_and_not_done > 1, "{told:?}");
        net.run(hole(Write::Clear(Precondition::Exists), 2)).await;
        net.run(hole(Write::Three, 3)).await;
        let told = net.run(Sweep { cold: true, ..hole(update, 6) }).await;
        assert!(told.not_done > 0, "{told:?}");
    }
}

impl<B: Backend> Net<B> {
    async fn run(&self, sweep: Sweep) -> Told {
        let Sweep { write, way, fault, cold, after } = sweep;
        let began = Instant::now();
        let users = |n: usize| -> Vec<String> {
            (0..write.users()).map(|place| format!("{write:?} {way:?} {fault:?} {cold} {n:020} {place}")).collect()
        };
        self.with_old(users(usize::MAX)).await;
        self.begin(write, cold).await;
        let before = self.proxy.passed(way);
        for (id, outcome) in write.run(&self.store, users(usize::MAX)).await {
            outcome.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        }
        let bytes = self.proxy.passed(way) - before;
        assert!(bytes >= 4, "an exchange of {bytes} bytes");
        // Beyond the last byte, since an exchange may be longer by a digit of some number.
        let cuts: Vec<_> = (0..bytes).step_by(after.step(bytes)).chain(bytes..bytes + 4).collect();
        self.with_old(cuts.iter().flat_map(|n| users(*n)).collect()).await;

        let mut executed = Some(self.server.writes().await);
        let mut outcomes = Vec::new();
        for n in cuts {
            let begun = self.begin(write, cold).await;
            executed = executed.and_then(|executed| Some(executed + begun?));
            let connections = self.proxy.connections();
            self.proxy.plan(way, n, fault);
            let told = write.run(&self.store, users(n)).await;
            let lost = fault != Fault::Pause(PAUSE) && (1..bytes).contains(&n);
            if lost && !cold && matches!(write, Write::Update(Precondition::None) | Write::Clear(_)) {
                // Whoever tried again on a new connection would have had success.
                let (id, outcome) = &told[0];
                let error = outcome.as_ref().expect_err("the answer cannot have come");
                assert!(error.may_have_happened(), "{id}: {error:?}");
                let again = self.proxy.connections() - connections;
                assert_eq!(again, 0, "{id}: tried again");
            }
            outcomes.extend(told);
            self.proxy.pass();
        }
        // What was kept back has its time.
        tokio::time::sleep(Duration::from_millis(if fault == Fault::Hole { 300 } else { 20 })).await;
        let told = self.judge(outcomes, write.leaves()).await;
        let all = self.server.writes().await;
        let name = B::NAME;
        say(&format!("{name}: {sweep:?}, {bytes} bytes, {:.1?}: {told:?}", began.elapsed()));
        if let Some(before) = executed {
            let done = told.done + told.unknown_but_done;
            assert_eq!(all - before, done, "{name}: a write was executed twice, or for nothing");
        }
        told
    }

    async fn with_old(&self, ids: Vec<String>) {
        let writes: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let direct = Arc::clone(&self.direct);
                tokio::spawn(async move { put(&direct, &id, OLD).await })
            })
            .collect();
        for write in writes {
            write.await.expect("no panic").expect("written");
        }
    }

    /// Makes a connection over which such a write has gone already, or sees to it that there is none; answers how many
    /// writes that took, `None` where nobody knows.
    async fn begin(&self, write: Write, cold: bool) -> Option<u64> {
        if cold {
            recovered(&self.store).await;
            self.proxy.refuse();
            while self.store.get(&user("anybody")).await.is_ok() {}
            self.proxy.pass();
            // Longer than a store may wait before it tries to connect again.
            tokio::time::sleep(Duration::from_millis(30)).await;
            return Some(0);
        }
        let warm: Vec<_> = (0..write.users()).map(|place| format!("warm {place}")).collect();
        for attempt in 0..20 {
            recovered(&self.store).await;
            self.with_old(warm.clone()).await;
            let outcomes = write.run(&self.store, warm.clone()).await;
            if outcomes.iter().all(|(_, outcome)| outcome.is_ok()) {
                return (attempt == 0).then_some(2 * warm.len() as u64);
            }
            // The machine is so busy that a deadline passed.
            tokio::time::sleep(DEADLINE).await;
        }
        panic!("{write:?} does not work");
    }

    async fn judge(&self, outcomes: Vec<Outcome>, new: Option<&str>) -> Told {
        let mut told = Told::default();
        for (id, outcome) in outcomes {
            let stored = self.direct.get(&user(&id)).await.expect("read");
            let json = stored.as_ref().map(|record| sorted(&record.metadata.to_json()));
            let (old, new) = (json.as_deref() == Some(OLD), json.as_deref() == new);
            assert!(old != new, "{id}: {json:?}");
            let count = match outcome {
                Ok(record) => {
                    assert!(new && record == stored, "{id}: told {record:?}, and {stored:?} is stored");
                    &mut told.done
                }
                Err(error) => {
                    let kinds = [StoreErrorKind::Unavailable, StoreErrorKind::Timeout];
                    assert!(kinds.contains(&error.kind()), "{id}: {error:?}");
                    match (error.may_have_happened(), new) {
                        (true, true) => &mut told.unknown_but_done,
                        (true, false) => &mut told.unknown_and_not_done,
                        (false, _) => {
                            assert!(old && error.is_retryable(), "{id}: {error:?}, and {json:?} is stored");
                            &mut told.not_done
                        }
                    }
                }
            };
            *count += 1;
        }
        told
    }
}

impl Write {
    fn users(self) -> usize {
        if self == Self::Three { 3 } else { 1 }
    }

    /// The document that is left when it happened.
    fn leaves(self) -> Option<&'static str> {
        if matches!(self, Self::Clear(_)) { None } else { Some(NEW) }
    }

    async fn run(self, store: &Arc<dyn MetadataStore>, ids: Vec<String>) -> Vec<Outcome> {
        let writes: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let store = Arc::clone(store);
                async move {
                    let outcome = match self {
                        Self::Update(when) => store.update(&user(&id), &update(UPDATE), &when).await.map(Some),
                        Self::Three => put(&store, &id, UPDATE).await.map(Some),
                        Self::Clear(when) => store.clear(&user(&id), &when).await.map(|()| None),
                    };
                    (id, outcome)
                }
            })
            .collect();
        let mut outcomes = Vec::new();
        for write in writes.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
            outcomes.push(write.await.expect("no panic"));
        }
        outcomes
    }
}

/// The order of members is the store's.
fn sorted(json: &str) -> String {
    serde_json::from_str::<std::collections::BTreeMap<String, serde_json::Value>>(json)
        .map(|members| serde_json::to_string(&members).expect("JSON"))
        .expect("an object")
}
