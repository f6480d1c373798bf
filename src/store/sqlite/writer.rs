//! The one writer of a process: commits everything that waits as one group.
//!
//! A group is what is in the queue while it is being built, never what a timer gathered, so a lone write is as fast as
//! a transaction of its own.

use std::mem;
use std::sync::Arc;

use super::checkpoint::{self, Checkpoints};
use super::error;
use super::identity::Identity;
use super::query::Writes;
use super::queue::{Job, Queue, Server};
use crate::metadata::{Limits, Metadata, MetadataUpdate, Precondition, Record, Text, Version};
use crate::store::StoreError;
use crate::user_id::UserId;

/// The most writes in one group: bounds how long the first of them waits for the others.
const GROUP: usize = 256;

/// The most bytes of documents in one group, a single larger document aside: bounds the growth of the log.
const GROUP_BYTES: usize = 1024 * 1024;

/// One write.
pub(super) struct Write {
    pub(super) user: UserId,
    pub(super) when: Precondition,
    pub(super) change: Change,
}

pub(super) enum Change {
    /// Merge; a changed document gets the fresh version.
    Update {
        update: MetadataUpdate,
        fresh: Version,
    },
    Clear,
}

/// What the user has after the write, as text: to read it is left to the caller, whose thread is not the only one.
pub(super) struct Written {
    version: Version,
    document: String,
}

impl Written {
    pub(super) fn record(self) -> Result<Record, StoreError> {
        let metadata = Metadata::from_stored(self.document.as_bytes());
        let metadata = metadata.ok_or_else(|| error::damaged().with_may_have_happened())?;
        Ok(Record { metadata, version: self.version })
    }
}

type Answer = Option<Written>;
pub(super) type WriteJob = Job<Write, Answer>;
pub(super) type WriteQueue = Queue<Write, Answer>;

/// A write that is done in the open transaction, or refused without an effect.
type Outcome = Result<Answer, StoreError>;

/// The transaction can neither be committed nor undone, so the state of the file is unknown.
struct Stuck;

/// Serves the queue until it ends.
pub(super) fn run(
    queue: &Arc<WriteQueue>,
    writes: Writes<'_>,
    limits: Limits,
    checkpoints: Checkpoints,
    file: Identity,
) {
    let _server = Server(queue.clone());
    let mut writer = Writer { queue, writes, limits, checkpoints, file, pages: 0 };
    while queue.wait() {
        if let Err(Stuck) = writer.group() {
            tracing::error!("the metadata store cannot undo a transaction and takes no more writes");
            return;
        }
    }
}

struct Writer<'a, 'c> {
    queue: &'a WriteQueue,
    writes: Writes<'c>,
    limits: Limits,
    checkpoints: Checkpoints,
    file: Identity,
    /// Pages that were written since the last commit.
    pages: u32,
}

impl Writer<'_, '_> {
    fn group(&mut self) -> Result<(), Stuck> {
        if self.file.has_moved() {
            self.refuse(error::moved);
            return Ok(());
        }
        // The jobs stay in the queue, unclaimed, until the lock is held: a caller that gives up before that knows that
        // nothing happened.
        match self.writes.begin() {
            Ok(()) => self.queue.set_locked(false),
            Err(error) if error::is_busy(&error) => {
                self.queue.set_locked(true);
                self.queue.forget_unwanted();
                return Ok(());
            }
            Err(error) => {
                self.refuse(|| error::rolled_back(&error));
                return Ok(());
            }
        }
        let mut group = Vec::with_capacity(64);
        let mut bytes = 0;
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Some(job) = self.queue.try_take() else { break };
            if !job.claim() {
                continue;
            }
            match self.apply(&job.work, &mut bytes) {
                Ok(outcome) => group.push((job, outcome)),
                Err(failed) => {
                    self.undo()?;
                    if group.is_empty() {
                        job.answer(Err(error::rolled_back(&failed)));
                        return Ok(());
                    }
                    // Which of them it was is not sure, for example when the disk is full: each gets a transaction of
                    // its own, in the same order.
                    return group.into_iter().map(|(job, _)| job).chain([job]).try_for_each(|job| self.alone(job));
                }
            }
        }
        self.commit(group)
    }

    /// Answers all that waits, without having done it.
    fn refuse(&self, why: impl Fn() -> StoreError) {
        while let Some(job) = self.queue.try_take() {
            job.answer(Err(why()));
        }
    }

    fn alone(&mut self, job: WriteJob) -> Result<(), Stuck> {
        let outcome = self.writes.begin().and_then(|()| self.apply(&job.work, &mut 0));
        match outcome {
            Ok(outcome) => self.commit(vec![(job, outcome)]),
            Err(failed) => {
                self.undo()?;
                job.answer(Err(error::rolled_back(&failed)));
                Ok(())
            }
        }
    }

    fn commit(&mut self, group: Vec<(WriteJob, Outcome)>) -> Result<(), Stuck> {
        let pausing = group.len() <= 1;
        let failed = self.writes.commit().err();
        // Nobody is answered before it is known what is true.
        if failed.is_some() {
            self.undo()?;
        }
        for (job, outcome) in group {
            job.answer(match (&failed, outcome) {
                (None, outcome) => outcome,
                (Some(failed), Ok(_)) => Err(error::commit(failed)),
                // Refused by itself, but perhaps for what an earlier write of the group had changed.
                (Some(failed), Err(_)) => Err(error::rolled_back(failed)),
            });
        }
        self.checkpoints.after_commit(pausing, mem::take(&mut self.pages));
        Ok(())
    }

    fn undo(&mut self) -> Result<(), Stuck> {
        self.writes.rollback().map_err(|_| Stuck)
    }

    /// Does one write in the open transaction. The outer error is one of the database.
    fn apply(&mut self, write: &Write, bytes: &mut usize) -> rusqlite::Result<Outcome> {
        match &write.change {
            Change::Update { update, fresh } => self.update(write, update, *fresh, bytes),
            Change::Clear => self.clear(write),
        }
    }

    fn update(
        &mut self,
        write: &Write,
        update: &MetadataUpdate,
        fresh: Version,
        bytes: &mut usize,
    ) -> rusqlite::Result<Outcome> {
        let limits = &self.limits;
        // With whether the document changes.
        let merge = |version, stored: &[u8]| {
            let text = Text::read(stored).ok_or_else(error::damaged)?;
            if !write.when.holds(Some(version)) {
                return Err(StoreError::precondition_failed(Some(version)));
            }
            if update.is_empty() {
                let document = String::from_utf8(stored.to_vec()).map_err(|_| error::damaged())?;
                return Ok((Written { version, document }, false));
            }
            Ok((Written { version: fresh, document: text.merge(update, limits)? }, true))
        };
        let (row, written) = match self.writes.find(&write.user, merge)? {
            Some((_, Ok((written, false)))) => return Ok(Ok(Some(written))),
            Some((row, Ok((written, true)))) => (Some(row), written),
            Some((_, Err(refused))) => return Ok(Err(refused)),
            None if !write.when.holds(None) => return Ok(Err(StoreError::precondition_failed(None))),
            None => match Text::default().merge(update, limits) {
                Ok(document) => (None, Written { version: fresh, document }),
                Err(invalid) => return Ok(Err(invalid.into())),
            },
        };
        *bytes += written.document.len();
        self.pages += checkpoint::pages_of(&written.document);
        match row {
            Some(row) => self.writes.replace(row, fresh, &written.document)?,
            None => {
                // That of the index.
                self.pages += 1;
                self.writes.insert(&write.user, fresh, &written.document)?;
            }
        }
        Ok(Ok(Some(written)))
    }

    fn clear(&mut self, write: &Write) -> rusqlite::Result<Outcome> {
        if write.when != Precondition::None {
            let version = self.writes.find_version(&write.user)?;
            if !write.when.holds(version) {
                return Ok(Err(StoreError::precondition_failed(version)));
            }
        }
        self.pages += 2;
        self.writes.delete(&write.user)?;
        Ok(Ok(None))
    }
}
