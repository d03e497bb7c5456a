//! Writes what the token counter embeds: each vocabulary as a trie, and a table of
//! the Unicode classes that the encoders' split patterns speak of.
//!
//! Both come from the reference itself: the ranks from `tiktoken-rs`, the classes from the
//! `regex-syntax` that its regex engine uses. So they agree with it by construction.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
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
        fs::write(out.join(format!("{name}.trie")), trie(&tokens(reference))).expect("OUT_DIR is writable");
    }
    let (index, pages) = class_pages();
    fs::write(out.join("class_index.bin"), index).expect("OUT_DIR is writable");
    fs::write(out.join("class_pages.bin"), pages).expect("OUT_DIR is writable");
}

/// The bytes of every ordinary token, by rank.
fn tokens(reference: &CoreBPE) -> Vec<Vec<u8>> {
    (0..).map_while(|rank| reference.decode_bytes(&[rank]).ok()).collect()
}

/// The trie of all tokens, its nodes in lexicographic order (each before the longer ones): four
/// bytes of node count, then for all nodes a byte each of label, of depth, and of the left half's
/// length (0 where the node is no token; a single byte is its own left half); last the rank of
/// each token in three bytes. Numbers are little-endian.
fn trie(tokens: &[Vec<u8>]) -> Vec<u8> {
    let ranks: HashMap<&[u8], u32> = tokens.iter().map(|token| token.as_slice()).zip(0..).collect();
    let mut sorted: Vec<&[u8]> = ranks.keys().copied().collect();
    sorted.sort_unstable();
    let (mut labels, mut depths, mut left_lens, mut rank_bytes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut last: &[u8] = &[];
    for &token in &sorted {
        let shared = token.iter().zip(last).take_while(|(a, b)| a == b).count();
        for (depth, &label) in (1u8..).zip(token).skip(shared) {
            labels.push(label);
            depths.push(depth);
            left_lens.push(if usize::from(depth) == token.len() { left_len(token, &ranks) } else { 0 });
        }
        rank_bytes.extend_from_slice(&ranks[token].to_le_bytes()[..3]);
        last = token;
    }
    let nodes = u32::try_from(labels.len()).expect("few enough nodes");
    [nodes.to_le_bytes().to_vec(), labels, depths, left_lens, rank_bytes].concat()
}

/// Merges a token's bytes as the encoder would and returns the length of the first of the last two parts.
fn left_len(token: &[u8], ranks: &HashMap<&[u8], u32>) -> u8 {
    let rank = ranks[token];
    let mut ends: Vec<usize> = (0..=token.len()).collect();
    while ends.len() > 3 {
        let pairs = ends.windows(3).zip(1..);
        let best = pairs.filter_map(|(w, at)| ranks.get(&token[w[0]..w[2]]).map(|rank| (rank, at))).min();
        let (_, at) = best.expect("every token can be merged from its bytes");
        ends.remove(at);
    }
    let (left, right) = token.split_at(ends[1]);
    assert!(right.is_empty() || ranks[left].max(ranks[right]) < rank, "token {rank} is merged from earlier ones");
    u8::try_from(left.len()).expect("tokens are short")
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
