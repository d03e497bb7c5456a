//! The stored format, frozen: these bytes were written by the first release and must decode for ever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use fastpaca_core::config::{Config, PolicyConfig};
use fastpaca_core::entry::{
    Appended, By, Compacted, Created, Entry, Origin, Placed, Reverted, Rewound, Rewrite, Tombstoned,
};
use fastpaca_core::error::Error;
use fastpaca_core::index::Flags;
use fastpaca_core::kept::{Item, ItemKind, Run};
use fastpaca_core::message::{Call, Kinds, Role, ToolResult};
use fastpaca_core::pairing::{OpenCall, Pairing, PairingStep};
use fastpaca_core::record::{erase, After, KeyHeader, Record, StoredRecord};
use fastpaca_core::render::hex;

fn config() -> Config {
    Config {
        token_budget: 100_000,
        reserve_tokens: 300,
        trigger_ratio: 0.7,
        policy: PolicyConfig { strategy: "last_n".into(), config: "{\"limit\":5}".into() },
        model: Some("gpt-4o".into()),
        tokenizer: None,
    }
}

fn item(kind: ItemKind) -> Item {
    Item {
        kind,
        from: 2,
        to: 300,
        at: 300,
        call: 1,
        version: 7,
        slot: 2,
        tokens: 70_000,
        role: Role::Assistant,
        kinds: Kinds::TEXT,
        flags: Flags::RESULTS,
        turn: 2,
        group: 1 << 63,
        time_ms: 1_800_000_000_123,
    }
}

fn rewrite() -> Rewrite {
    let mut pairing = Pairing::at(2, 300, false);
    pairing.open.push(OpenCall {
        seq: 300,
        call: 0,
        group: 300,
        turn: 2,
        id: Some("c".into()),
        name: None,
        repaired: true,
    });
    let messages = Run::Messages { from: 301, to: 900, tokens: 12_345, before: 678 };
    Rewrite { rules: 1, previous: 3, kept: vec![Run::Item(item(ItemKind::Summary)), messages], pairing }
}

fn appended() -> Appended {
    let mut step = PairingStep::default();
    step.answered.push((300, 0));
    Appended {
        seq: 301,
        id: Some("m".into()),
        tokens: 12,
        role: Role::Tool,
        kinds: Kinds::TOOL_RESULT,
        flags: Flags::PINNED,
        time_ms: 1_800_000_000_123,
        turn: 300,
        group: 301,
        calls: vec![Call { id: None, name: Some("look".into()) }],
        results: vec![ToolResult { id: Some("c".into()), name: None, part: 1, tokens: 9 }],
        placed: Placed::Edited(item(ItemKind::Edit)),
        repairs: vec![item(ItemKind::Repair)],
        step,
        overhead: Some(-5),
    }
}

/// One entry of every kind.
fn entries() -> Vec<Entry> {
    let origin = Origin { id: "parent".into(), incarnation: [2; 16], version: 9, seq: 8 };
    let created = Created { incarnation: [1; 16], config: config(), metadata: "{}".into(), origin: Some(origin) };
    let compacted = Compacted {
        by: By::Policy,
        strategy: "last_n".into(),
        range: (2, 300),
        up_to_version: Some(310),
        tokens: (90_000, 70_012),
        rewrite: rewrite(),
    };
    vec![
        Entry::Created(created),
        Entry::Configured(config()),
        Entry::Appended(appended()),
        Entry::Compacted(compacted),
        Entry::Reverted(Reverted { version: 4, tokens: (5, 6), rewrite: rewrite() }),
        Entry::Rewound(Rewound { to_seq: 300, replaced: true, tokens: (6, 5), rewrite: rewrite() }),
        Entry::Metadata("{\"a\":1}".into()),
        Entry::Tombstoned(Tombstoned { purge: true }),
    ]
}

const GOLDEN: &str = include_str!("format-1.txt");

#[test]
fn entries_encode_as_they_always_did() {
    let mut texts = Vec::new();
    let entries = entries();
    let lines = entries.iter().map(|entry| format!("{} {}", entry.kind(), hex(&entry.encode(&mut texts, 0))));
    let lines: Vec<String> = lines.collect();
    assert_eq!(texts, [b"{}".to_vec(), b"{\"a\":1}".to_vec()]);
    assert_eq!(lines.join("\n") + "\n", GOLDEN);
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn old_bytes_decode() {
    let decoded = GOLDEN.lines().map(|line| {
        let (kind, payload) = line.split_once(' ').unwrap();
        let text = |slot: u32| Ok(["{}", "{\"a\":1}"][slot as usize].to_owned());
        Entry::decode(kind.parse().unwrap(), &bytes(payload), 5, text).unwrap()
    });
    assert_eq!(decoded.collect::<Vec<_>>(), entries());
}

#[test]
fn an_unknown_kind_is_named() {
    let refused = Entry::decode(200, &[], 12, |_| Ok(String::new())).unwrap_err();
    assert_eq!(refused, Error::UnknownEntry { kind: 200, version: 12 });
    assert!(refused.to_string().contains("unknown kind 200") && refused.to_string().contains("version 12"));
}

fn record() -> (Record, Vec<u8>) {
    let key = KeyHeader { key: "k".into(), hash: [3; 16], ordinal: 1, reply: b"{}".to_vec() };
    let record = Record {
        first_version: 0,
        time_ms: 5,
        first_seq: 1,
        after: After { used_tokens: 7, needs_compaction: true },
        entries: entries(),
        key: Some(key),
    };
    let bodies = [b"{\"role\":\"user\"}".as_slice().into(), b"{}".as_slice().into()];
    let (bytes, _) = record.encode(&bodies, [9; 16]);
    (record, bytes)
}

#[test]
fn a_record_reads_back() {
    let (record, bytes) = record();
    let stored = StoredRecord::parse(&bytes).unwrap();
    stored.verify([9; 16]).unwrap();
    assert_eq!(stored.decode().unwrap(), record);
    assert_eq!(stored.body(0).unwrap(), b"{\"role\":\"user\"}");
    assert_eq!(stored.body(1).unwrap(), b"{}");
    assert!(stored.verify([8; 16]).unwrap_err().to_string().contains("chain"));
}

#[test]
fn every_flipped_bit_of_a_record_is_found() {
    let (_, bytes) = record();
    for at in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        assert!(StoredRecord::parse(&damaged).is_err(), "bit {at}");
    }
    for end in 0..bytes.len() {
        assert!(StoredRecord::parse(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn an_erased_record_keeps_its_chain() {
    let (record, bytes) = record();
    let erased = erase(&bytes).unwrap();
    let stored = StoredRecord::parse(&erased).unwrap();
    stored.verify([9; 16]).unwrap();
    let decoded = stored.decode().unwrap();
    assert_eq!(decoded.entries[2..6], record.entries[2..6]);
    assert_eq!(decoded.entries[6], Entry::Metadata("{}".into()));
    assert_eq!(decoded.key.unwrap().reply, b"");
    assert_eq!(stored.body(0).unwrap_err(), Error::Erased { version: 0 });
    assert!(!erased.windows(4).any(|w| w == b"role"));
}
