//! The counter counts what tiktoken counts, for every text.
//!
//! The ignored tests are the exhaustive ones: `cargo test --release --test encoder -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::io::Read;
use std::path::{Path, PathBuf};

use fastpaca_core::encoder::Encoding;
use proptest::prelude::*;
use serde_json::Value;
use tiktoken_rs::{cl100k_base_singleton, o200k_base_singleton, CoreBPE};

fn reference(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::O200kBase => o200k_base_singleton(),
        Encoding::Cl100kBase => cl100k_base_singleton(),
    }
}

#[track_caller]
fn assert_same(text: &str) {
    for encoding in Encoding::ALL {
        let expected = reference(encoding).encode_ordinary(text).len();
        let shown: String = text.chars().take(200).collect();
        assert_eq!(encoding.count(text), expected, "{} of {shown:?}", encoding.name());
    }
}

#[test]
fn names_are_those_of_tiktoken() {
    for encoding in Encoding::ALL {
        assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
    }
    assert_eq!(Encoding::from_name("p50k_base"), None);
}

#[test]
fn known_counts() {
    for (text, o200k, cl100k) in [
        ("", 0, 0),
        (" ", 1, 1),
        ("hello world", 2, 2),
        ("don't DON'T", 2, 4),
        ("<|endoftext|>", 7, 7),
        ("x\n\n  y", 4, 4),
        ("déjà vu", 3, 4),
        ("12345678", 3, 3),
    ] {
        assert_same(text);
        assert_eq!(Encoding::O200kBase.count(text), o200k, "{text:?}");
        assert_eq!(Encoding::Cl100kBase.count(text), cl100k, "{text:?}");
    }
}

/// Where a character may stand beside others that the split patterns treat apart.
const PLACES: [&str; 14] =
    ["#", " #", "# ", "a#", "#a", "A#a", "#A", "'#", "a'#", "a'l#", "1#1", "!#!", "\n#\n/", "####"];

/// Every place of a character in one text, kept apart by what ends each pattern.
fn in_all_places(character: char) -> String {
    let mut buffer = [0; 4];
    let character: &str = character.encode_utf8(&mut buffer);
    PLACES.map(|place| place.replace('#', character)).join(" . ")
}

#[test]
fn characters_in_all_places() {
    let assigned_densely = (0..0x3400).chain(0xA000..0xAC00).chain(0xD7A0..0x1_0000).chain(0x1_0000..0x1_3000);
    let sparse = (0x3400..0x11_0000).step_by(211);
    for character in assigned_densely.chain(sparse).filter_map(char::from_u32) {
        assert_same(&in_all_places(character));
    }
}

#[test]
#[ignore = "exhaustive: minutes"]
fn every_character_in_every_place() {
    for character in '\0'..=char::MAX {
        assert_same(&in_all_places(character));
        for place in PLACES {
            assert_same(&place.replace('#', character.encode_utf8(&mut [0; 4])));
        }
    }
}

/// One character for each way in which a pattern or its fast path treats characters.
const KINDS: [char; 26] = [
    'a', 's', 'l', 'A', 'S', 'ǅ', 'é', 'É', 'ſ', 'ʰ', '中', '\u{301}', '1', '²', '٣', ' ', '\t', '\u{A0}', '\u{2028}',
    '\n', '\r', '\'', '/', '!', '\u{200D}', '\u{378}',
];

/// All texts of so many of those characters.
fn assert_all_of(len: u32) {
    let kinds = KINDS.len();
    for number in 0..kinds.pow(len) {
        let text: String = (0..len).map(|place| KINDS[number / kinds.pow(place) % kinds]).collect();
        assert_same(&text);
    }
}

#[test]
fn all_short_texts() {
    (1..=3).for_each(assert_all_of);
}

#[test]
#[ignore = "exhaustive: minutes"]
fn all_texts_of_four_and_five() {
    (4..=5).for_each(assert_all_of);
}

#[test]
fn every_token_is_one() {
    for encoding in Encoding::ALL {
        let tokens = (0..).map_while(|rank| reference(encoding).decode_bytes(&[rank]).ok());
        let texts: Vec<String> = tokens.filter_map(|bytes| String::from_utf8(bytes).ok()).collect();
        assert!(texts.len() > 90_000);
        for text in &texts {
            let expected = reference(encoding).encode_ordinary(text).len();
            assert_eq!(encoding.count(text), expected, "{} of {text:?}", encoding.name());
        }
    }
}

/// Long runs of one token, and of lengths that no token has. (The reference's own stack overflows on more white space.)
#[test]
fn long_runs() {
    for unit in ["a", "A", "ab", " ", "\n", "\r\n", " \t", "é", "中", "😀", "\u{301}", "!", "1", "-", "aaaaaaab", "Ab"]
    {
        for units in (1..140).chain([1000, 9_999, 50_000]) {
            assert_same(&unit.repeat(units));
            assert_same(&format!("x{}y", unit.repeat(units)));
        }
    }
}

#[test]
fn threads_agree() {
    let text = "Threads count alike: déjà vu, 中文, \u{1F999}. ".repeat(50);
    let counts = || Encoding::ALL.map(|encoding| encoding.count(&text));
    let here = counts();
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..8).map(|_| scope.spawn(counts)).collect();
        assert!(others.into_iter().all(|other| other.join().unwrap() == here));
    });
}

/// What texts are made of, the odd more often than in life.
fn fragment() -> impl Strategy<Value = String> {
    let word = "[a-zA-Z]{1,18}";
    let white = prop::sample::select(vec![
        " ", "  ", "\n", "\r\n", "\r", "\t", "\u{A0}", "\u{3000}", "\u{2028}", "\u{2029}", "\u{85}", "\u{B}",
        "\u{FEFF}", "\u{200B}",
    ]);
    let contraction = prop::sample::select(vec![
        "'s",
        "'S",
        "'ſ",
        "'t",
        "'re",
        "'RE",
        "'vE",
        "'m",
        "'ll",
        "'LL",
        "'lL",
        "'d",
        "'x",
        "'",
        "''s",
        "\u{2019}s",
        "'K",
        "'\u{212A}",
    ]);
    let mark = prop::sample::select(vec![
        "\u{301}",
        "\u{20E3}",
        "\u{200D}",
        "\u{FE0F}",
        "\u{93F}",
        "\u{E31}",
        "\u{1F3FD}",
        "ￚ",
    ]);
    let special =
        prop::sample::select(vec!["<|endoftext|>", "<|im_start|>", "<|fim_prefix|>", "<|endofprompt|>", "<|"]);
    let script = prop::sample::select(vec![
        "[а-яА-Я]{1,12}",
        "[\u{620}-\u{64A}]{1,9}",
        "[\u{900}-\u{97F}]{1,9}",
        "[\u{E00}-\u{E5B}]{1,20}",
        "[一-龥]{1,12}",
        "[ぁ-ヿ]{1,12}",
        "[가-힣]{1,8}",
        "[\u{10400}-\u{1044F}]{1,4}",
        "[\u{1F300}-\u{1FAFF}]{1,4}",
        "[٠-٩०-९０-９①-⑳¼-¾Ⅰ-Ⅻ]{1,5}",
    ]);
    prop_oneof![
        6 => word.prop_map(|word| word),
        4 => white.prop_map(str::to_owned),
        2 => contraction.prop_map(str::to_owned),
        2 => mark.prop_map(str::to_owned),
        1 => special.prop_map(str::to_owned),
        3 => script.prop_flat_map(|pattern| proptest::string::string_regex(pattern).unwrap()),
        2 => "[0-9]{1,7}",
        3 => "[!-/:-@\\[-`{-~]{1,6}",
        2 => any::<char>().prop_map(String::from),
        1 => (any::<char>(), 1..200usize).prop_map(|(character, times)| String::from(character).repeat(times)),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(fragment(), 0..40).prop_map(|fragments| fragments.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn made_up_texts(text in text()) {
        assert_same(&text);
    }

    #[test]
    fn random_characters(text in prop::collection::vec(any::<char>(), 0..60)) {
        assert_same(&text.into_iter().collect::<String>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "exhaustive: minutes"]
    fn many_made_up_texts(text in text()) {
        assert_same(&text);
    }
}

/// The recorded conversations: FASTPACA_DATA, or `../shared/data` beside the repository.
fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = std::env::var_os("FASTPACA_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

fn packed_files(folder: &Path) -> Vec<PathBuf> {
    let paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "gz"));
    folders.iter().flat_map(|folder| packed_files(folder)).chain(files).collect()
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn assert_strings_same(value: &Value) {
    match value {
        Value::String(text) => assert_same(text),
        Value::Array(values) => values.iter().for_each(assert_strings_same),
        Value::Object(fields) => fields.values().for_each(assert_strings_same),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn every_fortieth_recorded_line() {
    let Some(folder) = data() else { return };
    for line in packed_files(&folder).iter().flat_map(|path| {
        let text = read(path);
        text.lines().step_by(40).map(str::to_owned).collect::<Vec<_>>()
    }) {
        let line: String = line.chars().take(50_000).collect();
        assert_same(&line);
    }
}

#[test]
#[ignore = "exhaustive: a minute"]
fn every_recorded_text() {
    let Some(folder) = data() else { return };
    for path in packed_files(&folder) {
        let text = read(&path);
        for line in text.lines() {
            assert_same(line);
            if let Ok(value) = serde_json::from_str(line) {
                assert_strings_same(&value);
            }
        }
    }
}
