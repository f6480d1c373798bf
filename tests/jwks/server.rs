//! A key server on a socket, down to the byte, so that it can do what no HTTP library would.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Status, further header lines, body.
    Whole(u16, String, String),
    /// Headers that announce nothing, then zeros up to so many bytes.
    Huge(usize),
    /// As before, with the size announced.
    HugeAnnounced(usize),
    /// A chunked body that stops without an end.
    NoEnd(String),
    /// One byte of the body each time.
    Drip(String, Duration),
    /// Nothing for so long.
    Delay(Duration, String),
    /// The connection ends within the body.
    Cut(String),
    /// Header lines without an end.
    EndlessHeaders,
    /// Not HTTP.
    Garbage,
}

impl Reply {
    pub(crate) fn keys(body: impl Into<String>) -> Self {
        Self::Whole(200, String::new(), body.into())
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    reply: Mutex<Reply>,
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    written: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(reply: Reply) -> Self {
        Self::start_with(reply, None).await
    }

    pub(crate) async fn start_with(reply: Reply, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            reply: Mutex::new(reply),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state), tls));
        Self { address, state, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    pub(crate) fn answer(&self, reply: Reply) {
        *self.state.reply.lock().expect("a lock") = reply;
    }

    /// Closes the port: connections are refused from now on.
    pub(crate) async fn stop(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }

    /// The heads of the requests, as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().expect("a lock").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The connections that neither side has ended.
    pub(crate) fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// The bytes of bodies that could be written.
    pub(crate) fn written(&self) -> usize {
        self.state.written.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, tls: Option<TlsAcceptor>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        state.connections.fetch_add(1, Ordering::SeqCst);
        state.open.fetch_add(1, Ordering::SeqCst);
        let (state, tls) = (Arc::clone(&state), tls.clone());
        tokio::spawn(async move {
            // A client that goes away is part of the play.
            let _ = match tls {
                None => serve(stream, &state).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, &state).await,
                    Err(error) => Err(error),
                },
            };
            state.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    state.requests.lock().expect("a lock").push(String::from_utf8_lossy(&head).into_owned());
    let reply = state.reply.lock().expect("a lock").clone();
    match reply {
        Reply::Whole(status, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {length}\r\n{headers}\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await?;
        }
        Reply::Huge(bytes) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"keys\":[").await?;
            zeros(&mut stream, state, bytes).await?;
            return Ok(());
        }
        Reply::HugeAnnounced(bytes) => {
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n").as_bytes()).await?;
            zeros(&mut stream, state, bytes).await?;
        }
        Reply::NoEnd(body) => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(format!("{head}{:x}\r\n{body}\r\n", body.len()).as_bytes()).await?;
        }
        Reply::Drip(body, pause) => {
            let length = body.len();
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes()).await?;
            for byte in body.bytes() {
                stream.write_u8(byte).await?;
                stream.flush().await?;
                tokio::time::sleep(pause).await;
            }
        }
        Reply::Delay(delay, body) => {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = stream.read_u8() => return Ok(()),
            }
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
                .await?;
        }
        Reply::Cut(body) => {
            let length = body.len() + 1;
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes()).await?;
            return Ok(());
        }
        Reply::EndlessHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream.write_all(b"X-More: more\r\n").await?;
                state.written.fetch_add(14, Ordering::SeqCst);
            }
        }
        Reply::Garbage => stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await?,
    }
    stream.flush().await?;
    // Until the client ends it.
    while stream.read_u8().await.is_ok() {}
    Ok(())
}

async fn zeros(stream: &mut (impl AsyncWrite + Unpin), state: &State, bytes: usize) -> std::io::Result<()> {
    let block = [b'0'; 16 * 1024];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(block.len());
        stream.write_all(&block[..now]).await?;
        state.written.fetch_add(now, Ordering::SeqCst);
        left -= now;
    }
    stream.flush().await
}
