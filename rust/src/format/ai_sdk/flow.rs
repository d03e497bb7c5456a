//! The order of a conversation as the AI SDK sees it: steps of the model, each with its calls and then their results.

use std::fmt::Debug;

use super::parts::{self, Dialect};
use crate::format::ids::IdRule;
use crate::format::pieces::{Maker, Normal, Output, Piece, What};
use crate::format::Target;
use crate::json::is_blank;
use crate::message::Role;
use crate::spliced::Spliced;

/// The shortest of the limits of the providers behind the SDK: OpenAI's chat completions.
const ID_BYTES_MAX: usize = 40;

/// A part of what the model says.
pub(super) struct Part {
    pub json: String,
    /// `json` is a text alone, a JSON string.
    pub is_bare: bool,
    /// Id of the call whose result is to come.
    pub waits: Option<String>,
}

impl Part {
    pub(super) fn new(json: String) -> Self {
        Self { json, is_bare: false, waits: None }
    }
}

/// Writes what [`Flow`] finds.
pub(super) trait Writer: Clone + Debug + Send + 'static {
    /// A message of the user while it is put together.
    type User: Clone + Debug + Send;
    /// How parts are written.
    const DIALECT: Dialect;

    /// Makes room for messages whose stored bodies have so many bytes.
    fn reserve(&mut self, bytes: usize);
    /// The message can be taken as it is stored.
    fn is_whole(&self, message: &Normal<'_>) -> bool;
    /// Takes a message as it is stored; gives the number of calls that wait.
    fn whole(&mut self, message: &Normal<'_>) -> usize;
    /// A system or developer message; `in_head` where nothing but such stands before it.
    fn system(&mut self, message: &Normal<'_>, in_head: bool);
    /// A message of the user, without its parts.
    fn new_user(&self, message: &Normal<'_>) -> Self::User;
    /// Adds a part to it, where there is a place for it.
    fn add(&self, user: &mut Self::User, piece: &Piece<'_>);
    /// It has parts.
    fn has_parts(user: &Self::User) -> bool;
    /// A message of the user that is complete.
    fn user(&mut self, user: Self::User);
    /// A step of the model begins with `message`.
    fn begin_step(&mut self, message: &Normal<'_>);
    /// A part that the model said, where there is a place for it.
    fn part(&mut self, message: &Normal<'_>, piece: &Piece<'_>) -> Option<Part>;
    /// Adds a part to the step.
    fn push(&mut self, part: Part);
    /// The step has all its parts.
    fn end_step(&mut self);
    /// The result of a call.
    fn result(&mut self, message: &Normal<'_>, piece: &Piece<'_>, output: &Output<'_>);
    /// A part of a tool message that is no result.
    fn answer(&mut self, _piece: &Piece<'_>) {}
    /// The stored message has been taken.
    fn end_message(&mut self, message: &Normal<'_>);
    /// Somebody else speaks now.
    fn end_turn(&mut self) {}
    /// Writes the request.
    fn write<'a>(&'a self, request: &mut Spliced<'a>);
    /// Bytes held in memory.
    fn resident_bytes(&self) -> usize;
}

/// What the model's current step holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Closed,
    Said,
    Called,
}

/// The request so far.
#[derive(Clone, Debug)]
pub(super) struct Flow<W: Writer> {
    writer: W,
    /// The first message whose signed thinking stays.
    thinking_from: u64,
    step: Step,
    /// Calls that wait for their results.
    waiting: usize,
    /// Reasoning that waits for what it led to: providers refuse it alone.
    reasoning: Vec<(u64, String)>,
    /// What the user said beside the results of the group; it follows them.
    attached: Option<W::User>,
    omitted: Vec<u64>,
    is_past_head: bool,
}

impl<W: Writer> Flow<W> {
    pub(super) fn new(writer: W, thinking_from: u64) -> Self {
        Self {
            writer,
            thinking_from,
            step: Step::Closed,
            waiting: 0,
            reasoning: Vec::new(),
            attached: None,
            omitted: Vec::new(),
            is_past_head: false,
        }
    }

    fn end_step(&mut self) {
        if std::mem::replace(&mut self.step, Step::Closed) != Step::Closed {
            self.writer.end_step();
        }
    }

    fn end_turn(&mut self) {
        self.end_step();
        self.drop_reasoning();
        self.attach();
        self.writer.end_turn();
        self.waiting = 0;
    }

    fn drop_reasoning(&mut self) {
        self.omitted.extend(self.reasoning.drain(..).map(|(seq, _)| seq));
    }

    fn attach(&mut self) {
        if let Some(user) = self.attached.take() {
            self.writer.end_turn();
            self.writer.user(user);
        }
    }

    /// A message of the model. It goes on with the step before where both have calls, as the items of a response have:
    /// results stand behind one message with all their calls.
    fn assistant(&mut self, message: &Normal<'_>) {
        if self.writer.is_whole(message) {
            self.end_turn();
            self.waiting = self.writer.whole(message);
            return;
        }
        let has_calls = message.has_calls();
        let goes_on = has_calls && self.step == Step::Called;
        if !goes_on && (has_calls || message.pieces.iter().any(says)) {
            self.end_step();
        }
        for piece in message.in_order() {
            self.assistant_piece(message, piece);
        }
        self.writer.end_message(message);
    }

    fn assistant_piece(&mut self, message: &Normal<'_>, piece: &Piece<'_>) {
        match &piece.what {
            What::Reasoning(reasoning) if reasoning.maker == Maker::Anthropic && message.seq < self.thinking_from => {
                self.omitted.push(message.seq);
            }
            What::Reasoning(reasoning) => match parts::reasoning(&W::DIALECT, message, piece, reasoning) {
                Some(part) => self.reasoning.push((message.seq, part)),
                None => self.omitted.push(message.seq),
            },
            What::Step if self.waiting == 0 => self.end_step(),
            What::Step => {}
            What::Result(output) if !output.by_provider => self.result(message, piece, output),
            What::Text(raw) | What::Refusal(raw) if is_blank(raw) && !parts::has_options(piece) => {}
            what => {
                let Some(part) = self.writer.part(message, piece) else { return };
                let is_call = matches!(what, What::Call(call) if !call.by_provider);
                self.open_step(message);
                self.writer.push(part);
                self.waiting += usize::from(is_call);
                if is_call || self.step == Step::Closed {
                    self.step = if is_call { Step::Called } else { Step::Said };
                }
            }
        }
    }

    fn open_step(&mut self, message: &Normal<'_>) {
        if self.step == Step::Closed {
            self.attach();
            self.waiting = 0;
            self.writer.begin_step(message);
        }
        for (_, json) in std::mem::take(&mut self.reasoning) {
            self.writer.push(Part::new(json));
        }
    }

    fn result(&mut self, message: &Normal<'_>, piece: &Piece<'_>, output: &Output<'_>) {
        self.end_step();
        self.drop_reasoning();
        self.waiting = self.waiting.saturating_sub(1);
        self.writer.result(message, piece, output);
    }

    /// A message of anyone else: results first, they answer the calls before.
    fn other(&mut self, message: &Normal<'_>) {
        let mut answers = message.role == Role::Tool;
        for piece in &message.pieces {
            match &piece.what {
                What::Result(output) if !output.by_provider => {
                    answers = true;
                    self.result(message, piece, output);
                }
                What::Other if message.role == Role::Tool => {
                    self.end_step();
                    self.writer.answer(piece);
                }
                _ => {}
            }
        }
        self.writer.end_message(message);
        if answers {
            return self.beside_results(message);
        }
        self.end_turn();
        if self.writer.is_whole(message) {
            self.writer.whole(message);
        } else if matches!(message.role, Role::System | Role::Developer) {
            self.writer.system(message, !self.is_past_head);
        } else {
            let mut user = self.writer.new_user(message);
            message.pieces.iter().for_each(|piece| self.writer.add(&mut user, piece));
            self.writer.user(user);
        }
    }

    /// Nothing may stand between the results of parallel calls: what else the message says follows them.
    fn beside_results(&mut self, message: &Normal<'_>) {
        let mut user = self.attached.take().unwrap_or_else(|| self.writer.new_user(message));
        message.pieces.iter().for_each(|piece| self.writer.add(&mut user, piece));
        self.attached = Some(user).filter(W::has_parts);
    }
}

/// The model says it: a new step, where one has spoken already.
fn says(piece: &Piece<'_>) -> bool {
    match &piece.what {
        What::Text(raw) | What::Refusal(raw) => !is_blank(raw),
        What::Media(_) => true,
        What::Call(call) => call.by_provider,
        _ => false,
    }
}

impl<W: Writer> Target for Flow<W> {
    fn id_rule(&self) -> IdRule {
        IdRule { bytes_max: ID_BYTES_MAX, is_plain: true }
    }

    fn reserve(&mut self, bytes: usize) {
        self.writer.reserve(bytes);
    }

    fn take(&mut self, message: &Normal<'_>) {
        // A summary stands for turns that are over.
        if message.to.is_some() {
            self.end_turn();
        }
        if message.role == Role::Assistant || message.has_calls() {
            self.assistant(message);
        } else {
            self.other(message);
        }
        if message.to.is_some() {
            self.end_turn();
        }
        self.is_past_head |= !matches!(message.role, Role::System | Role::Developer);
    }

    fn write<'a>(&'a self, request: &mut Spliced<'a>, _: bool) {
        if self.attached.is_none() || self.waiting > 0 {
            return self.writer.write(request);
        }
        let mut whole = self.clone();
        whole.attach();
        let mut copied = Spliced::default();
        whole.writer.write(&mut copied);
        request.copy(&copied);
    }

    fn omitted_reasoning(&self) -> Vec<u64> {
        // What still waits at the end is not in the request either.
        let waiting = self.reasoning.iter().map(|(seq, _)| *seq);
        let mut omitted: Vec<u64> = self.omitted.iter().copied().chain(waiting).collect();
        omitted.sort_unstable();
        omitted.dedup();
        omitted
    }

    fn resident_bytes(&self) -> usize {
        let waiting: usize = self.reasoning.iter().map(|(_, json)| json.capacity()).sum();
        self.writer.resident_bytes() + self.omitted.capacity() * 8 + waiting
    }

    fn boxed(&self) -> Box<dyn Target> {
        Box::new(self.clone())
    }
}
