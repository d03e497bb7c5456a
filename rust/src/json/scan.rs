//! Walks over JSON text that [`super::check`] has passed. On other text a walk ends early; it never panics.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

/// A place in checked JSON text.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `text`.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The offset in the text.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            // Of what is below it, nothing but white space stands between tokens.
            if byte > b' ' {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Steps over `byte` if it comes next.
    #[inline]
    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The text from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Steps over a key and its colon and gives what stands between its quotes; of a key with an escaped quote, what
    /// stands before that. Nothing where no key comes next.
    #[inline]
    pub(crate) fn key(&mut self) -> Option<&'a str> {
        let start = (self.peek()? == b'"').then_some(self.at + 1)?;
        let end = start + next_quote(self.text.as_bytes().get(start..)?)?;
        self.at = end + 1;
        self.eat(b':');
        self.text.get(start..end)
    }

    /// Steps over one value and gives its text.
    pub fn value(&mut self) -> Option<&'a str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.skip_string(),
            b'{' | b'[' => self.skip_container(),
            b',' | b':' | b']' | b'}' => return None,
            _ => self.skip_scalar(),
        }
        self.text.get(start..self.at)
    }

    fn skip_scalar(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().position(is_end).unwrap_or(rest.len());
    }

    fn skip_string(&mut self) {
        self.at = string_end(self.text.as_bytes(), self.at);
    }

    fn skip_container(&mut self) {
        let mut depth = 0usize;
        while let Some(&byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

/// The offset behind the string that starts at `start`. Texts are full of escaped line breaks, so only quotes are looked
/// for; one that an odd number of backslashes stands before is escaped.
#[inline]
pub(super) fn string_end(bytes: &[u8], start: usize) -> usize {
    let from = start + 1;
    match bytes.get(from..).and_then(next_quote).map(|found| from + found) {
        // A text that quotes something does so often.
        Some(quote) if bytes.get(quote - 1) == Some(&b'\\') => end_among_quotes(bytes, from, quote),
        Some(quote) => quote + 1,
        None => bytes.len(),
    }
}

/// The first `"`. Keys are short, so a few words are looked at here before the vector search, whose call costs more than
/// they do.
#[inline]
fn next_quote(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.get(..BLOCK_BYTES).unwrap_or(bytes).as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let marks = quotes(word);
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    bytes.get(at..).and_then(|rest| memchr(b'"', rest)).map(|found| at + found)
}

/// Bytes that are looked at together.
const BLOCK_BYTES: usize = 32;

/// As [`string_end`] for a string whose inside begins at `from`; at `at`, behind a backslash, stands its first quote.
#[inline(never)]
fn end_among_quotes(bytes: &[u8], from: usize, mut at: usize) -> usize {
    let end_in = |inside: Range<usize>| {
        let mut places = inside.clone().zip(bytes.get(inside).unwrap_or_default());
        places.find(|(at, byte)| **byte == b'"' && !is_escaped(bytes, from, *at)).map(|(quote, _)| quote + 1)
    };
    while let Some(block) = bytes.get(at - 2..).and_then(|rest| rest.first_chunk()) {
        if may_hold_end(block) {
            if let Some(end) = end_in(at..at + BLOCK_BYTES) {
                return end;
            }
        }
        at += BLOCK_BYTES;
    }
    end_in(at..bytes.len()).unwrap_or(bytes.len())
}

/// False where each quote behind the first two bytes stands behind one backslash alone: such a quote is escaped. The
/// compiler makes this a few vector instructions.
fn may_hold_end(block: &[u8; BLOCK_BYTES + 2]) -> bool {
    let [second_before @ .., _, _] = block;
    let [_, before @ .., _] = block;
    let [_, _, bytes @ ..] = block;
    let places = bytes.iter().zip(before).zip(second_before);
    let found = places.fold(0, |found, ((byte, before), second_before)| {
        found | (u8::from(*byte == b'"') & (u8::from(*before != b'\\') | u8::from(*second_before == b'\\')))
    });
    found != 0
}

/// An odd number of backslashes stands before the quote, in a string whose inside begins at `from`.
fn is_escaped(bytes: &[u8], from: usize, quote: usize) -> bool {
    let inside = bytes.get(from..quote).unwrap_or_default();
    inside.last() == Some(&b'\\') && inside.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bit of each byte that is a quote, up to the first one; what stands behind that may be anything.
const fn quotes(word: &[u8; 8]) -> u64 {
    let differs = u64::from_le_bytes(*word) ^ repeated(b'"');
    differs.wrapping_sub(repeated(1)) & !differs & repeated(0x80)
}

/// One field of an object, borrowed from its text.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// The key as it stands, with its quotes.
    pub key: &'a str,
    /// The value as it stands.
    pub value: &'a str,
    /// Where the value starts in the object's text.
    pub at: usize,
    /// The key is spelled with escapes: comparing its bytes is not enough.
    is_escaped: bool,
}

impl<'a> Field<'a> {
    /// The key, decoded.
    #[must_use]
    pub fn name(&self) -> Cow<'a, str> {
        decode(self.key).unwrap_or_default()
    }

    /// True when the key is `name`, however it is escaped.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let [b'"', inner @ .., b'"'] = self.key.as_bytes() else { return false };
        inner == name.as_bytes() || (self.is_escaped && self.name() == name)
    }

    /// Where the value stands in the object's text.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.at..self.at + self.value.len()
    }
}

/// The fields of an object, in order.
#[derive(Clone, Debug, Default)]
pub struct Object<'a> {
    fields: Vec<Field<'a>>,
}

impl<'a> Object<'a> {
    /// The object that `raw` is; nothing if it is another value.
    #[must_use]
    pub fn of(raw: &'a str) -> Option<Self> {
        Self::read(&mut Cursor::new(raw))
    }

    /// The object that comes next; nothing if another value does. Steps over it.
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        let start = (cursor.peek()? == b'{').then_some(cursor.at)?;
        cursor.at += 1;
        let mut fields = Vec::with_capacity(6);
        while cursor.peek() == Some(b'"') {
            let (Some(key), true) = (cursor.value(), cursor.eat(b':')) else { break };
            let Some(value) = cursor.value() else { break };
            let is_escaped = key.contains('\\');
            fields.push(Field { key, value, at: cursor.at - value.len() - start, is_escaped });
            if !cursor.eat(b',') {
                break;
            }
        }
        cursor.eat(b'}');
        Some(Self { fields })
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The field called `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.is(name))
    }

    /// The value of `name`; a null counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.field(name).map(|field| field.value).filter(|value| *value != "null")
    }

    /// The value of `name` where it is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(decode)
    }

    /// The object under `name`.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Object<'a>> {
        self.get(name).and_then(Object::of)
    }
}

/// The elements of an array with their offsets in the array's text.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Elements<'a> {
    /// The elements of the array that `raw` is; nothing if it is another value.
    #[must_use]
    pub fn of(raw: &'a str) -> Option<Self> {
        let mut cursor = Cursor::new(raw);
        cursor.eat(b'[').then_some(Self { cursor })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let value = self.cursor.value()?;
        let at = self.cursor.at() - value.len();
        self.cursor.eat(b',');
        Some((at, value))
    }
}

/// True for a JSON string of white space alone, and for an empty one.
pub(crate) fn is_blank(raw: &str) -> bool {
    match raw.as_bytes().get(1) {
        // The usual case needs no decoding of a long text.
        Some(first) if first.is_ascii_graphic() && !matches!(first, b'"' | b'\\') => false,
        _ => decode(raw).is_some_and(|text| text.trim().is_empty()),
    }
}

/// The text of a JSON string; nothing if `raw` is another value.
#[must_use]
pub fn decode(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}

/// What a value is, in words.
#[must_use]
pub fn kind_of(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(_) => "a number",
        None => "nothing",
    }
}
