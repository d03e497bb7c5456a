//! Every limit of the core, in one place; units stand last in the names.

/// Longest context id.
pub const CONTEXT_ID_BYTES_MAX: usize = 255;
/// Longest idempotency key.
pub const KEY_BYTES_MAX: usize = 255;
/// Largest `token_budget` of a context and of an override.
pub const TOKEN_BUDGET_MAX: u64 = 10_000_000;
/// `token_budget` of a context that names none.
pub const TOKEN_BUDGET_DEFAULT: u64 = 100_000;
/// `trigger_ratio` of a context that names none.
pub const TRIGGER_RATIO_DEFAULT: f64 = 0.7;
/// Largest metadata of a context, as stored.
pub const METADATA_BYTES_MAX: usize = 16 * 1024;
/// Longest `model` and `tokenizer` names.
pub const NAME_BYTES_MAX: usize = 255;
/// Largest `token_count` of one message.
pub const MESSAGE_TOKENS_MAX: u32 = 10_000_000;
/// Messages in one batch.
pub const BATCH_MESSAGES_MAX: usize = 1000;
/// Items in the replacement of one compaction.
pub const REPLACEMENT_ITEMS_MAX: usize = 10_000;
/// Messages in one page of a replay.
pub const PAGE_MESSAGES_MAX: u64 = 1000;
/// Messages in a page that names no limit.
pub const PAGE_MESSAGES_DEFAULT: u64 = 100;
/// Largest message number that a stored index may name: its list of chunks takes 8 bytes for each 256 messages.
pub const SEQ_MAX: u64 = 1 << 32;
/// Messages in one index chunk.
pub const CHUNK_ROWS: u64 = 256;
/// Records after which a snapshot is due: half of what a load may replay, so that those in flight fit as well.
pub const SNAPSHOT_RECORDS: u64 = 128;
/// Bytes of such records after which one is due as well: messages with images have megabytes, and a load reads all of them.
pub const SNAPSHOT_BYTES: usize = 16 * 1024 * 1024;
/// Records that a load may replay.
pub const REPLAY_RECORDS_MAX: u64 = 256;
/// An idempotency key is remembered for at least this time ...
pub const KEY_AGE_MS: i64 = 24 * 60 * 60 * 1000;
/// ... and until this many newer keys were used.
pub const KEYS_NEWER: u64 = 10_000;
/// Keys that are forgotten at once.
pub const KEYS_FORGOTTEN: u64 = 512;
/// Bytes of recent records that a loaded context keeps, so that a window after an append reads no log.
pub const RECENT_BYTES_MAX: usize = 256 * 1024;
/// Rewrites that a loaded context remembers having read.
pub const LINKS_MAX: usize = 16 * 1024;
/// A suggested range holds more than this share of the token budget.
pub const SUGGESTED_SHARE_MIN: f64 = 0.05;
/// Rewrites that an explanation looks back through.
pub const EXPLAINED_REWRITES_MAX: usize = 64;
/// Messages gone in one stretch of which an explanation looks at each.
pub const EXPLAINED_ROWS_MAX: u64 = 4096;
/// Keys that a search for an earlier configuration asks for at once, at the least.
pub const CONFIG_LOOKUPS: usize = 16;
/// Rendered windows that a loaded context keeps.
pub const RENDERED_WINDOWS_MAX: usize = 4;

/// Names in a list of a policy's configuration.
pub const POLICY_NAMES_MAX: usize = 256;
/// Longest such name.
pub const POLICY_NAME_BYTES_MAX: usize = 128;
/// Longest text that a policy puts in place of another.
pub const POLICY_TEXT_BYTES_MAX: usize = 1000;
/// Longest time span of a policy's configuration.
pub const DURATION_DAYS_MAX: f64 = 36_500.0;

/// Deepest nesting of objects and arrays in a request body.
pub const JSON_DEPTH_MAX: usize = 128;
/// Longest `id` of a message.
pub const MESSAGE_ID_BYTES_MAX: usize = 255;
/// Tokens that each message costs beside its parts: OpenAI's framing.
pub const MESSAGE_FRAMING_TOKENS: u64 = 4;

/// An image: Anthropic's largest before it scales down; OpenAI's high detail stays below.
pub const IMAGE_TOKENS: u64 = 1_600;
/// An image with `detail: low`: OpenAI's price for it.
pub const IMAGE_LOW_TOKENS: u64 = 85;
/// A document or file of unknown size: two pages of PDF.
pub const FILE_TOKENS: u64 = 3_000;
/// The smallest estimate of a document or file whose size is known: one short page.
pub const FILE_TOKENS_MIN: u64 = 500;
/// Bytes of a binary document (PDF) behind one token: about 100 KB and 2 000 tokens a page.
pub const FILE_BYTES_PER_TOKEN: u64 = 50;
/// Bytes of a plain text file behind one token.
pub const TEXT_FILE_BYTES_PER_TOKEN: u64 = 4;
/// Audio of unknown length: a minute at 25 tokens a second.
pub const AUDIO_TOKENS: u64 = 1_500;
/// Bytes of compressed audio behind one token: 64 kbit/s and 25 tokens a second, rounded down.
pub const AUDIO_BYTES_PER_TOKEN: u64 = 300;
/// Bytes of uncompressed audio behind one token: 24 kHz, 16 bit, 25 tokens a second, rounded down.
pub const WAVE_BYTES_PER_TOKEN: u64 = 1_900;
/// Video of unknown length: a minute at 300 tokens a second.
pub const VIDEO_TOKENS: u64 = 18_000;
/// Bytes of video behind one token: 2 Mbit/s and 300 tokens a second, rounded down.
pub const VIDEO_BYTES_PER_TOKEN: u64 = 800;
/// The largest estimate of one media part: a model's whole context.
pub const MEDIA_TOKENS_MAX: u64 = 1_000_000;

// The sum of one chunk's tokens is kept in 32 bits.
const _: () = assert!(MESSAGE_TOKENS_MAX as u64 * CHUNK_ROWS < u32::MAX as u64);
const _: () = assert!(SNAPSHOT_RECORDS * 2 <= REPLAY_RECORDS_MAX);
