//! A client that keeps its connection, for what one request a connection cannot show.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An open connection.
pub(crate) struct Client(TcpStream);

/// The head of an answer and its body.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a valid timeout");
        stream.set_nodelay(true).expect("a socket");
        Self(stream)
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).expect("the connection is open");
    }

    /// Sends a request with these lines, and reads the answer.
    pub(crate) fn request(&mut self, line: &str, headers: &[&str], body: &str) -> Received {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        self.write(&format!("{line}\r\nHost: localhost\r\n{headers}{length}\r\n{body}"));
        self.answer(line.starts_with("HEAD "))
    }

    /// The next answer, an interim one too.
    pub(crate) fn answer(&mut self, head_only: bool) -> Received {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("a whole head");
            head.extend(byte);
        }
        let head = String::from_utf8(head).expect("a head in ASCII");
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = Vec::new();
        if lower.contains("\r\ntransfer-encoding: chunked\r\n") && !head_only {
            body = self.chunks();
        } else if let Some(length) = length.filter(|_| !head_only) {
            body.resize(length.parse().expect("a number"), 0);
            self.0.read_exact(&mut body).expect("a whole body");
        }
        Received { status, head, body }
    }

    /// Sends a text in a WebSocket frame, and reads one.
    pub(crate) fn frame(&mut self, text: &str) -> String {
        let mask = [7, 99, 200, 31];
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).expect("a short text")];
        frame.extend(mask);
        frame.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.0.write_all(&frame).expect("the connection is open");
        let mut head = [0; 2];
        self.0.read_exact(&mut head).expect("a frame");
        let mut text = vec![0; head[1].into()];
        self.0.read_exact(&mut text).expect("a whole frame");
        String::from_utf8(text).expect("a text")
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                let mut byte = [0];
                self.0.read_exact(&mut byte).expect("a whole line");
                line.extend(byte);
            }
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim(), 16).expect("a size");
            let mut chunk = vec![0; size + 2];
            self.0.read_exact(&mut chunk).expect("a whole chunk");
            chunk.truncate(size);
            if chunk.is_empty() {
                return body;
            }
            body.extend(chunk);
        }
    }
}
