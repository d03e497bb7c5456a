//! Stored bytes of any kind never panic: they decode, or they are refused.
//!
//! Random bytes would all fail their checksum, so each input is framed with a right one: what decodes behind it is tried.

#![no_main]

use fastpaca_core::codec;
use fastpaca_core::entry::Entry;
use fastpaca_core::index::{Chunk, Index};
use fastpaca_core::record::{erase, StoredRecord};
use fastpaca_core::state;
use fastpaca_core::verify::Verifier;
use libfuzzer_sys::fuzz_target;

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![codec::FORMAT];
    bytes.extend_from_slice(payload);
    codec::append_checksum(&mut bytes);
    bytes
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, payload)) = data.split_first() else { return };
    let bytes = framed(payload);
    match kind % 5 {
        0 => {
            if let Ok(record) = StoredRecord::parse(&bytes) {
                let _ = record.decode();
                let _ = record.verify([0; 16]);
                let _ = erase(&bytes);
            }
        }
        1 => {
            let _ = Entry::decode(kind / 5, payload, 1, |_| Ok("{}".into()));
        }
        2 => {
            let _ = Chunk::decode(&bytes);
            let _ = Index::from_tail(&bytes);
        }
        3 => {
            let _ = state::decode("c", &bytes).map(|state| (state.used_tokens(), state::encode(&state)));
        }
        _ => {
            if let Ok(mut verifier) = Verifier::new("c", None) {
                let _ = verifier.push(&bytes);
                let _ = verifier.finish(&[]);
            }
        }
    }
});
