//! Updates of a SQLite file by one upsert at a time through sqlx. Asked by lines for rounds of measurement.

use std::io::{BufRead, Write};
use std::time::Duration;

use measure::{Kind, Op, call};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use workload::Workload;

#[path = "../../../stores/measure.rs"]
mod measure;
#[path = "../../../stores/workload.rs"]
mod workload;

const UPSERT: &str = "INSERT INTO metadata (user_id, document) VALUES (?1, ?2) \
    ON CONFLICT (user_id) DO UPDATE SET document = json_patch(document, excluded.document) RETURNING document";

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("the path of a file");
    let [users, connections] = [(); 2].map(|()| arguments.next().and_then(|n| n.parse().ok()).expect("a number"));
    let workload = Workload::new(users, 1_024, 10);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(connections as u32).connect_with(options).await.expect("open");
    let table = "CREATE TABLE metadata (user_id TEXT NOT NULL PRIMARY KEY, document TEXT NOT NULL)";
    sqlx::query(table).execute(&pool).await.expect("made");
    let call = call(pool, |pool: SqlitePool, op| async move {
        let (Op::Fill(user, json) | Op::Update(user, json)) = op else { panic!("updates only") };
        let row: (String,) = sqlx::query_as(UPSERT).bind(user).bind(json).fetch_one(&pool).await.expect("updated");
        let _: serde_json::Value = serde_json::from_str(&row.0).expect("a document");
    });
    measure::fill(&call, &workload).await;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let mut numbers = line.split(' ').map(|number| number.parse::<u64>().expect("a number"));
        let (in_flight, time) = (numbers.next().expect("in flight"), numbers.next().expect("milliseconds"));
        let time = Duration::from_millis(time);
        let round = measure::round(&call, &workload, Kind::Update, in_flight as usize, time).await;
        let latencies: Vec<_> = round.latencies.iter().map(u32::to_string).collect();
        println!("{} {}", round.seconds, latencies.join(" "));
        std::io::stdout().flush().expect("flushed");
    }
}
