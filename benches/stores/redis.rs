//! Redis as applications use it.

use std::sync::{Arc, Mutex};

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, cmd, pipe};
use tokio::sync::Semaphore;

use crate::measure::{Call, Op, call};
use crate::workload::merge;

/// As many as calls are ever in flight, so that none waits for another's transaction.
const CONNECTIONS: usize = 64;

struct Pool {
    idle: Mutex<Vec<MultiplexedConnection>>,
    free: Semaphore,
}

/// `WATCH`, `GET`, merge, `MULTI`, `SET`, `EXEC`, again when somebody came between.
pub(crate) async fn watch_merge_set(url: &str) -> Call {
    let client = redis::Client::open(url).expect("a URL");
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        idle.push(client.get_multiplexed_async_connection().await.expect("connected"));
    }
    let pool = Pool { idle: Mutex::new(idle), free: Semaphore::new(CONNECTIONS) };
    call(Arc::new(pool), |pool, op| async move {
        let _place = pool.free.acquire().await.expect("open");
        let mut connection = pool.idle.lock().expect("whole").pop().expect("one for each place");
        match op {
            Op::Fill(user, json) => connection.set::<_, _, ()>(format!("by_hand:{user}"), json).await.expect("filled"),
            Op::Update(user, json) => update(&mut connection, &format!("by_hand:{user}"), &json).await,
            Op::Get(_) => panic!("updates only"),
        }
        pool.idle.lock().expect("whole").push(connection);
    })
}

async fn update(connection: &mut MultiplexedConnection, key: &str, json: &str) {
    loop {
        cmd("WATCH").arg(key).exec_async(connection).await.expect("watched");
        let stored: Option<String> = connection.get(key).await.expect("read");
        let merged = merge(stored.as_deref(), json);
        let mut transaction = pipe();
        transaction.atomic().set(key, merged).ignore();
        let done: Option<()> = transaction.query_async(connection).await.expect("answered");
        if done.is_some() {
            return;
        }
    }
}
