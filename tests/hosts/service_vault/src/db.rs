use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use rocket::tokio::task::spawn_blocking;

use crate::service::Outcome;

diesel::table! {
    users (uuid) {
        uuid -> Text,
        email -> Text,
        salt -> Binary,
        password_hash -> Binary,
        security_stamp -> Text,
    }
}

#[derive(Clone, Debug, Insertable, Queryable)]
#[diesel(table_name = users)]
pub(crate) struct User {
    pub(crate) uuid: String,
    pub(crate) email: String,
    pub(crate) salt: Vec<u8>,
    pub(crate) password_hash: Vec<u8>,
    /// A token with another one is no longer good.
    pub(crate) security_stamp: String,
}

#[derive(Clone)]
pub(crate) struct Database(Pool<ConnectionManager<SqliteConnection>>);

impl Database {
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let pool = Pool::new(ConnectionManager::<SqliteConnection>::new(path.to_str().ok_or("a path")?))?;
        pool.get()?.batch_execute(include_str!("schema.sql"))?;
        Ok(Self(pool))
    }

    pub(crate) async fn user(&self, uuid: String) -> Option<User> {
        self.run(move |connection| users::table.find(uuid).first(connection)).await
    }

    pub(crate) async fn user_by_email(&self, email: String) -> Option<User> {
        self.run(move |connection| users::table.filter(users::email.eq(email)).first(connection)).await
    }

    /// `None` if the address is taken.
    pub(crate) async fn add(&self, user: User) -> Option<usize> {
        self.run(move |connection| diesel::insert_into(users::table).values(user).execute(connection)).await
    }

    pub(crate) async fn set_stamp(&self, uuid: String, stamp: String) -> Option<usize> {
        self.run(move |connection| {
            diesel::update(users::table.find(uuid)).set(users::security_stamp.eq(stamp)).execute(connection)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Option<T> {
        let pool = self.0.clone();
        spawn_blocking(move || query(&mut *pool.get().ok()?).ok()).await.ok()?
    }
}
