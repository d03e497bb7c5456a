//! Every recorded message parses, keeps its value, and is a fixed point. Skipped where the recordings are absent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use common::{assert_fixed_point, parse};
use fastpaca_core::edit::{only_part, without_parts};
use fastpaca_core::format::{Format, Options, Request};
use fastpaca_core::message::Message;
use fastpaca_core::spliced::Spliced;
use serde_json::Value;

fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = std::env::var_os("FASTPACA_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    files.sort();
    files
}

/// One JSON document, or one a line.
fn documents(text: &str) -> Vec<Value> {
    serde_json::from_str(text).map_or_else(
        |_| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        |document| vec![document],
    )
}

/// The message lists in a document, wherever its source keeps them.
fn messages(document: &Value) -> Vec<&Value> {
    let lists = ["messages", "history"].iter().filter_map(|key| document.get(key)?.as_array());
    document.as_array().into_iter().chain(lists).flatten().collect()
}

#[derive(Default, Debug, PartialEq)]
struct Sum {
    messages: usize,
    calls: usize,
    results: usize,
    answered: usize,
}

impl Sum {
    fn add(&mut self, message: &Message) {
        self.messages += 1;
        self.calls += message.calls.len();
        self.results += message.results.len();
        self.answered += message.answered.len();
    }
}

/// What the stored body must be, by the value of the message.
fn expected(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(Value::String(text)) = value.get("content").cloned() {
        let object = value.as_object_mut().unwrap();
        object.remove("content");
        object.insert("parts".to_owned(), serde_json::json!([{ "type": "text", "text": text }]));
    }
    value
}

/// Bodies of the usual shapes are read in one pass; a key with escapes, which may be any key, has them read whole.
fn assert_read_alike(body: &[u8]) {
    let mut unusual = br#"{"\u0078":0,"#.to_vec();
    unusual.extend_from_slice(&body[1..]);
    for format in [Format::OpenAi, Format::Anthropic] {
        let request = |body: &[u8]| {
            let mut request = Request::new(format, &Options::default()).unwrap();
            request.push(1, None, body);
            let mut out = Spliced::default();
            request.write(&mut out, false);
            String::from_utf8(out.to_vec()).unwrap()
        };
        assert_eq!(request(body), request(&unusual));
    }
}

fn check(value: &Value, sum: &mut Sum) {
    let message = parse(&value.to_string());
    assert_read_alike(&message.body);
    assert_eq!(serde_json::from_slice::<Value>(&message.body).unwrap(), expected(value));
    assert_fixed_point(&message);
    let parts: u32 = message.parts.iter().map(|part| part.tokens).sum();
    assert_eq!(message.tokens, parts + 4);
    let all: Vec<u32> = (0..u32::try_from(message.parts.len()).unwrap()).collect();
    assert_eq!(without_parts(&message.body, &[]), message.body);
    for part in &all {
        let single = only_part(&message.body, *part);
        assert!(serde_json::from_slice::<Value>(&single).is_ok());
    }
    let none = parse(std::str::from_utf8(&without_parts(&message.body, &all)).unwrap());
    assert!(none.parts.is_empty());
    sum.add(&message);
}

#[test]
fn canonical_conversations() {
    let Some(folder) = data() else { return };
    let mut sums = BTreeMap::new();
    for path in files(&folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("provider_calls") || name.starts_with("texts_") {
            continue;
        }
        let sum: &mut Sum = sums.entry(name).or_default();
        let parts = |value: &Value, kind: &str| {
            value["parts"].as_array().unwrap().iter().filter(|part| part["type"] == kind).count()
        };
        for document in documents(&read(&path)) {
            for message in messages(&document) {
                let before = (sum.calls, sum.results);
                check(message, sum);
                assert_eq!(sum.calls - before.0, parts(message, "tool_call"));
                assert_eq!(sum.results - before.1, parts(message, "tool_result"));
            }
        }
    }
    assert!(sums.values().map(|sum| sum.messages).sum::<usize>() > 100_000, "{sums:?}");
}

#[test]
fn native_conversations() {
    let Some(folder) = data() else { return };
    let sum_of = |set: &str| {
        let mut sum = Sum::default();
        for path in files(&folder.join("raw").join(set)) {
            for document in documents(&read(&path)) {
                messages(&document).iter().for_each(|message| check(message, &mut sum));
            }
        }
        println!("{set}: {sum:?}");
        sum
    };
    let chat = sum_of("openai_chat");
    assert!(chat.messages > 2000 && chat.calls > 900 && chat.results > 900 && chat.answered == 0);
    let anthropic = sum_of("anthropic_messages");
    assert_eq!((anthropic.calls, anthropic.results, anthropic.answered), (1717, 1715, 0));
    let ui = sum_of("ai_sdk_uimessages");
    assert!(ui.messages > 30 && ui.calls > 30 && ui.results == 0);
    let legacy = sum_of("openai_legacy_functions");
    assert!(legacy.calls == 44 && legacy.results == 33);
}

#[test]
fn recorded_requests() {
    let Some(folder) = data() else { return };
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for call in documents(&read(&folder.join("provider_calls.jsonl.gz"))) {
        let api = call["api"].as_str().unwrap();
        if !["openai.", "anthropic.", "cohere.", "writer."].iter().any(|start| api.starts_with(start)) {
            continue;
        }
        let lists = ["messages", "input"].iter().filter_map(|key| call["request"].get(key)?.as_array());
        for message in lists.flatten() {
            check(message, sums.entry(api.to_owned()).or_default());
        }
    }
    println!("{sums:#?}");
    assert!(sums["openai.responses"].calls > 50 && sums["anthropic.messages"].calls > 50);
}
