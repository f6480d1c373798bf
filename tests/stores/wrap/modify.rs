//! An update that is computed from the document and fails.

use std::time::Duration;

use tokio::time::sleep;
use tower_user_metadata::MetadataUpdate;
use tower_user_metadata::store::MetadataStoreExt;

use super::staged::{Failure, Staged, settle, user};

/// It is not tried again, since it may have happened: then a second one would count twice.
#[tokio::test]
async fn an_update_whose_outcome_is_unknown_is_computed_once() {
    for (failure, written) in [(Failure::LosesAnswer, 1), (Failure::Fails, 0)] {
        let staged = Staged::default();
        let (store, alice) = (staged.clone(), user("alice"));
        let counting = tokio::spawn(async move {
            let mut computed = 0;
            let outcome = store.modify(&alice, |document| {
                computed += 1;
                let visits: u64 = document.get("visits").ok().flatten().unwrap_or(0);
                MetadataUpdate::new().set("visits", &(visits + 1))
            });
            (outcome.await, computed)
        });
        settle().await;
        staged.last().finish();
        settle().await;
        staged.last().fail(failure);
        staged.last().finish();
        // What is asked after that is answered, so that a second attempt would come to its end and be seen.
        while !counting.is_finished() {
            settle().await;
            staged.under_way().iter().for_each(|call| call.finish());
            sleep(Duration::from_millis(1)).await;
        }
        let (outcome, computed) = counting.await.expect("no panic");
        assert_eq!(outcome.expect_err("a failure").may_have_happened(), written > 0, "{failure:?}");
        assert_eq!((computed, staged.history(&user("alice")).len() - 1), (1, written), "{failure:?}");
    }
}
