//! Updates whose body ends before its end, each of them valid JSON as far as it came.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::case::{Request, SEED};
use super::client::{Answer, PATIENCE, exchange};

/// How long an application may take to store what it must not.
const SETTLED: Duration = Duration::from_millis(500);

/// How a client leaves the connection.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It sends no more, and waits for the answer.
    Half,
    /// It closes the connection.
    Close,
    /// It resets the connection, as a client that was killed does: what it had not read yet is lost.
    Reset,
}

impl End {
    fn letter(self) -> char {
        match self {
            Self::Half => 'H',
            Self::Close => 'C',
            Self::Reset => 'R',
        }
    }
}

/// Sends every unfinished update in every way in which a client may leave, and says which of them were stored or answered
/// with anything but a refusal.
pub(super) fn broken(address: SocketAddr, token: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let mut sent = Vec::new();
    for end in [End::Half, End::Close, End::Reset] {
        for (index, update) in updates().into_iter().enumerate() {
            // The field tells which of them it was that was stored.
            let (field, name) = (format!("{}{index:02x}", end.letter()), &update.name);
            match send(address, token, &update, &field, end) {
                Ok(None) => {}
                Ok(Some(answer)) if (400..500).contains(&answer.status()) => {}
                Ok(Some(answer)) => broken.push(format!("{field} {name}: {} {}", answer.status(), answer.body_text())),
                Err(error) => broken.push(format!("{field} {name}: {error}")),
            }
            sent.push((field, update.name));
        }
    }
    thread::sleep(SETTLED);
    match exchange(address, &Request::get("/userinfo").bearer(token).to_bytes()) {
        Ok(document) if document.body() == SEED.as_bytes() => {}
        Ok(document) => {
            let text = String::from_utf8_lossy(document.body());
            let stored = sent.iter().filter(|(field, _)| text.contains(field.as_str()));
            broken.extend(stored.map(|(field, name)| format!("{field} {name}: it is stored")));
            broken.push(format!("the document afterwards is {}", document.body_text()));
        }
        Err(error) => broken.push(format!("no document afterwards: {error}")),
    }
    broken
}

struct Update {
    name: String,
    version: &'static str,
    framing: String,
    body: String,
}

/// The length of the names of the fields.
const FIELD: usize = "H00".len();

fn updates() -> Vec<Update> {
    let update = |length: usize| format!(r#"{{"FIELD":"{}"}}"#, "x".repeat(length));
    let size = |body: &str| body.len() - "FIELD".len() + FIELD;
    let mut updates = Vec::new();
    let mut add = |name: &str, version: &'static str, framing: String, body: String| {
        updates.push(Update { name: name.to_owned(), version, framing, body });
    };
    let chunked = || "Transfer-Encoding: chunked".to_owned();
    // Below and above what frameworks read ahead, and in more than one packet.
    for length in [0, 3, 4, 5, 100, 600, 9_000] {
        let body = update(length);
        let size = size(&body);
        for (version, more) in [("1.1", 1), ("1.1", 50), ("1.0", 1), ("1.0", 50)] {
            add("fewer bytes than announced", version, format!("Content-Length: {}", size + more), body.clone());
        }
        for (name, rest) in [
            ("no last chunk", ""),
            ("cut in the size of a chunk", "3"),
            ("cut after the size of a chunk", "3\r\n"),
            ("cut in a chunk", "3\r\n  "),
            ("cut at the end of a chunk", "1\r\n "),
            ("a size that is none", "zz\r\n"),
            ("cut in the size of the last chunk", "0"),
            ("cut before the trailers", "0\r\n"),
            ("cut in a trailer", "0\r\nX-Note: a"),
            ("cut behind a trailer", "0\r\nX-Note: a\r\n"),
        ] {
            add(name, "1.1", chunked(), format!("{size:x}\r\n{body}\r\n{rest}"));
        }
        add("a chunk that is longer than what came", "1.1", chunked(), format!("{:x}\r\n{body}", size + 10));
        add("cut at the end of the first chunk", "1.1", chunked(), format!("{size:x}\r\n{body}"));
    }
    let body = update(10);
    let size = size(&body);
    for (name, framing) in [
        ("a length that ends in the middle", format!("Content-Length: {}", size - 10)),
        ("a length of 0", "Content-Length: 0".to_owned()),
        ("no length", "X-Note: none".to_owned()),
        ("a length that is no number", "Content-Length: x".to_owned()),
        ("a length below 0", "Content-Length: -1".to_owned()),
        ("two lengths that differ", format!("Content-Length: {size}\r\nContent-Length: {}", size + 10)),
        ("a list of lengths that differ", format!("Content-Length: {size}, {}", size + 10)),
    ] {
        add(name, "1.1", framing, body.clone());
    }
    // Until the end of the connection a response may go, and no request.
    add("no length", "1.0", "X-Note: none".to_owned(), body.clone());
    // The body takes the request behind it for its own.
    let next = "GET /userinfo HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let framing = format!("Content-Length: {}", size + 10);
    add("a request behind a body that is too short", "1.1", framing, format!("{body}{next}"));
    updates
}

/// The answer, where one is waited for and comes.
fn send(address: SocketAddr, token: &str, update: &Update, field: &str, end: End) -> io::Result<Option<Answer>> {
    let Update { version, framing, body, .. } = update;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // A socket that is closed with bytes unread is reset: those of an interim answer, which HTTP/1.0 does not have.
    let reset = matches!(end, End::Reset) && *version != "1.0";
    let expect = if reset { "Expect: 100-continue\r\n" } else { "" };
    let head = format!(
        "POST /updateinfo HTTP/{version}\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\n{expect}{framing}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    if reset {
        let _ = stream.peek(&mut [0]);
    }
    // A server may have refused it already.
    let _ = stream.write_all(body.replace("FIELD", field).as_bytes());
    match end {
        End::Half => {
            let _ = stream.shutdown(Shutdown::Write);
            let mut received = Vec::new();
            match stream.read_to_end(&mut received) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Err(io::Error::other("neither an answer nor the end of the connection"))
                }
                _ => Ok(Answer::first(&received)),
            }
        }
        End::Close | End::Reset => {
            // The server reads what there is before the end comes.
            thread::sleep(Duration::from_millis(5));
            Ok(None)
        }
    }
}
