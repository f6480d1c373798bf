//! A TCP proxy that misbehaves on demand.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

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

struct Shared {
    rules: Mutex<Rules>,
    changed: Notify,
}

struct Rules {
    server: SocketAddr,
    /// Connections end as soon as they are made.
    refuses: bool,
    /// Nothing passes, and nobody is told.
    swallows: bool,
    delay: Duration,
    /// The bytes that may still pass each way before all connections are cut.
    left: [Option<usize>; 2],
    passed: [usize; 2],
    connections: usize,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let rules = Rules {
            server: (Ipv4Addr::LOCALHOST, port).into(),
            refuses: false,
            swallows: false,
            delay: Duration::ZERO,
            left: [None; 2],
            passed: [0; 2],
            connections: 0,
        };
        let shared = Arc::new(Shared { rules: Mutex::new(rules), changed: Notify::new() });
        let port = listener.local_addr().expect("an address").port();
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared)));
        Self { port, shared, listening }
    }

    /// Passes everything on from now on; what was swallowed comes late.
    pub(crate) fn pass(&self) {
        self.change(|rules| {
            (rules.refuses, rules.swallows, rules.delay, rules.left) = (false, false, Duration::ZERO, [None; 2]);
        });
    }

    /// Cuts all connections when so many more bytes have gone this way.
    pub(crate) fn cut_after(&self, way: Way, bytes: usize) {
        self.change(|rules| rules.left[way as usize] = Some(bytes));
    }

    pub(crate) fn swallow(&self) {
        self.change(|rules| rules.swallows = true);
    }

    pub(crate) fn refuse(&self) {
        self.change(|rules| rules.refuses = true);
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.change(|rules| rules.delay = delay);
    }

    /// Sends new connections to another server, and cuts those that there are.
    pub(crate) fn swap(&self, port: u16) {
        self.change(|rules| {
            rules.server = (Ipv4Addr::LOCALHOST, port).into();
            rules.left = [Some(0); 2];
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
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        let server = {
            let mut rules = shared.rules();
            rules.connections += 1;
            if rules.refuses { None } else { Some(rules.server) }
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
                () = carry(&shared, Way::ToServer, from_client, to_server) => {}
                () = carry(&shared, Way::ToClient, from_server, to_client) => {}
            }
        });
    }
}

/// Carries bytes one way until the connection is over or cut.
async fn carry(shared: &Shared, way: Way, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = cut(shared) => return,
        };
        let Ok(read @ 1..) = read else { return };
        let delay = shared.rules().delay;
        tokio::time::sleep(delay).await;
        let passes = loop {
            let changed = shared.changed.notified();
            if let Some(passes) = shared.rules().let_pass(way, read) {
                break passes;
            }
            changed.await;
        };
        if to.write_all(&buffer[..passes]).await.is_err() {
            return;
        }
        // Whoever waits for the cut learns that it is due.
        shared.changed.notify_waiters();
    }
}

/// Waits until all connections are cut.
async fn cut(shared: &Shared) {
    loop {
        let changed = shared.changed.notified();
        if shared.rules().left.contains(&Some(0)) {
            return;
        }
        changed.await;
    }
}

impl Rules {
    /// How many of these bytes pass; `None`: not now.
    fn let_pass(&mut self, way: Way, bytes: usize) -> Option<usize> {
        if self.swallows {
            return None;
        }
        let left = &mut self.left[way as usize];
        let passes = left.map_or(bytes, |left| left.min(bytes));
        *left = left.map(|left| left - passes);
        self.passed[way as usize] += passes;
        Some(passes)
    }
}
