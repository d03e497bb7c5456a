//! The content of a message as OpenAI's APIs take it.

use super::pieces::Piece;
use super::write;
use crate::json::is_blank;
use crate::render::Json;

/// Content: one text, or an array of parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub json: Json,
    pub count: usize,
    /// A single text that is written as a string.
    is_string: bool,
    /// That text is white space alone.
    is_blank: bool,
    /// How text parts are called.
    kind: TextKind,
}

/// How text parts are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TextKind {
    /// In chat completions.
    #[default]
    Text,
    /// In responses.
    InputText,
}

impl TextKind {
    /// The beginning of a text part.
    fn opening(self) -> &'static str {
        match self {
            Self::Text => "{\"type\":\"text\",\"text\":",
            Self::InputText => "{\"type\":\"input_text\",\"text\":",
        }
    }
}

impl Parts {
    /// No content yet.
    pub(super) fn of(kind: TextKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Adds a text; `in_array` where the client wrote an array itself.
    pub(super) fn text(&mut self, raw: &str, in_array: bool) {
        if self.count == 0 && !in_array {
            self.json.raw(raw);
            self.is_string = true;
            self.is_blank = is_blank(raw);
            self.count = 1;
            return;
        }
        let opening = self.kind.opening();
        self.part(|out| {
            out.raw(opening).raw(raw).raw("}");
        });
    }

    /// Adds application data as text, where it is for the model.
    pub(super) fn data(&mut self, piece: &Piece<'_>) {
        if let Some(text) = write::data_text(piece) {
            self.text(&text, false);
        }
    }

    /// Adds a part.
    pub(super) fn part(&mut self, write: impl FnOnce(&mut Json)) {
        if self.is_string {
            let text = std::mem::take(&mut self.json);
            self.json.raw(self.kind.opening());
            self.json.0.extend_from_slice(&text.0);
            self.json.raw("}");
            self.is_string = false;
        }
        if self.count > 0 {
            self.json.raw(",");
        }
        write(&mut self.json);
        self.count += 1;
    }

    pub(super) fn write(&self, out: &mut Json) {
        match (self.count, self.is_string) {
            (0, _) => {
                out.raw("\"\"");
            }
            (_, true) => out.0.extend_from_slice(&self.json.0),
            (_, false) => {
                out.raw("[");
                out.0.extend_from_slice(&self.json.0);
                out.raw("]");
            }
        }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.count == 0 || (self.is_string && self.is_blank)
    }
}
