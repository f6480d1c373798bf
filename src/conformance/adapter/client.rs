use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an application may take for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Sends the bytes of one HTTP/1.1 request with `Connection: close` on a connection of its own and reads the answer.
///
/// ```
/// use std::io::{Read, Write};
/// use tower_user_metadata::conformance::adapter::exchange;
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let address = server.local_addr()?;
/// std::thread::spawn(move || {
///     let (mut client, _) = server.accept().unwrap();
///     client.read_exact(&mut [0; 37]).unwrap();
///     client.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found").unwrap();
/// });
/// let answer = exchange(address, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")?;
/// assert_eq!((answer.status(), answer.body()), (404, b"not found".as_slice()));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// No connection, no whole answer within 20 seconds, or one whose `Content-Length` is not the length of its body.
pub fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // A server may answer and close before it has read all of a body that it refuses.
    let written = stream.write_all(request);
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received);
    match Answer::parse(&received, request.starts_with(b"HEAD ")) {
        Some(answer) => Ok(answer),
        None => {
            written?;
            read?;
            let text = String::from_utf8_lossy(&received);
            Err(io::Error::other(format!("not one whole answer: {text:?}")))
        }
    }
}

impl Answer {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The headers, their names in lower case.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body for messages, cut where it is long.
    #[must_use]
    pub fn body_text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let cut: String = text.chars().take(200).collect();
        if cut.len() == text.len() { cut } else { format!("{cut}…") }
    }

    /// The values of a header; its name in lower case.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The first answer of the text, with as much of its body as came.
    pub(super) fn first(text: &[u8]) -> Option<Self> {
        let mut answer = Self::split(text)?;
        let length = answer.header("content-length").find_map(|length| length.parse().ok());
        answer.body.truncate(length.unwrap_or(usize::MAX));
        Some(answer)
    }

    /// The one whole answer of the text.
    fn parse(text: &[u8], head_only: bool) -> Option<Self> {
        let answer = Self::split(text)?;
        let lengths: Vec<_> = answer.header("content-length").map(str::parse::<usize>).collect();
        // RFC 9110 section 6.4.1.
        let no_body = head_only || [204, 304].contains(&answer.status);
        let whole = match (lengths.as_slice(), no_body) {
            ([Ok(length)], false) => *length == answer.body.len(),
            ([Ok(_)] | [], true) => answer.body.is_empty(),
            _ => false,
        };
        whole.then_some(answer)
    }

    /// The first answer of the text that is no interim one such as `100 Continue`, and all that follows as its body.
    fn split(text: &[u8]) -> Option<Self> {
        let end = text.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, body) = text.split_at_checked(end)?;
        let body = body.get(4..)?;
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let status: u16 = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        if status < 200 {
            return Self::split(body);
        }
        let headers = lines
            .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
            .collect::<Option<Vec<_>>>()?;
        Some(Self { status, headers, body: body.to_owned() })
    }
}
