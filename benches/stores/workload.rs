//! What is kept and what is changed: documents of a size, updates that set one field and remove another.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Users with a document each.
#[derive(Clone)]
pub(crate) struct Workload {
    pub(crate) users: usize,
    pub(crate) bytes: usize,
    pub(crate) fields: usize,
    /// How often each user was updated.
    turns: Arc<[AtomicU32]>,
    /// Letters that do not compress well.
    letters: Arc<str>,
}

impl Workload {
    pub(crate) fn new(users: usize, bytes: usize, fields: usize) -> Self {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let letter = |n: usize| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[n & 63]);
        let letters = (0..2 * bytes + 4_096).map(|_| letter(random.below(64))).collect::<String>().into();
        Self { users, bytes, fields, turns: (0..users).map(|_| AtomicU32::new(0)).collect(), letters }
    }

    /// The same with users who were not updated yet.
    pub(crate) fn anew(&self) -> Self {
        Self { turns: (0..self.users).map(|_| AtomicU32::new(0)).collect(), ..self.clone() }
    }

    /// As session systems name users.
    pub(crate) fn user(&self, number: usize) -> String {
        format!("{:08x}-6d1c-4a52-9f0e-2f6c3b0d9a11", (number as u32).wrapping_mul(2_654_435_761))
    }

    /// The document of a user who was not updated yet: of the names that there are, one is missing.
    pub(crate) fn document(&self, user: usize) -> String {
        let mut document = String::with_capacity(self.bytes + 64);
        for field in 1..=self.fields {
            let comma = if field == 1 { '{' } else { ',' };
            let _ = write!(document, "{comma}{}", self.member(field, user));
        }
        document + "}"
    }

    /// The next update of a user, who always has as many fields as before.
    pub(crate) fn update(&self, user: usize) -> String {
        let turn = self.turns[user].fetch_add(1, Ordering::Relaxed) as usize;
        let names = self.fields + 1;
        format!("{{{},\"{}\":null}}", self.member(turn % names, user + 31 * turn), name((turn + 1) % names))
    }

    fn member(&self, field: usize, from: usize) -> String {
        let name = name(field);
        let length = (self.bytes / self.fields).saturating_sub(name.len() + 6).max(1);
        let start = (7 * from + 97 * field) % (self.letters.len() - length);
        format!("\"{name}\":\"{}\"", &self.letters[start..start + length])
    }
}

fn name(field: usize) -> String {
    format!("field_{field}")
}

/// Numbers that are the same in each run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }
}

/// The merge as an application writes it.
pub(crate) fn merge(stored: Option<&str>, update: &str) -> String {
    let object = |text: &str| serde_json::from_str::<serde_json::Map<_, _>>(text).expect("an object");
    let mut document = stored.map(object).unwrap_or_default();
    for (name, value) in object(update) {
        if value.is_null() {
            document.remove(&name);
        } else {
            document.insert(name, value);
        }
    }
    serde_json::Value::Object(document).to_string()
}
