//! Reads everything that is printed, for pieces of the secrets.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// So many characters are enough to recognise a secret by, and to search for the rest.
const PIECE: usize = 12;

pub(crate) struct Watch {
    pieces: HashMap<Vec<u8>, &'static str>,
    log: Buffer,
    panics: Buffer,
    read: AtomicUsize,
    logged: AtomicUsize,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
        String::from_utf8(bytes).expect("text")
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Watch {
    /// Takes the log of the whole process at TRACE, and the messages of its panics.
    pub(crate) fn over(secrets: &[(&'static str, String)]) -> Self {
        let log = Buffer::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("the only subscriber of this process");
        let panics = Buffer::default();
        let writer = panics.clone();
        std::panic::set_hook(Box::new(move |info| {
            let _ = writeln!(writer.clone(), "{info}");
            let _ = writeln!(std::io::stderr(), "{info}");
        }));
        let mut pieces = HashMap::new();
        for (name, secret) in secrets {
            assert!(secret.len() >= PIECE, "{name} is too short to be recognised");
            pieces.extend(secret.as_bytes().windows(PIECE).map(|piece| (piece.to_vec(), *name)));
        }
        Self { pieces, log, panics, read: AtomicUsize::new(0), logged: AtomicUsize::new(0) }
    }

    /// The control: a piece of a secret in the log is found, wherever it stands.
    pub(crate) fn works(&self) {
        let (piece, name) = self.pieces.iter().next().expect("a secret");
        let piece = std::str::from_utf8(piece).expect("text");
        tracing::trace!(field = piece, "control");
        let log = self.log.take();
        assert_eq!(self.find(&log), Some(*name), "a secret in the log is not found: {log}");
        assert_eq!(self.find(&format!("{piece:?}")), Some(*name));
        assert_eq!(self.find(&piece[1..]), None);
    }

    fn find(&self, text: &str) -> Option<&'static str> {
        text.as_bytes().windows(PIECE).find_map(|piece| self.pieces.get(piece).copied())
    }

    pub(crate) fn text(&self, place: &str, text: &str) {
        self.read.fetch_add(1, Ordering::Relaxed);
        if let Some(secret) = self.find(text) {
            panic!("{place} tells a piece of {secret}: {text}");
        }
    }

    /// Reads what was logged since the last time.
    pub(crate) fn log(&self) {
        let log = self.log.take();
        self.logged.fetch_add(log.lines().count(), Ordering::Relaxed);
        self.text("the log", &log);
    }

    /// Reads the messages of so many panics.
    pub(crate) fn panicked(&self, times: usize) {
        let panics = self.panics.take();
        assert_eq!(panics.matches("panicked at").count(), times, "{panics}");
        self.text("a panic", &panics);
        self.log();
    }

    pub(crate) fn read(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn logged(&self) -> usize {
        self.logged.load(Ordering::Relaxed)
    }
}
