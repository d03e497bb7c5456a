//! A loaded context: the visible state, the planned state while records are in flight, and what is kept at hand for reads.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::commit::{key_header, seal};
pub use crate::commit::{Commit, Outcome, Put};
use crate::entry::{Bytes16, Entry};
use crate::error::{Error, Family, Need, Result};
use crate::fetched::{Fetched, InFlight, Recent, Records};
use crate::format::Format;
use crate::history::Links;
use crate::idempotency;
use crate::keys;
use crate::limits::{SNAPSHOT_BYTES, SNAPSHOT_RECORDS};
use crate::plan::{self, Draft};
use crate::policy::{Decision, Idle};
use crate::record::{After, Record, StoredRecord};
use crate::render::{self, Rendering};
use crate::reply::ReplyShape;
use crate::request::{Action, Request};
use crate::spliced::Spliced;
use crate::state::{self, State};
use crate::tokens::Counting;
use crate::window::{page, RenderedWindows, Window, WindowRequest};

/// What a loaded context costs beside its content, and one that does not exist.
const CONTEXT_BYTES: usize = 4096;

/// A context, loaded.
#[derive(Debug)]
pub struct Context {
    pub(crate) id: String,
    pub(crate) applied: Option<State>,
    /// The visible state and the records in flight. It stays when none is in flight any more: folding the next record twice
    /// costs less than a copy of all that is kept.
    planned: Option<State>,
    pub(crate) in_flight: VecDeque<InFlight>,
    pub(crate) recent: Recent,
    rendered: RenderedWindows,
    pub(crate) links: Links,
    records_since_snapshot: u64,
    bytes_since_snapshot: usize,
    chunks_stored: u64,
    /// The policy's last run, if that changed nothing.
    idle: Option<Idle>,
}

impl Context {
    /// Loads a context: its snapshot and the records after it. One that was never created is loaded as well.
    ///
    /// # Errors
    /// [`Error::Need`], [`Error::Corrupt`], [`Error::UnknownEntry`], [`Error::UnknownFormat`].
    pub fn load(id: &str, fetched: &Fetched) -> Result<Self> {
        let snapshot = fetched.get(Family::State, keys::snapshot(id))?;
        let snapshot = snapshot.map(|bytes| state::decode(id, bytes)).transpose()?;
        let after = snapshot.as_ref().map_or(0, |state| state.version + 1);
        let records = match fetched.range((after, u64::MAX)) {
            Some(records) => records,
            None => return Err(Error::Need(Box::new(Need { records: Some((after, u64::MAX)), ..Need::default() }))),
        };
        let mut context = Self::empty(id);
        context.chunks_stored = snapshot.as_ref().map_or(0, |state| state.index.chunk_count());
        context.applied = snapshot;
        for bytes in records {
            context.replay(bytes)?;
        }
        Ok(context)
    }

    fn empty(id: &str) -> Self {
        Self {
            id: id.into(),
            applied: None,
            planned: None,
            in_flight: VecDeque::new(),
            recent: Recent::default(),
            rendered: RenderedWindows::default(),
            links: Links::default(),
            records_since_snapshot: 0,
            bytes_since_snapshot: 0,
            chunks_stored: 0,
            idle: None,
        }
    }

    /// Folds a stored record into the visible state, as a load and as another node does.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it does not continue the state.
    pub fn replay(&mut self, bytes: &Arc<[u8]>) -> Result<()> {
        let stored = StoredRecord::parse(bytes)?;
        let record = stored.decode()?;
        match &mut self.applied {
            Some(state) => {
                stored.verify_chain(state.chain)?;
                state.fold_record(&record, stored.chain)?;
            }
            None => {
                let state = State::begin(&self.id, &record, stored.chain)?;
                stored.verify_chain(state.incarnation)?;
                self.applied = Some(state);
            }
        }
        self.count_record(bytes);
        Ok(())
    }

    fn count_record(&mut self, bytes: &[u8]) {
        self.records_since_snapshot += 1;
        self.bytes_since_snapshot += bytes.len();
    }

    /// The visible state.
    ///
    /// # Errors
    /// [`Error::UnknownContext`].
    pub fn state(&self) -> Result<&State> {
        self.applied.as_ref().ok_or(Error::UnknownContext)
    }

    /// The visible version, nothing where the context does not exist.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.applied.as_ref().map(|state| state.version)
    }

    /// Records that are planned and not yet visible.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn head(&self) -> Option<&State> {
        self.planned.as_ref().or(self.applied.as_ref())
    }

    /// How messages are counted for the next write.
    #[must_use]
    pub fn counting(&self) -> Counting {
        self.head().map_or_else(Counting::default, |state| Counting::of(&state.config))
    }

    /// Takes in the index chunks that were fetched.
    pub(crate) fn absorb(&mut self, fetched: &Fetched) -> Result<()> {
        if fetched.chunks().next().is_some() {
            self.drop_idle_plan();
        }
        for (number, bytes) in fetched.chunks() {
            let bytes = bytes.ok_or_else(|| Error::corrupt(format!("index chunk {number} is lost")))?;
            for state in [&mut self.applied, &mut self.planned].into_iter().flatten() {
                state.index.load(number, bytes)?;
            }
        }
        Ok(())
    }

    /// Names the chunks that an index lacks by their whole keys.
    pub(crate) fn with_keys<T>(&self, result: Result<T>) -> Result<T> {
        with_keys(&self.id, result)
    }

    /// Plans a write on the planned state. `incarnation` is used where the request creates the context, `decision` where a
    /// custom policy is due.
    ///
    /// # Errors
    /// Whatever the request is refused for; [`Error::Need`] for bytes that lack; [`Error::Stale`] where its messages were
    /// counted by other rules than the context's.
    pub fn plan(
        &mut self,
        request: &Request,
        now_ms: i64,
        incarnation: Bytes16,
        fetched: &Fetched,
        decision: Option<&Decision>,
    ) -> Result<Outcome> {
        self.absorb(fetched)?;
        let outcome = self.plan_request(request, now_ms, incarnation, fetched, decision);
        if outcome.is_err() {
            // Entries may have been folded before it failed.
            self.planned = None;
            self.replan()?;
        }
        match self.with_keys(outcome) {
            Err(Error::Consult(columns)) => Ok(Outcome::Consult(columns)),
            other => other,
        }
    }

    /// Builds the planned state again from the visible one and the records in flight.
    fn replan(&mut self) -> Result<()> {
        if self.in_flight.is_empty() {
            return Ok(());
        }
        let mut planned = self.applied.clone();
        for flight in &self.in_flight {
            match &mut planned {
                Some(state) => state.fold_record(&flight.record, flight.chain)?,
                None => planned = Some(State::begin(&self.id, &flight.record, flight.chain)?),
            }
        }
        self.planned = planned;
        Ok(())
    }

    fn plan_request(
        &mut self,
        request: &Request,
        now_ms: i64,
        incarnation: Bytes16,
        fetched: &Fetched,
        decision: Option<&Decision>,
    ) -> Result<Outcome> {
        if let Some(done) = self.replayed(request, now_ms, fetched)? {
            return Ok(done);
        }
        let Some(head) = self.head() else {
            return match &request.action {
                Action::Configure(configure) if request.if_version.is_none() => {
                    self.create(plan::create(configure, incarnation), request, now_ms)
                }
                _ => Err(Error::UnknownContext),
            };
        };
        if head.tombstoned && !matches!(request.action, Action::Tombstone) {
            return Err(Error::Tombstoned);
        }
        if let Some(expected) = request.if_version.filter(|expected| *expected != head.version) {
            return Err(Error::VersionConflict { expected, actual: head.version });
        }
        if request.counting != Counting::of(&head.config) && request.action.counts() {
            return Err(Error::Stale);
        }
        self.plan_action(request, now_ms, fetched, decision)
    }

    fn create(&mut self, created: crate::entry::Created, request: &Request, now_ms: i64) -> Result<Outcome> {
        let state = State::new(&self.id, &created, now_ms);
        let reply = render::context(&state);
        let key = key_header(request, 0, &reply);
        let record = Record {
            first_version: 0,
            time_ms: now_ms,
            first_seq: 1,
            after: After::default(),
            entries: vec![Entry::Created(created)],
            key,
        };
        let planned = self.planned.insert(state);
        let mut commit = seal(planned, &mut self.in_flight, record, &[], reply);
        commit.created = true;
        commit.puts.push((Family::State, keys::snapshot(&self.id), Some(state::encode(planned))));
        Ok(Outcome::Commit(commit))
    }

    fn plan_action(
        &mut self,
        request: &Request,
        now_ms: i64,
        fetched: &Fetched,
        decision: Option<&Decision>,
    ) -> Result<Outcome> {
        let counting = request.counting.rules();
        if self.planned.is_none() {
            self.planned.clone_from(&self.applied);
        }
        let records = Records { id: &self.id, recent: &self.recent, in_flight: &self.in_flight, fetched };
        let planned = self.planned.as_mut().ok_or(Error::UnknownContext)?;
        let needed = planned.needs_compaction();
        let first_seq = planned.last_seq() + 1;
        let mut draft = Draft { decision, idle: self.idle, ..Draft::new(planned, &counting, now_ms) };
        let before = (draft.state.kept.tokens(), draft.state.version);
        let shape = ReplyShape::of(&request.action);
        match &request.action {
            Action::Append(append) => plan::append(&mut draft, append, records)?,
            Action::Compact(compact) => plan::compact(&mut draft, compact, records)?,
            Action::Revert(revert) => plan::revert(&mut draft, *revert, records)?,
            Action::Rewind(rewind) => plan::rewind(&mut draft, *rewind, records)?,
            Action::Configure(configure) => plan::configure(&mut draft, configure)?,
            Action::Metadata(patch) => plan::merge_metadata(&mut draft, patch)?,
            Action::Tombstone => plan::tombstone(&mut draft)?,
        }
        let Draft { entries, bodies, first_version, time_ms, state, idle, .. } = draft;
        self.idle = idle.filter(|_| !matches!(request.action, Action::Configure(_)));
        if !entries.is_empty() {
            state.updated_ms = time_ms;
        }
        let reply = shape.reply(state, first_seq, before.0);
        if entries.is_empty() {
            let version = before.1;
            self.drop_idle_plan();
            return Ok(Outcome::Done { reply, version, replayed: false });
        }
        let key = key_header(request, state.keys_total, &reply);
        let needs = state.needs_compaction() && !state.tombstoned;
        let after = After { used_tokens: state.used_tokens(), needs_compaction: state.needs_compaction() };
        let record = Record { first_version, time_ms, first_seq, after, entries, key };
        let mut commit = seal(state, &mut self.in_flight, record, &bodies, reply);
        if needs != needed {
            commit.puts.push((Family::State, keys::needs_marker(&self.id), needs.then(Vec::new)));
        }
        Ok(Outcome::Commit(commit))
    }

    /// Without records in flight the planned state is only kept for the next one, which can do without.
    fn drop_idle_plan(&mut self) {
        if self.in_flight.is_empty() {
            self.planned = None;
        }
    }

    /// The reply to a request that was made before.
    fn replayed(&self, request: &Request, now_ms: i64, fetched: &Fetched) -> Result<Option<Outcome>> {
        let Some(key) = &request.key else { return Ok(None) };
        let flying = self.in_flight.iter().map(|f| &f.record).find(|r| r.key.as_ref().is_some_and(|k| k.key == *key));
        if let Some(record) = flying {
            let header = record.key.as_ref().filter(|header| header.hash == request.hash).ok_or(Error::KeyConflict)?;
            return Ok(Some(Outcome::Done {
                reply: header.reply.clone(),
                version: record.last_version(),
                replayed: true,
            }));
        }
        let Some(head) = self.head() else { return Ok(None) };
        let Some(entry) = idempotency::find(head, key, now_ms, fetched)? else { return Ok(None) };
        if entry.hash != request.hash {
            return Err(Error::KeyConflict);
        }
        let records = Records { id: &self.id, recent: &self.recent, in_flight: &self.in_flight, fetched };
        let stored = StoredRecord::parse(records.get(entry.first_version)?)?;
        let lost = || Error::corrupt(format!("record {} has lost its idempotency header", entry.first_version));
        let reply = stored.key()?.ok_or_else(lost)?.reply;
        Ok(Some(Outcome::Done { reply, version: stored.last_version, replayed: true }))
    }

    /// Deletes of idempotency keys that are forgotten.
    ///
    /// # Errors
    /// [`Error::Need`].
    pub fn forget_keys(&self, fetched: &Fetched) -> Result<Vec<Put>> {
        self.applied.as_ref().map_or(Ok(Vec::new()), |state| idempotency::forget(state, fetched))
    }

    /// Makes the oldest record in flight visible: it is durable.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it is not the oldest one.
    pub fn apply(&mut self, first_version: u64) -> Result<()> {
        let flight = self.in_flight.pop_front().filter(|f| f.record.first_version == first_version);
        let flight =
            flight.ok_or_else(|| Error::corrupt(format!("record {first_version} is not the oldest in flight")))?;
        match &mut self.applied {
            Some(state) => state.fold_record(&flight.record, flight.chain)?,
            None => self.applied = Some(State::begin(&self.id, &flight.record, flight.chain)?),
        }
        if let (Some(applied), Some(planned)) = (&mut self.applied, &self.planned) {
            applied.index.share(&planned.index);
        }
        self.count_record(&flight.bytes);
        self.recent.push(first_version, flight.bytes);
        Ok(())
    }

    /// Discards everything planned: a commit failed.
    pub fn fail(&mut self) {
        self.planned = None;
        self.in_flight.clear();
    }

    /// A snapshot is due.
    #[must_use]
    pub fn is_snapshot_due(&self) -> bool {
        let chunks = self.applied.as_ref().map_or(0, |state| state.index.chunk_count());
        self.records_since_snapshot >= SNAPSHOT_RECORDS
            || self.bytes_since_snapshot >= SNAPSHOT_BYTES
            || chunks >= self.chunks_stored + 4
    }

    /// The snapshot of the visible state and the index chunks that are not stored yet. They may be lost: replaying more
    /// records gives the same state.
    pub fn snapshot(&mut self) -> Vec<Put> {
        let Some(state) = &self.applied else { return Vec::new() };
        let mut puts: Vec<Put> = Vec::new();
        for (number, bytes) in state.index.encode_from(self.chunks_stored) {
            puts.push((Family::Index, keys::chunk(&self.id, number), Some(bytes)));
        }
        puts.push((Family::State, keys::snapshot(&self.id), Some(state::encode(state))));
        self.chunks_stored = state.index.chunk_count();
        self.records_since_snapshot = 0;
        self.bytes_since_snapshot = 0;
        puts
    }

    /// The window.
    ///
    /// # Errors
    /// [`Error::BudgetTooSmall`], [`Error::UnknownContext`], [`Error::Need`].
    pub fn window(&mut self, request: WindowRequest, fetched: &Fetched) -> Result<Spliced<'_>> {
        self.absorb(fetched)?;
        let state = self.applied.as_ref().ok_or(Error::UnknownContext)?;
        let records = Records { id: &self.id, recent: &self.recent, in_flight: &self.in_flight, fetched };
        let reply = Window::select(state, request).and_then(|window| self.rendered.reply(&window, records));
        with_keys(&self.id, reply)
    }

    /// The tokens of a window, which is selected and not rendered.
    ///
    /// # Errors
    /// As [`Context::window`].
    pub fn selected_tokens(&self, request: WindowRequest) -> Result<u64> {
        self.with_keys(Window::select(self.state()?, request).map(|window| window.used_tokens()))
    }

    /// A page of the log.
    ///
    /// # Errors
    /// [`Error::UnknownContext`], [`Error::Need`].
    pub fn page(&mut self, seqs: &[u64], format: Format, fetched: &Fetched) -> Result<Rendering> {
        self.absorb(fetched)?;
        let records = Records { id: &self.id, recent: &self.recent, in_flight: &self.in_flight, fetched };
        let result = self.state().and_then(|state| page(state, seqs, format, records));
        self.with_keys(result)
    }

    /// Bytes held in memory, roughly.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        let own = |s: &State| s.index.tail_bytes() + s.kept.resident_bytes() + s.metadata.len() + 1024;
        let states: usize = [&self.applied, &self.planned].into_iter().flatten().map(own).sum();
        // Both states share the full chunks.
        let states = states + self.applied.as_ref().map_or(0, |state| state.index.chunk_bytes());
        CONTEXT_BYTES
            + states
            + self.rendered.resident_bytes()
            + self.recent.resident_bytes()
            + self.links.resident_bytes()
    }
}

/// Names the chunks that an index lacks by their whole keys.
fn with_keys<T>(id: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        Error::Need(mut need) => {
            for (family, key) in &mut need.keys {
                if let (Family::Index, Some(number)) = (*family, key.as_slice().try_into().ok().map(u64::from_be_bytes))
                {
                    *key = keys::chunk(id, number);
                }
            }
            Error::Need(need)
        }
        other => other,
    })
}
