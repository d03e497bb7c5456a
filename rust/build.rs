//! Writes what the token counter embeds: each vocabulary as its list of merges, and a table of
//! the Unicode classes that the encoders' split patterns speak of.
//!
//! Both come from the reference itself: the ranks from `tiktoken-rs`, the classes from the
//! `regex-syntax` that its regex engine uses. So they agree with it by construction.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a build script fails by panicking"
)]

use std::collections::HashMap;
use std::{env, fs, path::Path};

use regex_syntax::hir::{Class, HirKind};
use tiktoken_rs::{cl100k_base_singleton, o200k_base_singleton, CoreBPE};

/// Classes of a code point, one bit each; `src/encoder/class.rs` names the same bits.
const CLASSES: [(u8, &str); 7] = [
    (1, r"[\p{Lu}\p{Lt}]"),
    (2, r"\p{Ll}"),
    (4, r"[\p{Lm}\p{Lo}]"),
    (8, r"\p{M}"),
    (16, r"\p{N}"),
    (32, r"[\s--[\r\n]]"),
    (64, r"[\r\n]"),
];
/// The class of every code point that none of `CLASSES` holds.
const REST: u8 = 128;
const PAGE: usize = 256;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let out = Path::new(&out);
    for (name, reference) in [("o200k_base", o200k_base_singleton()), ("cl100k_base", cl100k_base_singleton())] {
        fs::write(out.join(format!("{name}.merges")), merges(&tokens(reference))).expect("OUT_DIR is writable");
    }
    let (index, pages) = class_pages();
    fs::write(out.join("class_index.bin"), index).expect("OUT_DIR is writable");
    fs::write(out.join("class_pages.bin"), pages).expect("OUT_DIR is writable");
}

/// The bytes of every ordinary token, by rank.
fn tokens(reference: &CoreBPE) -> Vec<Vec<u8>> {
    (0..).map_while(|rank| reference.decode_bytes(&[rank]).ok()).collect()
}

/// 256 bytes: the single byte tokens by rank; then six bytes a token: the ranks of its two halves,
/// three bytes each, little-endian.
fn merges(tokens: &[Vec<u8>]) -> Vec<u8> {
    let ranks: HashMap<&[u8], u32> = tokens.iter().map(|token| token.as_slice()).zip(0..).collect();
    let mut out = Vec::with_capacity(tokens.len() * 6);
    for (rank, token) in (0u32..).zip(tokens) {
        if rank < 256 {
            assert_eq!(token.len(), 1, "the first 256 tokens are the single bytes");
            out.push(token[0]);
            continue;
        }
        let (left, right) = halves(token, &ranks);
        assert!(left < rank && right < rank, "token {rank} is merged from earlier ones");
        out.extend_from_slice(&left.to_le_bytes()[..3]);
        out.extend_from_slice(&right.to_le_bytes()[..3]);
    }
    out
}

/// Merges a token's bytes as the encoder would and returns the last two parts.
fn halves(token: &[u8], ranks: &HashMap<&[u8], u32>) -> (u32, u32) {
    let mut ends: Vec<usize> = (0..=token.len()).collect();
    while ends.len() > 3 {
        let pairs = ends.windows(3).zip(1..);
        let best = pairs.filter_map(|(w, at)| ranks.get(&token[w[0]..w[2]]).map(|rank| (rank, at))).min();
        let (_, at) = best.expect("every token can be merged from its bytes");
        ends.remove(at);
    }
    (ranks[&token[..ends[1]]], ranks[&token[ends[1]..]])
}

/// A two-stage table: the page number of each 256 code points, and the distinct pages.
fn class_pages() -> (Vec<u8>, Vec<u8>) {
    let mut classes = vec![REST; 0x11_0000];
    for (bit, pattern) in CLASSES {
        for (first, last) in ranges(pattern) {
            for class in &mut classes[first..=last] {
                assert_eq!(*class, REST, "the classes are disjoint");
                *class = bit;
            }
        }
    }
    let mut numbers: HashMap<&[u8], u8> = HashMap::new();
    let (mut index, mut pages) = (Vec::new(), Vec::new());
    for page in classes.chunks(PAGE) {
        let next = u8::try_from(numbers.len()).expect("at most 256 distinct pages");
        index.push(*numbers.entry(page).or_insert_with(|| {
            pages.extend_from_slice(page);
            next
        }));
    }
    (index, pages)
}

fn ranges(pattern: &str) -> Vec<(usize, usize)> {
    let hir = regex_syntax::parse(pattern).expect("the patterns are valid");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(|range| (range.start() as usize, range.end() as usize)).collect()
        }
        other => panic!("{pattern} is a class, not {other:?}"),
    }
}
