//! Ids as long as they may be: every one is a user by itself.

use tower_user_metadata::store::MetadataStore;
use tower_user_metadata::{MetadataUpdate, Precondition, UserId};

/// Ids of 128 to 255 characters of one to four bytes, of which many have all but the last character in common.
fn long() -> Vec<UserId> {
    let mut ids = Vec::new();
    for unit in ["u", "ä", "\u{4e2d}", "\u{1f600}"] {
        for length in [127, 128, 129, 254] {
            for last in ["a", "A", "b", "\u{1f601}"] {
                ids.push(UserId::new(format!("{}{last}", unit.repeat(length))).expect("an id"));
            }
        }
    }
    ids
}

/// Writes under each id, and sees nothing of the others.
pub(crate) async fn are_kept_apart(store: &dyn MetadataStore) {
    let ids = long();
    for (n, id) in ids.iter().enumerate() {
        let update = MetadataUpdate::new().set("n", &n);
        let when = if n % 2 == 0 { Precondition::None } else { Precondition::Absent };
        store
            .update(id, &update, &when)
            .await
            .unwrap_or_else(|error| panic!("{} characters: {error:?}", id.as_str().len()));
    }
    let found = store.get_many(&ids).await.expect("read");
    for (n, (id, record)) in ids.iter().zip(found).enumerate() {
        let record = record.expect("a document");
        assert_eq!(record.metadata.get::<usize>("n").expect("a number"), Some(n));
        assert_eq!(store.get(id).await.expect("read").as_ref(), Some(&record));
    }
    for id in ids.iter().step_by(2) {
        store.clear(id, &Precondition::Exists).await.expect("cleared");
    }
    for (n, record) in store.get_many(&ids).await.expect("read").into_iter().enumerate() {
        assert_eq!(record.is_some(), n % 2 == 1);
    }
}
