//! A walk back through the rewrites reads the beginning of an entry alone: it must stay in step with the whole entries.
#![allow(clippy::unwrap_used, missing_docs)]

use fastpaca_core::entry::{By, Compacted, Did, Reverted, Rewound, Rewrite, RewriteHead};

fn rewrite() -> Rewrite {
    Rewrite { rules: 1, previous: 41, kept: Vec::new(), pairing: fastpaca_core::pairing::Pairing::default() }
}

fn head(kind: u8, payload: &[u8]) -> RewriteHead {
    RewriteHead::decode(kind, payload).unwrap().unwrap()
}

#[test]
fn a_compaction() {
    for by in [By::Caller, By::Policy, By::Repair] {
        let entry = Compacted {
            by,
            strategy: "last_n".into(),
            range: (2, 3),
            up_to_version: Some(4),
            tokens: (5, 6),
            rewrite: rewrite(),
        };
        let did = Did::Compacted { by, strategy: "last_n".into(), range: (2, 3), up_to_version: Some(4) };
        let read = head(3, &postcard::to_allocvec(&entry).unwrap());
        assert_eq!(read, RewriteHead { did, tokens: (5, 6), previous: 41 });
    }
}

#[test]
fn a_revert() {
    let entry = Reverted { version: 7, tokens: (5, 6), rewrite: rewrite() };
    let read = head(4, &postcard::to_allocvec(&entry).unwrap());
    assert_eq!(read, RewriteHead { did: Did::Reverted(7), tokens: (5, 6), previous: 41 });
}

#[test]
fn a_rewind() {
    for replaced in [false, true] {
        let entry = Rewound { to_seq: 8, replaced, tokens: (5, 6), rewrite: rewrite() };
        let read = head(5, &postcard::to_allocvec(&entry).unwrap());
        assert_eq!(read, RewriteHead { did: Did::Rewound(8), tokens: (5, 6), previous: 41 });
    }
}

#[test]
fn an_entry_that_is_no_rewrite_has_none() {
    assert_eq!(RewriteHead::decode(2, &[]).unwrap(), None);
}
