//! `ai-sdk` and `ai-sdk-ui`: what the Vercel AI SDK takes. [`flow`] finds the steps of the model, one writer puts them into
//! `ModelMessage`s, the other into `UIMessage`s.

mod flow;
mod model;
mod output;
mod parts;
mod tools;
mod ui;

use super::{Options, Target};

/// `ai-sdk`: the arguments of `streamText` and `generateText`, `{system, messages}`.
#[must_use]
pub fn model_messages(options: &Options<'_>) -> Box<dyn Target> {
    Box::new(flow::Flow::new(model::Model::new(options), options.thinking_from()))
}

/// `ai-sdk-ui`: what a chat interface shows, `{messages}`.
#[must_use]
pub fn ui_messages() -> Box<dyn Target> {
    Box::new(flow::Flow::new(ui::Ui::default(), 0))
}
