//! The stores of this crate as contestants.

use std::sync::Arc;

use tower_user_metadata::store::MetadataStore;
use tower_user_metadata::{MetadataUpdate, Precondition, UserId};

use crate::measure::{Call, Op, call};

pub(crate) fn ours(store: Arc<dyn MetadataStore>) -> Call {
    call(store, |store, op| async move {
        match op {
            Op::Fill(user, json) | Op::Update(user, json) => {
                let user = UserId::new(user).expect("an id");
                let update = MetadataUpdate::from_json(json.as_bytes()).expect("an update");
                store.update(&user, &update, &Precondition::None).await.expect("updated");
            }
            Op::Get(user) => {
                let user = UserId::new(user).expect("an id");
                store.get(&user).await.expect("read").expect("there");
            }
        }
    })
}
