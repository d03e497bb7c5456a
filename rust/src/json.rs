//! JSON without a tree: one strict check of a whole body, then walks over the checked text that borrow from it.

mod check;
mod path;
mod rewrite;
mod scan;

pub use check::check;
pub use path::Path;
pub use rewrite::{canonical, minify, quote};
pub(crate) use rewrite::{canonical_string_into, quote_into};
pub(crate) use scan::is_blank;
pub use scan::{decode, kind_of, Cursor, Elements, Field, Object};
