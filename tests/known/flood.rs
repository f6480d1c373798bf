//! Tokens that are not good neither fill the memory nor push out those that are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::world::{World, token};

/// `FLOOD` sets how many tokens of each kind come.
fn flood() -> usize {
    std::env::var("FLOOD").map_or(20_000, |number| number.parse().expect("a number"))
}

/// What of the process is in memory, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).expect("a second number").parse().expect("a number");
    pages * 4096
}

#[test]
fn memory_stays_flat_under_tokens_that_are_not_good() {
    if std::env::var_os("FLOOD_HERE").is_some() {
        return flood_here();
    }
    // In a process of its own, where no other test takes memory meanwhile.
    let name = "flood::memory_stays_flat_under_tokens_that_are_not_good";
    let this = std::env::current_exe().expect("a test runs");
    let output =
        std::process::Command::new(this).args(["--exact", name, "--nocapture"]).env("FLOOD_HERE", "1").output();
    let output = output.expect("it can be run again");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn flood_here() {
    let world = World::new(4 << 20);
    let good: Vec<_> = (0..500).map(|n| token(&format!("user-{n}"))).collect();
    good.iter().for_each(|token| assert!(world.ask(token).is_ok()));
    let known = || good.iter().filter(|token| world.is_known(token)).count();
    assert_eq!(known(), good.len());

    let mut random = Random::new();
    let (signed, _) = good[0].rsplit_once('.').expect("three parts");
    let (header, _) = signed.split_once('.').expect("two parts");
    let garbage = |random: &mut Random| random.text(400);
    let valid_looking = |random: &mut Random| {
        let claims = format!(r#"{{"sub":"{}","exp":4000000000}}"#, random.text(24));
        format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(claims), random.text(32))
    };
    // Another signature behind something that is signed: the bucket is that of nobody or of somebody.
    let half_good = |random: &mut Random| format!("{signed}.{}", random.text(32));
    for make in [&garbage as &dyn Fn(&mut Random) -> String, &valid_looking, &half_good] {
        let warm_up = flood() / 10;
        (0..warm_up).for_each(|_| assert!(world.ask(&make(&mut random)).is_err()));
        let before = resident();
        (0..flood()).for_each(|_| assert!(world.ask(&make(&mut random)).is_err()));
        let grown = resident().saturating_sub(before);
        println!("{grown} bytes more after {} tokens", flood());
        // 20,000 tokens are 8 MB and more.
        assert!(grown < 1 << 20, "{grown} bytes more after {} tokens", flood());
    }
    assert_eq!(known(), good.len(), "all good ones are known still");
}

struct Random {
    bytes: [u8; 4096],
    used: usize,
}

impl Random {
    fn new() -> Self {
        Self { bytes: [0; 4096], used: 4096 }
    }

    /// So many random bytes as base64url.
    fn text(&mut self, bytes: usize) -> String {
        if self.used + bytes > self.bytes.len() {
            getrandom::fill(&mut self.bytes).expect("randomness");
            self.used = 0;
        }
        self.used += bytes;
        URL_SAFE_NO_PAD.encode(&self.bytes[self.used - bytes..self.used])
    }
}
