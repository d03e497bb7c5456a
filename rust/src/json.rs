//! JSON without a tree: one strict check of a whole body, then walks over the checked text that borrow from it.

mod check;
mod path;
mod rewrite;
mod scan;

pub use check::check;
pub use path::Path;
pub(crate) use rewrite::canonical_string_into;
pub use rewrite::{canonical, minify, quote};
pub use scan::{decode, kind_of, Cursor, Elements, Field, Object};
pub(crate) use scan::{is_blank, is_string};
