//! A TCP proxy that misbehaves on demand.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// Passes everything on, until told otherwise; its connections end with it.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// What happens to the connections that there are; later ones are good, so that whoever tries again succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// They end.
    Cut,
    /// Nothing more passes either way, and nobody is told. What was kept back passes late.
    Hole,
    /// Nothing passes for a while.
    Pause(Duration),
}

struct Shared {
    rules: Mutex<Rules>,
    changed: Notify,
}

struct Rules {
    server: SocketAddr,
    /// Connections end as soon as they are made.
    refuses: bool,
    delay: Duration,
    /// After how many more bytes this way something happens.
    planned: [Option<(usize, Fault)>; 2],
    /// Connections with lower numbers are cut.
    cut_below: usize,
    /// Over connections with lower numbers nothing passes.
    silent_below: usize,
    paused: Instant,
    passed: [usize; 2],
    connections: usize,
}

enum Turn {
    Pass(usize),
    At(Instant),
    Later,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let rules = Rules {
            server: (Ipv4Addr::LOCALHOST, port).into(),
            refuses: false,
            delay: Duration::ZERO,
            planned: [None; 2],
            cut_below: 0,
            silent_below: 0,
            paused: Instant::now(),
            passed: [0; 2],
            connections: 0,
        };
        let shared = Arc::new(Shared { rules: Mutex::new(rules), changed: Notify::new() });
        let port = listener.local_addr().expect("an address").port();
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared)));
        Self { port, shared, listening }
    }

    /// Passes everything on from now on, also what was kept back.
    pub(crate) fn pass(&self) {
        self.change(|rules| {
            (rules.refuses, rules.delay, rules.planned, rules.silent_below) = (false, Duration::ZERO, [None; 2], 0);
        });
    }

    /// Lets this happen when so many more bytes have gone this way, over whichever connections.
    pub(crate) fn plan(&self, way: Way, bytes: usize, fault: Fault) {
        self.change(|rules| match bytes {
            0 => rules.happen(fault),
            _ => rules.planned[way as usize] = Some((bytes, fault)),
        });
    }

    /// Passes nothing more, also over new connections.
    pub(crate) fn swallow(&self) {
        self.change(|rules| rules.silent_below = usize::MAX);
    }

    /// Ends all connections, also new ones.
    pub(crate) fn refuse(&self) {
        self.change(|rules| {
            rules.refuses = true;
            rules.happen(Fault::Cut);
        });
    }

    /// Passes everything on this much later.
    pub(crate) fn delay(&self, delay: Duration) {
        self.change(|rules| rules.delay = delay);
    }

    /// Sends new connections to another server, and cuts those that there are.
    #[cfg(feature = "postgres")]
    pub(crate) fn swap(&self, port: u16) {
        self.change(|rules| {
            rules.server = (Ipv4Addr::LOCALHOST, port).into();
            rules.happen(Fault::Cut);
        });
    }

    /// The bytes that have gone this way.
    pub(crate) fn passed(&self, way: Way) -> usize {
        self.shared.rules().passed[way as usize]
    }

    /// The connections that were ever made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.rules().connections
    }

    fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.shared.rules());
        self.shared.changed.notify_waiters();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().expect("no rule panics")
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        let (number, server) = {
            let mut rules = shared.rules();
            rules.connections += 1;
            (rules.connections - 1, (!rules.refuses).then_some(rules.server))
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let Some(server) = server else { return };
            let Ok(server) = TcpStream::connect(server).await else { return };
            let (Ok(()), Ok(())) = (client.set_nodelay(true), server.set_nodelay(true)) else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            // Whichever ends, both sockets are closed with it.
            tokio::select! {
                () = carry(&shared, number, Way::ToServer, from_client, to_server) => {}
                () = carry(&shared, number, Way::ToClient, from_server, to_client) => {}
                () = cut(&shared, number) => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Carries bytes one way until the connection is over.
async fn carry(shared: &Shared, number: usize, way: Way, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let delay = shared.rules().delay;
        sleep(delay).await;
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let changed = shared.changed.notified();
            let turn = shared.rules().turn(number, way, rest.len());
            match turn {
                Turn::Pass(bytes) => {
                    if to.write_all(&rest[..bytes]).await.is_err() {
                        return;
                    }
                    rest = &rest[bytes..];
                    shared.rules().pass(way, bytes);
                    shared.changed.notify_waiters();
                }
                Turn::At(time) => sleep_until(time).await,
                Turn::Later => changed.await,
            }
        }
    }
}

/// Waits until this connection is cut.
async fn cut(shared: &Shared, number: usize) {
    loop {
        let changed = shared.changed.notified();
        if number < shared.rules().cut_below {
            return;
        }
        changed.await;
    }
}

impl Rules {
    fn turn(&self, number: usize, way: Way, bytes: usize) -> Turn {
        if number < self.silent_below.max(self.cut_below) {
            Turn::Later
        } else if Instant::now() < self.paused {
            Turn::At(self.paused)
        } else {
            Turn::Pass(self.planned[way as usize].map_or(bytes, |(left, _)| left.min(bytes)))
        }
    }

    fn pass(&mut self, way: Way, bytes: usize) {
        self.passed[way as usize] += bytes;
        match &mut self.planned[way as usize] {
            Some((left, _)) if *left > bytes => *left -= bytes,
            planned => {
                if let Some((_, fault)) = planned.take() {
                    self.happen(fault);
                }
            }
        }
    }

    fn happen(&mut self, fault: Fault) {
        match fault {
            Fault::Cut => self.cut_below = self.connections,
            Fault::Hole => self.silent_below = self.connections,
            Fault::Pause(time) => self.paused = Instant::now() + time,
        }
    }
}
