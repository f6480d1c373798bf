//! What no store can beat: a map in memory, and a log of what changed in a file that is already as long as it will be,
//! synced once for all who wait.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::oneshot;
use tower_user_metadata::{Limits, Metadata, MetadataUpdate};

use crate::measure::{Call, Op, call};

const BYTES: usize = 64 << 20;

struct Job {
    user: String,
    update: MetadataUpdate,
    done: oneshot::Sender<Metadata>,
}

pub(crate) fn floor(directory: &Path) -> Call {
    let mut log = File::create(directory.join("floor.log")).expect("a log");
    log.write_all(&vec![0; BYTES]).expect("written");
    log.sync_all().expect("synced");
    let (sender, receiver) = channel();
    thread::spawn(move || serve(&log, &receiver));
    call(sender, |sender: Sender<Job>, op| async move {
        let (Op::Fill(user, json) | Op::Update(user, json)) = op else { panic!("updates only") };
        let update = MetadataUpdate::from_json(json.as_bytes()).expect("an update");
        let (done, merged) = oneshot::channel();
        sender.send(Job { user, update, done }).expect("served");
        merged.await.expect("done");
    })
}

fn serve(log: &File, writes: &Receiver<Job>) {
    let (mut documents, mut place) = (HashMap::<String, Metadata>::new(), 0);
    while let Ok(first) = writes.recv() {
        let (mut group, mut bytes) = (Vec::new(), Vec::new());
        for Job { user, update, done } in std::iter::once(first).chain(writes.try_iter().take(255)) {
            bytes.extend_from_slice(user.as_bytes());
            let stored = documents.entry(user).or_default();
            *stored = update.apply(stored, &Limits::default()).expect("within the limits");
            bytes.extend_from_slice(stored.to_json().as_bytes());
            group.push((done, stored.clone()));
        }
        if place + bytes.len() > BYTES {
            place = 0;
        }
        log.write_all_at(&bytes, place as u64).expect("written");
        place += bytes.len();
        log.sync_data().expect("synced");
        for (done, merged) in group {
            let _ = done.send(merged);
        }
    }
}
