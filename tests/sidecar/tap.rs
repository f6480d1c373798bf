//! What a proxy sends the sidecar, as it came over the wire.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Stands before a server, passes everything on, and keeps what clients sent.
pub(crate) struct Tap {
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    server: SocketAddr,
    sent: Vec<u8>,
    /// Those that are open, to end them when the server becomes another.
    connections: Vec<TcpStream>,
}

impl Tap {
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Mutex::new(Shared { server, sent: Vec::new(), connections: Vec::new() }));
        let for_clients = Arc::clone(&shared);
        // Listens for as long as the tests run.
        std::thread::spawn(move || listener.incoming().flatten().for_each(|client| pass_on(client, &for_clients)));
        Self { address, shared }
    }

    /// What was sent since this was asked last.
    pub(crate) fn sent(&self) -> String {
        let sent = std::mem::take(&mut lock(&self.shared).sent);
        String::from_utf8_lossy(&sent).into_owned()
    }

    /// Passes on to another server from now on.
    pub(crate) fn switch(&self, server: SocketAddr) {
        let mut shared = lock(&self.shared);
        shared.server = server;
        for connection in shared.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass_on(client: TcpStream, shared: &Arc<Mutex<Shared>>) {
    // A server that is gone looks like one that hangs up.
    let Ok(server) = TcpStream::connect(lock(shared).server) else { return };
    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket");
    lock(shared).connections.extend([clone(&client), clone(&server)]);
    let (mut from_client, mut to_server) = (clone(&client), clone(&server));
    let kept = Arc::clone(shared);
    std::thread::spawn(move || {
        copy(&mut from_client, &mut to_server, |bytes| lock(&kept).sent.extend(bytes));
    });
    let (mut from_server, mut to_client) = (server, client);
    std::thread::spawn(move || copy(&mut from_server, &mut to_client, |_| {}));
}

fn copy(from: &mut TcpStream, to: &mut TcpStream, mut look: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..read).unwrap_or_default();
        look(bytes);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
