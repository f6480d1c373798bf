//! How the cost of a call grows with what is kept.

use crate::contest::{Contestant, Pace, contest, growth_heading};
use crate::measure::Kind;
use crate::ours::ours;
use crate::place::Place;
use crate::workload::Workload;

/// Calls in flight.
const IN_FLIGHT: usize = 16;

/// What grows, and the sizes that it takes.
struct Dimension {
    name: &'static str,
    variants: Vec<(String, Workload)>,
}

fn dimensions(most_users: usize) -> [Dimension; 3] {
    let variant = |name: String, users, bytes, fields| (name, Workload::new(users, bytes, fields));
    let sizes = [1, 4, 16, 64].map(|kib: usize| variant(format!("{kib} KiB"), 1_000, kib * 1_024, 10));
    let users = [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|users| *users <= most_users);
    let users = users.map(|users| variant(format!("{users} users"), users, 1_024, 10));
    // Values of the same length, so that an update is the same.
    let fields =
        [10, 30, 100, 300].map(|fields: usize| variant(format!("{fields} fields"), 1_000, fields * 100, fields));
    [
        Dimension { name: "bytes of a document", variants: sizes.into() },
        Dimension { name: "users", variants: users.collect() },
        Dimension { name: "root fields of 100 bytes", variants: fields.into() },
    ]
}

pub(crate) async fn growth(title: &str, place: &Place, pace: Pace, most_users: usize) {
    growth_heading(title);
    for (at, Dimension { name, variants }) in dimensions(most_users).into_iter().enumerate() {
        println!("| **by {name}** | | | | |");
        let (mut contestants, mut stores) = (Vec::new(), Vec::new());
        for (n, (variant, workload)) in variants.iter().enumerate() {
            let store = place.open(&format!("growth-{at}-{n}")).await;
            stores.push(store.clone());
            contestants.push(Contestant::filled(variant.as_str(), ours(store), workload).await);
        }
        for (kind, verb) in [(Kind::Update, "update"), (Kind::Get, "get")] {
            contest(&contestants, kind, IN_FLIGHT, pace).await.print_growth(verb);
        }
        for store in stores {
            store.close().await;
        }
    }
}
