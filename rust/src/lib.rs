//! The core of Fastpaca: what happens between request bytes and record bytes, and between record bytes and response bytes.
//!
//! It does no I/O, reads no clock, starts no thread and writes no log line. Modules in the order in which data flows:
//!
//! 1. [`request`] turns a body into what is to be planned: [`json`] checks it, [`message`] classifies its messages,
//!    [`estimate`] and [`encoder`] count them.
//! 2. [`context`] plans it on the planned state ([`plan`], [`pairing`], [`policy`]) into a [`record`] of [`entry`]s.
//! 3. The caller makes the record durable.
//! 4. [`context`] applies it: [`state`] folds its entries into [`index`] and [`kept`] list.
//! 5. [`view`] selects, [`window`] and [`render`] answer, [`format`](mod@format) as the arguments of a provider's call.

pub mod codec;
pub mod commit;
pub mod config;
pub mod context;
pub mod edit;
pub mod encoder;
pub mod entry;
pub mod error;
pub mod estimate;
pub mod explain;
pub mod feed;
pub mod fetched;
pub mod format;
pub mod frames;
pub mod history;
pub mod idempotency;
pub mod index;
pub mod json;
pub mod kept;
pub mod keys;
pub mod limits;
pub mod message;
pub mod paging;
pub mod pairing;
pub mod plan;
pub mod policy;
pub mod record;
pub mod render;
pub mod reply;
pub mod request;
pub mod spliced;
pub mod stale;
pub mod state;
pub mod suggest;
pub mod tokens;
pub mod unpaired;
pub mod verify;
pub mod view;
pub mod window;

#[cfg(feature = "python")]
mod python;
