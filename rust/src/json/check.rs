//! The one strict check of a request body. What passes can be walked by [`super::Cursor`] without errors.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::error::{Error, Result};
use crate::limits::JSON_DEPTH_MAX;

/// Characters of a repeated key that an error shows.
const KEY_CHARS_SHOWN: usize = 80;

/// Checks UTF-8, grammar, nesting, unique keys, strings without lone surrogates, and numbers within range.
///
/// # Errors
/// `invalid_utf8`, `invalid_json`, `nesting_too_deep` or `duplicate_key`, with the position.
pub fn check(body: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(body).map_err(|cause| {
        let message = format!("the body is not valid UTF-8 at byte {}", cause.valid_up_to());
        Error::invalid("invalid_utf8", "", message)
    })?;
    let fault = Cell::new(Fault::Grammar);
    let mut parser = serde_json::Deserializer::from_str(text);
    // Our own limit counts exactly; serde_json's would stop one level earlier, with no code of its own.
    parser.disable_recursion_limit();
    let strict = Strict { depth: 0, fault: &fault };
    match strict.deserialize(&mut parser).and_then(|()| parser.end()) {
        Ok(()) => Ok(text),
        Err(cause) => Err(located(text, fault.get(), &cause)),
    }
}

#[derive(Clone, Copy)]
enum Fault {
    Grammar,
    Depth,
    Key,
}

fn located(text: &str, fault: Fault, cause: &serde_json::Error) -> Error {
    let code = match fault {
        Fault::Grammar => "invalid_json",
        Fault::Depth => "nesting_too_deep",
        Fault::Key => "duplicate_key",
    };
    let before: usize = text.split_inclusive('\n').take(cause.line().saturating_sub(1)).map(str::len).sum();
    Error::invalid(code, "", format!("{cause} (byte {})", before + cause.column()))
}

#[derive(Clone, Copy)]
struct Strict<'f> {
    depth: usize,
    fault: &'f Cell<Fault>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(mut self) -> std::result::Result<Self, E> {
        self.depth += 1;
        if self.depth > JSON_DEPTH_MAX {
            self.fault.set(Fault::Depth);
            return Err(E::custom(format_args!("nesting is deeper than {JSON_DEPTH_MAX}")));
        }
        Ok(self)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! accept {
    ($($method:ident: $type:ty),*) => {
        $(fn $method<E>(self, _: $type) -> std::result::Result<(), E> {
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    accept!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        let inner = self.deeper()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = Seen::default();
        while let Some(key) = map.next_key_seed(Key)? {
            if let Err(key) = seen.insert(key) {
                self.fault.set(Fault::Key);
                let shown: String = key.chars().take(KEY_CHARS_SHOWN).collect();
                return Err(A::Error::custom(format_args!("the key {shown:?} stands twice in one object")));
            }
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> std::result::Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> std::result::Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Keys seen in one object: a few in place, so that ordinary objects allocate nothing; the rest hashed, so that an
/// object of a million keys costs linear time.
#[derive(Default)]
struct Seen<'de> {
    few: [&'de str; 12],
    count: usize,
    more: Option<HashSet<Cow<'de, str>>>,
}

impl<'de> Seen<'de> {
    /// Takes a new key; gives one back that was there before.
    fn insert(&mut self, key: Cow<'de, str>) -> std::result::Result<(), Cow<'de, str>> {
        if self.few.iter().take(self.count).any(|seen| *seen == key) {
            return Err(key);
        }
        match (&key, self.few.get_mut(self.count)) {
            (Cow::Borrowed(borrowed), Some(free)) if self.more.is_none() => {
                *free = borrowed;
                self.count += 1;
                Ok(())
            }
            _ => match self.more.get_or_insert_default().replace(key) {
                Some(key) => Err(key),
                None => Ok(()),
            },
        }
    }
}
