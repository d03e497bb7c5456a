//! Where in a request body a value stands. Paths are chains on the stack: only an error builds the text.

use std::fmt;

use crate::error::Error;
use crate::json::kind_of;

/// A place in a request body, for example `messages[3].parts[0].text`.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The start of a path; empty for the body itself.
    #[must_use]
    pub fn root(name: &'a str) -> Self {
        Self { parent: None, step: Step::Key(name) }
    }

    /// A field of the value here.
    #[must_use]
    pub fn key(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Key(name) }
    }

    /// An element of the array here.
    #[must_use]
    pub fn index(&'a self, at: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(at) }
    }

    /// The error that `raw` stands here where something else was expected.
    #[must_use]
    pub fn wrong(&self, expected: &str, raw: &str) -> Error {
        Error::field(self.to_string(), format!("expected {expected}, got {}", kind_of(raw)))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Index(at) => write!(f, "[{at}]"),
            Step::Key(name) if self.parent.is_none_or(|parent| parent.is_empty()) => f.write_str(name),
            Step::Key(name) => write!(f, ".{name}"),
        }
    }
}

impl Path<'_> {
    fn is_empty(&self) -> bool {
        self.parent.is_none_or(Path::is_empty) && matches!(self.step, Step::Key(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_people_write_them() {
        let root = Path::root("");
        assert_eq!(root.key("role").to_string(), "role");
        let messages = root.key("messages");
        let third = messages.index(3);
        let parts = third.key("parts");
        assert_eq!(parts.index(0).key("text").to_string(), "messages[3].parts[0].text");
    }
}
