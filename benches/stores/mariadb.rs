//! MariaDB as applications use it.

use sqlx::MySqlPool;
use sqlx::mysql::MySqlPoolOptions;

use crate::measure::{Call, Op, call};
use crate::workload::merge;

const SELECT: &str = "SELECT document FROM by_hand WHERE user_id = ? FOR UPDATE";
const REPLACE: &str = "INSERT INTO by_hand (user_id, document) VALUES (?, ?) \
    ON DUPLICATE KEY UPDATE document = VALUES(document)";

/// Locks, merges and writes in a transaction, through sqlx with its defaults: ten connections, each asked for a sign of
/// life before it is used.
pub(crate) async fn lock_merge_write(url: &str) -> Call {
    let url = url.replace("mariadb://", "mysql://");
    let pool = MySqlPoolOptions::new().connect(&url).await.expect("connected");
    let table = "CREATE TABLE by_hand (user_id VARBINARY(512) NOT NULL PRIMARY KEY, \
        document LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL) ENGINE=InnoDB";
    sqlx::query(table).execute(&pool).await.expect("made");
    call(pool, |pool: MySqlPool, op| async move {
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
