//! Postgres as applications use it.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_postgres::NoTls;

use crate::measure::{Call, Op, call};
use crate::workload::merge;

const SELECT: &str = "SELECT document FROM by_hand WHERE user_id = $1 FOR UPDATE";
const REPLACE: &str = "INSERT INTO by_hand (user_id, document) VALUES ($1, $2) \
    ON CONFLICT (user_id) DO UPDATE SET document = excluded.document";

/// What SuperTokens does, through sqlx with its defaults: ten connections, each asked for a sign of life before it is
/// used.
pub(crate) async fn lock_merge_write(url: &str) -> Call {
    let pool = PgPoolOptions::new().connect(url).await.expect("connected");
    sqlx::query("CREATE TABLE by_hand (user_id text NOT NULL PRIMARY KEY, document text NOT NULL)")
        .execute(&pool)
        .await
        .expect("made");
    call(pool, |pool: PgPool, op| async move {
        match op {
            Op::Fill(user, json) => {
                sqlx::query(REPLACE).bind(user).bind(json).execute(&pool).await.expect("filled");
            }
            Op::Update(user, json) => {
                let mut transaction = pool.begin().await.expect("begun");
                let stored: Option<(String,)> =
                    sqlx::query_as(SELECT).bind(&user).fetch_optional(&mut *transaction).await.expect("read");
                let merged = merge(stored.as_ref().map(|(document,)| document.as_str()), &json);
                sqlx::query(REPLACE).bind(user).bind(merged).execute(&mut *transaction).await.expect("written");
                transaction.commit().await.expect("committed");
            }
            Op::Get(_) => panic!("updates only"),
        }
    })
}

const PLAIN: &str = "INSERT INTO plain AS t (user_id, document) VALUES ($1, $2) \
    ON CONFLICT (user_id) DO UPDATE SET document = (t.document || excluded.document) - $3::text[] RETURNING document";
const FIND: &str = "SELECT document FROM plain WHERE user_id = $1";

/// One prepared statement a call on a connection that the call has for itself, through deadpool and tokio-postgres.
pub(crate) async fn plain(url: &str) -> Call {
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(url.parse().expect("a URL"), NoTls, config);
    let pool = Pool::builder(manager).max_size(10).build().expect("a pool");
    let table = "CREATE TABLE plain (user_id text NOT NULL PRIMARY KEY, document jsonb NOT NULL)";
    pool.get().await.expect("connected").batch_execute(table).await.expect("made");
    call(pool, |pool: Pool, op| async move {
        let connection = pool.get().await.expect("a connection");
        let row = match op {
            Op::Fill(user, json) | Op::Update(user, json) => {
                let update: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_str(&json).expect("an object");
                let (removed, set): (Vec<_>, Vec<_>) = update.into_iter().partition(|(_, value)| value.is_null());
                let removed: Vec<_> = removed.into_iter().map(|(name, _)| name).collect();
                let set = serde_json::Value::Object(set.into_iter().collect());
                let statement = connection.prepare_cached(PLAIN).await.expect("prepared");
                connection.query_one(&statement, &[&user, &set, &removed]).await.expect("updated")
            }
            Op::Get(user) => {
                let statement = connection.prepare_cached(FIND).await.expect("prepared");
                connection.query_one(&statement, &[&user]).await.expect("read")
            }
        };
        let _: serde_json::Value = row.get(0);
    })
}
