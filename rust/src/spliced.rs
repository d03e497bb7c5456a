//! JSON text around bytes that stay where they are kept: what a window shows is copied once, into its reply.

use crate::render::Json;

/// Text in three pieces, until it is joined.
#[derive(Debug, Default)]
pub struct Spliced<'a> {
    before: Json,
    kept: &'a [u8],
    after: Json,
}

impl<'a> Spliced<'a> {
    /// Begins with a text.
    #[must_use]
    pub fn new(before: Json) -> Self {
        Self { before, ..Self::default() }
    }

    /// Where it goes on.
    pub fn out(&mut self) -> &mut Json {
        if self.kept.is_empty() {
            &mut self.before
        } else {
            &mut self.after
        }
    }

    /// Goes on with bytes that stay where they are; only the first are spared the copy.
    pub fn keep(&mut self, bytes: &'a [u8]) {
        if self.kept.is_empty() {
            self.kept = bytes;
        } else {
            self.after.0.extend_from_slice(bytes);
        }
    }

    /// Goes on with a copy of another text.
    pub fn copy(&mut self, other: &Spliced<'_>) {
        let out = self.out();
        other.pieces().iter().for_each(|piece| out.0.extend_from_slice(piece));
    }

    /// Adds a field behind the last one of an object that is complete.
    pub fn push_field(&mut self, name: &str, value: &[u8]) {
        let out = self.out();
        out.0.pop();
        out.raw(",").string(name).raw(":");
        out.0.extend_from_slice(value);
        out.raw("}");
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces().iter().map(|piece| piece.len()).sum()
    }

    /// Nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills a buffer of its length.
    pub fn fill(&self, mut buffer: &mut [u8]) {
        for piece in self.pieces() {
            let Some((place, rest)) = buffer.split_at_mut_checked(piece.len()) else { return };
            place.copy_from_slice(piece);
            buffer = rest;
        }
    }

    /// The bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.pieces().concat()
    }

    fn pieces(&self) -> [&[u8]; 3] {
        [&self.before.0, self.kept, &self.after.0]
    }
}
