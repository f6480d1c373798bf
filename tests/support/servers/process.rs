//! Processes of servers, which end with the process that started them.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) server: Child,
    /// Ends the server when this process is gone and could not.
    guard: Child,
}

impl Running {
    /// Starts a server that the signal ends.
    pub(crate) fn start(command: &mut Command, signal: &str) -> io::Result<Self> {
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let guard = Command::new("sh")
            .args(["-c", &format!("cat >/dev/null; kill -{signal} $0"), &server.id().to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { server, guard })
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.server.try_wait().expect("a process").is_some()
    }

    /// The server without its guard, to be ended by the caller: a guard that lives on could meet another process with
    /// this number.
    pub(crate) fn unguarded(mut self) -> Child {
        self.guard.kill().and_then(|()| self.guard.wait()).expect("the guard ends");
        self.server
    }

    /// Kills the server, which has no chance to finish anything.
    #[cfg(any(feature = "mariadb", feature = "redis"))]
    pub(crate) fn kill(self) {
        let mut server = self.unguarded();
        server.kill().and_then(|()| server.wait()).expect("the server ends");
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
