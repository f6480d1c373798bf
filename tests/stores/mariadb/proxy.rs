//! A proxy between a store and its server, which stops passing bytes on when it is told to.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What ends when its bytes are used up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    /// What the store sends.
    There,
    /// What the server answers.
    Back,
}

#[derive(Debug)]
struct Rule {
    /// Bytes that still pass each way; less than none for no bound.
    there: AtomicI64,
    back: AtomicI64,
    connections: AtomicUsize,
    /// Cuts the connection where the bytes end; else it stays open and silent.
    cuts: bool,
}

#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) port: u16,
    rule: Arc<Rule>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(super) async fn to(server: u16, cuts: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (there, back) = (AtomicI64::new(-1), AtomicI64::new(-1));
        let rule = Arc::new(Rule { there, back, connections: AtomicUsize::new(0), cuts });
        let rules = Arc::clone(&rule);
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                rules.connections.fetch_add(1, Ordering::SeqCst);
                let Ok(upstream) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = upstream.into_split();
                let rule = Arc::clone(&rules);
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass(from_client, to_server, &rule.there, rule.cuts) => {}
                        () = pass(from_server, to_client, &rule.back, rule.cuts) => {}
                    }
                });
            }
        });
        Self { port, rule, accepting }
    }

    /// Lets so many more bytes pass this way.
    pub(super) fn pass_only(&self, way: Way, bytes: i64) {
        self.bytes(way).store(bytes, Ordering::SeqCst);
    }

    /// Lets everything pass again; connections that fell silent stay so.
    pub(super) fn pass_all(&self) {
        self.pass_only(Way::There, -1);
        self.pass_only(Way::Back, -1);
    }

    /// Whether the bytes were used up.
    pub(super) fn is_used_up(&self, way: Way) -> bool {
        self.bytes(way).load(Ordering::SeqCst) == 0
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> usize {
        self.rule.connections.load(Ordering::SeqCst)
    }

    fn bytes(&self, way: Way) -> &AtomicI64 {
        match way {
            Way::There => &self.rule.there,
            Way::Back => &self.rule.back,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, left: &AtomicI64, cuts: bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let bound = left.load(Ordering::SeqCst);
        let passing = usize::try_from(bound).map_or(read, |bound| bound.min(read));
        if to.write_all(&buffer[..passing]).await.is_err() {
            return;
        }
        if bound >= 0 {
            left.fetch_sub(i64::try_from(passing).expect("small"), Ordering::SeqCst);
        }
        if passing < read || (bound >= 0 && left.load(Ordering::SeqCst) == 0) {
            if cuts {
                return;
            }
            std::future::pending::<()>().await;
        }
    }
}
