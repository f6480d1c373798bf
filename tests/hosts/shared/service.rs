//! A service as its operator and its clients see it: a process that can be killed, and HTTP.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What the service prints before its address, once it listens.
pub(crate) const LISTENS: &str = "listening on ";

/// The program itself as a service, in a process of its own; killed when it is dropped.
pub(crate) struct Service {
    child: Child,
    address: String,
}

impl Service {
    /// Starts the program with the arguments `serve DIRECTORY` and these variables, and waits until it listens.
    pub(crate) fn start(directory: &Path, variables: &[(&str, &str)]) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(directory)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut service = Self { child, address: String::new() };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        service.address = line.trim().strip_prefix(LISTENS).ok_or("the service does not listen")?.to_owned();
        Ok(service)
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// One request on a connection of its own.
    pub(crate) fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Outcome<Answer> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Answer::parse(&answer).ok_or_else(|| format!("{method} {path}: {answer}").into())
    }

    /// A request with a body of JSON.
    pub(crate) fn json(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Outcome<Answer> {
        self.call(method, path, &[headers, &[("content-type", "application/json")]].concat(), &body.to_string())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    head: String,
}

impl Answer {
    fn parse(answer: &str) -> Option<Self> {
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, body: body.to_owned(), head: head.to_owned() })
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body, of an answer that must have this status.
    pub(crate) fn json(&self, status: u16) -> Outcome<Value> {
        self.expect(status)?;
        Ok(serde_json::from_str(&self.body)?)
    }

    /// Fails unless the answer has this status.
    pub(crate) fn expect(&self, status: u16) -> Outcome {
        if self.status == status { Ok(()) } else { Err(format!("{status} expected: {self:?}").into()) }
    }
}
