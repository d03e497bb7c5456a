//! Which result belongs to which call, and where a message may stand so that a provider accepts the list.
//!
//! A *group* is a run of assistant messages with calls (reasoning alone does not end it), and their results. Anything else
//! that follows closes the calls still open with repairs. A result that comes after its call was repaired takes the
//! repair's place; a result without an open call stays out.

mod search;

use serde::{Deserialize, Serialize};

use search::Search;

use crate::entry::{Appended, Placed};
use crate::message::{Call, Kinds, Message, Role, ToolResult};

/// A call without a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCall {
    /// The message that makes it.
    pub seq: u64,
    /// Which call of that message.
    pub call: u32,
    /// First message of its group.
    pub group: u64,
    /// The user message that opens its turn.
    pub turn: u64,
    /// The provider's id.
    pub id: Option<String>,
    /// The tool's name.
    pub name: Option<String>,
    /// A repair stands for its result.
    pub repaired: bool,
}

impl OpenCall {
    /// The id, or `call_{seq}_{n}` where the provider gave none.
    #[must_use]
    pub fn shown_id(&self) -> String {
        self.id.clone().unwrap_or_else(|| format!("call_{}_{}", self.seq, self.call))
    }
}

/// Calls by message and number: a look-up costs the same however they came, and little however many they are.
#[derive(Clone, Debug)]
pub struct Calls(Vec<(u64, u32)>);

impl Calls {
    fn of(calls: impl Iterator<Item = (u64, u32)>) -> Self {
        let mut calls: Vec<_> = calls.collect();
        calls.sort_unstable();
        Self(calls)
    }

    /// Call number `call` of message `seq` is one of them.
    #[must_use]
    pub fn has(&self, seq: u64, call: u32) -> bool {
        self.0.binary_search(&(seq, call)).is_ok()
    }
}

/// What pairing has to know of the messages before the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// Calls without a result, oldest first.
    pub open: Vec<OpenCall>,
    /// First message of the group that the list ends with, 0 if it ends with none.
    group: u64,
    /// That group has results already.
    answered: bool,
    /// First message of the reasoning that the list ends with, 0 if it ends with none.
    reasoning: u64,
    /// The user message that opens the current turn, 0 before the first.
    turn: u64,
    /// The last message that stood in the list when it came in is a user message, be it still kept or not: turns are the
    /// log's.
    after_user: bool,
    /// The last message that stands in the list, 0 if there is none.
    last: u64,
}

/// What a message does to pairing, as an entry carries it: folding it decides nothing again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingStep {
    /// Calls that got their result, by message and number.
    pub answered: Vec<(u64, u32)>,
    /// See [`Pairing`].
    group: u64,
    /// See [`Pairing`].
    group_answered: bool,
    /// See [`Pairing`].
    reasoning: u64,
    /// See [`Pairing`].
    after_user: bool,
    /// See [`Pairing`].
    last: u64,
}

/// The shape of a message that pairing looks at.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Its place in the log.
    pub seq: u64,
    /// Role as it counts.
    pub role: Role,
    /// Classes of its parts.
    pub kinds: Kinds,
    /// Calls that it does not answer itself.
    pub calls: &'a [Call],
    /// Results of calls of earlier messages.
    pub results: &'a [ToolResult],
    /// It says something beside its results.
    pub more_than_results: bool,
}

impl<'a> Shape<'a> {
    /// The shape of a message that is number `seq` of its log.
    #[must_use]
    pub fn of(seq: u64, message: &'a Message) -> Self {
        Self {
            seq,
            role: message.role,
            kinds: message.kinds,
            calls: &message.calls,
            results: &message.results,
            more_than_results: message.more_than_results(),
        }
    }
}

/// A result that came after its call was repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// Which part of the message it is.
    pub part: u32,
    /// The call that it answers.
    pub call: OpenCall,
}

/// Where a message stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// It stands at the end of the list, less `taken_out`.
    pub in_place: bool,
    /// It still carries results there.
    pub results_in_place: bool,
    /// Results that do not stand with it: orphans and late ones.
    pub taken_out: Vec<u32>,
    /// Results that take the place of a repair.
    pub late: Vec<Late>,
    /// Calls that get a repair before it.
    pub repairs: Vec<OpenCall>,
    /// The message after which those repairs stand.
    pub repairs_at: u64,
    /// The user message that opens its turn.
    pub turn: u64,
    /// First message of its group, its own `seq` if it is in none.
    pub group: u64,
    /// What an entry has to carry.
    pub step: PairingStep,
}

impl Pairing {
    /// Pairing at a place in the log where no group is open; `turn` is the turn there, `last` the message before, and
    /// `after_user` tells whether that is a user message.
    #[must_use]
    pub fn at(turn: u64, last: u64, after_user: bool) -> Self {
        Self { turn, last, after_user, ..Self::default() }
    }

    /// Places the next message and moves on. `has_repair` tells whether the repair of a call still stands in the list.
    pub fn push(&mut self, shape: &Shape<'_>, has_repair: impl Fn(&OpenCall) -> bool) -> Placement {
        let mut placement = self.answer(shape, has_repair);
        // What a tool message says beside its results is nothing without them.
        let says_more = shape.more_than_results && shape.role != Role::Tool;
        placement.in_place = placement.results_in_place || says_more || placement.taken_out.is_empty();
        if placement.in_place {
            if !placement.results_in_place && !self.joins(shape) {
                self.close_group(&mut placement);
            }
            self.enter(shape, &mut placement);
        } else {
            placement.turn = self.turn;
            placement.group = shape.seq;
        }
        placement.step.group = self.group;
        placement.step.group_answered = self.answered;
        placement.step.reasoning = self.reasoning;
        placement.step.after_user = self.after_user;
        placement.step.last = self.last;
        placement
    }

    /// Folds the entry of a message: what [`Pairing::push`] decided.
    pub fn apply_appended(&mut self, entry: &Appended) {
        let step = &entry.step;
        let answered = Calls::of(step.answered.iter().copied());
        let repaired = Calls::of(entry.repairs.iter().map(|repair| (repair.from, repair.call)));
        self.open.retain(|call| !answered.has(call.seq, call.call));
        for call in self.open.iter_mut().filter(|call| repaired.has(call.seq, call.call)) {
            call.repaired = true;
        }
        self.group = step.group;
        self.answered = step.group_answered;
        self.reasoning = step.reasoning;
        self.after_user = step.after_user;
        self.last = step.last;
        self.turn = entry.turn;
        // Nobody answers the calls of a message that is not shown.
        let calls = if entry.placed == Placed::Out { &[] } else { entry.calls.as_slice() };
        self.open_calls(entry.seq, entry.group, calls);
    }

    fn open_calls(&mut self, seq: u64, group: u64, calls: &[Call]) {
        let turn = self.turn;
        self.open.extend(calls.iter().zip(0u32..).map(|(call, n)| OpenCall {
            seq,
            call: n,
            group,
            turn,
            id: call.id.clone(),
            name: call.name.clone(),
            repaired: false,
        }));
    }

    /// Answers calls with the results of a message.
    fn answer(&mut self, shape: &Shape<'_>, has_repair: impl Fn(&OpenCall) -> bool) -> Placement {
        let mut placement = Placement::default();
        if shape.results.is_empty() {
            return placement;
        }
        let mut search = Search::new(&self.open, shape.results.len(), has_repair);
        for result in shape.results {
            let Some((at, call)) = search.find(result) else {
                placement.taken_out.push(result.part);
                continue;
            };
            search.take(at);
            placement.step.answered.push((call.seq, call.call));
            if call.repaired {
                placement.late.push(Late { part: result.part, call: call.clone() });
                placement.taken_out.push(result.part);
            } else {
                placement.results_in_place = true;
            }
        }
        let taken = search.taken();
        self.remove(taken);
        placement
    }

    /// The results that find a call whose repair they may take the place of; those calls are open no more.
    pub fn take_late(&mut self, results: &[ToolResult], has_repair: impl Fn(&OpenCall) -> bool) -> Vec<Late> {
        let mut late = Vec::new();
        let mut search = Search::new(&self.open, results.len(), has_repair);
        for result in results {
            if let Some((at, call)) = search.find(result).filter(|(_, call)| call.repaired) {
                search.take(at);
                late.push(Late { part: result.part, call: call.clone() });
            }
        }
        let taken = search.taken();
        self.remove(taken);
        late
    }

    fn remove(&mut self, taken: Vec<bool>) {
        let mut taken = taken.into_iter();
        self.open.retain(|_| taken.next() != Some(true));
    }

    /// An assistant message that goes on with the calls of the current group, or with the reasoning that leads to them.
    fn joins(&self, shape: &Shape<'_>) -> bool {
        if self.group == 0 || shape.kinds.has(Kinds::APPROVAL) {
            return self.group != 0;
        }
        let more = !shape.calls.is_empty() || shape.kinds.is_reasoning_only();
        !self.answered && shape.role == Role::Assistant && more
    }

    /// Something other than its results follows the group: what is open in it gets repairs.
    fn close_group(&mut self, placement: &mut Placement) {
        placement.repairs_at = self.last;
        for call in self.open.iter_mut().filter(|call| !call.repaired) {
            call.repaired = true;
            placement.repairs.push(call.clone());
        }
        self.group = 0;
        self.answered = false;
    }

    /// The message stands at the end of the list.
    fn enter(&mut self, shape: &Shape<'_>, placement: &mut Placement) {
        let user = shape.role == Role::User && !placement.results_in_place;
        if user && !self.after_user {
            self.turn = shape.seq;
        }
        self.after_user = user;
        self.last = shape.seq;
        placement.turn = self.turn;
        let reasoning = shape.role == Role::Assistant && shape.kinds.is_reasoning_only();
        if placement.results_in_place {
            self.answered = true;
        } else if !shape.calls.is_empty() {
            if self.group == 0 {
                self.group = if self.reasoning == 0 { shape.seq } else { self.reasoning };
            }
            // Of calls that came with their results no others can be parallel.
            self.answered |= shape.kinds.has(Kinds::TOOL_RESULT);
        }
        placement.group = match (self.group, self.reasoning) {
            (0, 0) => shape.seq,
            (0, reasoning_start) if reasoning => reasoning_start,
            (0, _) => shape.seq,
            (group, _) => group,
        };
        self.reasoning = match (reasoning && self.group == 0, self.reasoning) {
            (true, 0) => shape.seq,
            (true, start) => start,
            (false, _) => 0,
        };
        self.open_calls(shape.seq, placement.group, shape.calls);
    }

    /// Calls that wait for their results at the end of the list.
    pub fn waiting(&self) -> impl Iterator<Item = &OpenCall> {
        self.open.iter().filter(|call| !call.repaired)
    }

    /// True when the list ends inside a turn's group that waits for results.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting().next().is_some()
    }

    /// Its open calls.
    #[must_use]
    pub fn calls(&self) -> Calls {
        Calls::of(self.open.iter().map(|call| (call.seq, call.call)))
    }

    /// These calls got a repair: their group is closed.
    pub fn close(&mut self, repaired: &[OpenCall]) {
        let got_one = Calls::of(repaired.iter().map(|call| (call.seq, call.call)));
        for call in self.open.iter_mut().filter(|call| got_one.has(call.seq, call.call)) {
            call.repaired = true;
        }
        if repaired.iter().any(|call| call.group == self.group) {
            self.group = 0;
            self.answered = false;
        }
    }

    /// Messages `from..=to` were paired anew.
    pub fn take_back(&mut self, (from, to): (u64, u64), stretch: &Pairing) {
        self.open.retain(|call| !(from..=to).contains(&call.seq));
        self.open.extend(stretch.open.iter().cloned());
        self.open.sort_by_key(|call| (call.seq, call.call));
    }

    /// The list ends with that stretch now. The turn is the log's, wherever the list ends.
    pub fn end_with(&mut self, stretch: &Pairing) {
        self.group = stretch.group;
        self.answered = stretch.answered;
        self.reasoning = stretch.reasoning;
        self.last = stretch.last;
    }

    /// After a rewrite: forgets calls whose message is no longer kept.
    pub fn retain(&mut self, is_kept: impl Fn(u64) -> bool) {
        self.open.retain(|call| is_kept(call.seq));
        if self.group != 0 && !is_kept(self.group) {
            self.group = 0;
            self.answered = false;
        }
        if self.reasoning != 0 && !is_kept(self.reasoning) {
            self.reasoning = 0;
        }
    }

    /// The user message that opens the current turn, 0 before the first.
    #[must_use]
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// The last message that stands in the list.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }
}
