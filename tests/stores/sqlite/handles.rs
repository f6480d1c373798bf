//! Several stores on one file.

use tower_user_metadata::store::MetadataStore;
use tower_user_metadata::{MetadataUpdate, Precondition};

use super::{Place, user};

#[tokio::test]
async fn what_one_writes_the_other_reads() {
    let place = Place::new();
    let (here, there) = (place.open().await, place.open().await);
    let alice = user("alice");
    for number in 0..100 {
        let (writer, reader) = if number % 2 == 0 { (&here, &there) } else { (&there, &here) };
        let update = MetadataUpdate::new().set("n", &number);
        let written = writer.update(&alice, &update, &Precondition::None).await.expect("written");
        assert_eq!(reader.get(&alice).await.expect("read"), Some(written));
    }
}
