use std::future::Future;
use std::sync::Arc;

use crate::store::{MetadataStore, Namespace};

/// How to open the store under test for a namespace: any async closure that takes one and answers a store.
///
/// The store has the default [`Limits`](crate::Limits). Every call for one namespace gives a handle on the same
/// documents, so a store in a file is opened a second time, and one in memory is cloned.
pub trait OpenStore {
    /// A handle on the documents of this namespace.
    fn open(&self, namespace: Namespace) -> impl Future<Output = Arc<dyn MetadataStore>>;
}

impl<O, S> OpenStore for O
where
    O: AsyncFn(Namespace) -> S,
    S: MetadataStore,
{
    async fn open(&self, namespace: Namespace) -> Arc<dyn MetadataStore> {
        Arc::new(self(namespace).await)
    }
}

/// Two handles on the documents of one namespace, for checks in which several callers meet.
#[derive(Clone, Debug)]
pub struct Handles([Arc<dyn MetadataStore>; 2]);

impl Handles {
    /// Opens a namespace twice.
    pub async fn open<O: OpenStore>(open: &O, namespace: Namespace) -> Self {
        Self([open.open(namespace.clone()).await, open.open(namespace).await])
    }

    /// Both handles.
    #[must_use]
    pub fn stores(&self) -> &[Arc<dyn MetadataStore>; 2] {
        &self.0
    }

    pub(super) fn first(&self) -> &dyn MetadataStore {
        let [first, _] = &self.0;
        first.as_ref()
    }

    /// One of the handles by turns.
    pub(super) fn turn(&self, caller: usize) -> Arc<dyn MetadataStore> {
        let [first, second] = &self.0;
        Arc::clone(if caller.is_multiple_of(2) { first } else { second })
    }
}
