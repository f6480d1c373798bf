mod loaded;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::loaded::{Loaded, Write};
use crate::metadata::{Limits, Metadata, MetadataUpdate, Precondition, Record};
use crate::store::{HeldStore, MetadataStore, MetadataStoreExt, StoreError, StoreErrorKind};
use crate::user_id::{HasUserId, UserId};

/// The metadata of the signed-in user: what a handler reads, updates and clears.
///
/// The layer puts one into the extensions of each request with a verified session; a middleware of your own does so by
/// [`for_user`](Self::for_user). It is bound to that user, so a
/// handler cannot name another by accident; it does no I/O until asked; clones are cheap and may outlive the request.
///
/// ```
/// use tower_user_metadata::store::MemoryStore;
/// use tower_user_metadata::{UserId, UserMetadataHandle, metadata_update};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let handle = UserMetadataHandle::admin(UserId::new("alice")?, MemoryStore::new());
/// handle.update(metadata_update! { "theme": "dark", "todos": ["one"] }).await?;
/// handle.remove("todos").await?;
/// assert_eq!(handle.get().await?.to_json(), r#"{"theme":"dark"}"#);
/// handle.clear().await?;
/// assert!(handle.get().await?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct UserMetadataHandle {
    user: Arc<dyn HasUserId>,
    store: HeldStore,
    /// What the handle has loaded, if it loads the document only once.
    loaded: Option<Arc<Loaded>>,
}

impl UserMetadataHandle {
    pub(crate) fn new(user: Arc<dyn HasUserId>, store: HeldStore) -> Self {
        Self { user, store, loaded: None }
    }

    /// A handle on any user, without a request: for scripts, jobs and administrators. The caller vouches for the id.
    /// [`for_user`](Self::for_user) is for requests.
    #[must_use]
    pub fn admin(user: UserId, store: impl MetadataStore) -> Self {
        Self::new(Arc::new(user), HeldStore::own(store))
    }

    /// A handle on the user whom a middleware of your own has signed in, for a service that has sessions already: put
    /// it into the extensions of the request, where the [adapters](crate::adapter#you-have-sessions-already) find it as
    /// they find that of the layer. The caller vouches for the id: never take it from the request itself.
    ///
    /// It is made once a request and does no I/O. All requests share the store: every store of this crate, and an `Arc` of
    /// any, is cheap to clone.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use tower_user_metadata::adapter::RequestExt;
    /// use tower_user_metadata::{MetadataStore, UserId, UserMetadataHandle, store};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let store: Arc<dyn MetadataStore> = store::connect("memory:").await?;
    /// let mut request = http::Request::new(());
    ///
    /// // In your own middleware, once it knows that it is alice who calls:
    /// let handle = UserMetadataHandle::for_user(UserId::new("alice")?, store.clone());
    /// request.extensions_mut().insert(handle);
    ///
    /// // In a handler:
    /// assert_eq!(request.user_metadata()?.user_id().as_str(), "alice");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn for_user(user: UserId, store: impl MetadataStore) -> Self {
        Self::new(Arc::new(user), HeldStore::own(store))
    }

    /// Loads the document once: later reads through this handle and its later clones answer from memory, and reads at the
    /// same time share a load. For a request whose parts each ask for the document.
    ///
    /// It does not see what others write after that. What is written through it or its clones is read back; when the
    /// outcome of a write is unknown, the next read loads again. Errors are not remembered.
    ///
    /// ```
    /// # use tower_user_metadata::{UserId, UserMetadataHandle, metadata_update, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let handle = UserMetadataHandle::admin(UserId::new("alice")?, MemoryStore::new());
    /// let page = handle.clone().with_single_load();
    /// assert!(page.get().await?.is_empty());
    /// handle.update(metadata_update! { "theme": "dark" }).await?;
    /// assert!(page.get().await?.is_empty());
    /// page.update(metadata_update! { "todos": ["one"] }).await?;
    /// assert_eq!(page.get().await?.to_json(), r#"{"theme":"dark","todos":["one"]}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_single_load(self) -> Self {
        Self { loaded: Some(Arc::default()), ..self }
    }

    /// The user whose metadata this is.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        self.user.user_id()
    }

    /// How much this user may keep.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.store.capabilities().limits()
    }

    /// The document; empty when the user has none, as in SuperTokens.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn get(&self) -> Result<Metadata, StoreError> {
        Ok(self.record().await?.map(|record| record.metadata).unwrap_or_default())
    }

    /// The document with its version; `None` when the user has none.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn record(&self) -> Result<Option<Record>, StoreError> {
        match &self.loaded {
            None => self.store.get(self.user_id()).await,
            Some(loaded) => loaded.record().get_or_try_init(|| self.store.get(self.user_id())).await.cloned(),
        }
    }

    /// The whole document as a `T`; a user without a document gives what `{}` gives.
    ///
    /// ```
    /// # use tower_user_metadata::{UserId, UserMetadataHandle, metadata_update, store::MemoryStore};
    /// #[derive(serde::Deserialize)]
    /// struct Preferences {
    ///     #[serde(default)]
    ///     theme: Option<String>,
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let handle = UserMetadataHandle::admin(UserId::new("alice")?, MemoryStore::new());
    /// handle.update(metadata_update! { "theme": "dark" }).await?;
    /// assert_eq!(handle.get_as::<Preferences>().await?.theme.as_deref(), Some("dark"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store failed, or the document is not a `T`: [`StoreErrorKind::Corrupt`].
    pub async fn get_as<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        let metadata = self.get().await?;
        metadata.to().map_err(|error| StoreError::new(StoreErrorKind::Corrupt).with_source(error))
    }

    /// Merges an update into the document and answers the merged document.
    ///
    /// # Errors
    ///
    /// The update is invalid, or the store failed.
    ///
    /// # Cancel safety
    ///
    /// The update of a dropped future happens whole or not at all.
    pub async fn update(&self, update: MetadataUpdate) -> Result<Record, StoreError> {
        self.update_if(update, Precondition::None).await
    }

    /// Merges an update into the document if the precondition holds of it.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update), and [`StoreErrorKind::PreconditionFailed`].
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    pub async fn update_if(&self, update: MetadataUpdate, when: Precondition) -> Result<Record, StoreError> {
        let write = self.write();
        let record = self.store.update(self.user_id(), &update, &when).await?;
        if let Some(write) = write {
            write.done(Some(record.clone()));
        }
        Ok(record)
    }

    /// Sets one root field; a value that serialises to `null` removes it.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    pub fn set<T: Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
    ) -> impl Future<Output = Result<Record, StoreError>> + Send + '_ + use<'_, T> {
        // Serialised before the first await, so that the future does not hold on to a `T` that may not be `Sync`.
        self.update(MetadataUpdate::new().set(name, value))
    }

    /// Removes one root field; a field that is not there is not an error.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    pub async fn remove(&self, name: &str) -> Result<Record, StoreError> {
        self.update(MetadataUpdate::new().remove(name)).await
    }

    /// Removes the whole document.
    ///
    /// # Errors
    ///
    /// The store failed.
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    pub async fn clear(&self) -> Result<(), StoreError> {
        self.clear_if(Precondition::None).await
    }

    /// Removes the whole document if the precondition holds of it.
    ///
    /// # Errors
    ///
    /// The store failed, or [`StoreErrorKind::PreconditionFailed`].
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    pub async fn clear_if(&self, when: Precondition) -> Result<(), StoreError> {
        let write = self.write();
        self.store.clear(self.user_id(), &when).await?;
        if let Some(write) = write {
            write.done(None);
        }
        Ok(())
    }

    /// Computes an update from the document and writes it if nobody wrote in between, else tries again; see
    /// [`MetadataStoreExt::modify`].
    ///
    /// # Errors
    ///
    /// As [`MetadataStoreExt::modify`].
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    pub async fn modify<F>(&self, change: F) -> Result<Record, StoreError>
    where
        F: FnMut(&Metadata) -> MetadataUpdate + Send,
    {
        let write = self.write();
        let record = self.store.modify(self.user_id(), change).await?;
        if let Some(write) = write {
            write.done(Some(record.clone()));
        }
        Ok(record)
    }

    fn write(&self) -> Option<Write<'_>> {
        self.loaded.as_deref().map(Loaded::write)
    }
}

impl fmt::Debug for UserMetadataHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserMetadataHandle").field("store", &self.store).finish_non_exhaustive()
    }
}
