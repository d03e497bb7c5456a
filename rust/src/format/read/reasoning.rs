//! Thinking in every dialect, and who made it.

use crate::format::pieces::{Maker, Raw, Reasoning};
use crate::json::{Elements, Object};
use crate::message::{Holder, Outline, Slot};

/// Where the ai-sdk keeps what only the provider reads.
const BY_PROVIDER: &[&str] = &["providerMetadata", "providerOptions", "callProviderMetadata"];

/// Reads a part or a field; a list gives a piece for each element.
pub(super) fn read<'a>(outline: &Outline<'a>, slot: &Slot<'a>, mut push: impl FnMut(Reasoning<'a>)) {
    match (&slot.object, slot.holder) {
        (Some(object), _) => push(part(object)),
        (None, Holder::Field(key)) if slot.raw.starts_with('"') => {
            // LiteLLM and OpenRouter give the same thinking as a text and as blocks: the blocks say more.
            let has_blocks =
                ["thinking_blocks", "reasoning_details"].iter().any(|name| outline.object.get(name).is_some());
            if !(has_blocks && matches!(key, "reasoning_content" | "reasoning")) {
                push(Reasoning { texts: vec![slot.raw.into()], ..nothing() });
            }
        }
        _ => {
            let elements = Elements::of(slot.raw).into_iter().flatten();
            elements.filter_map(|(_, raw)| Object::of(raw)).for_each(|object| push(part(&object)));
        }
    }
}

fn nothing<'a>() -> Reasoning<'a> {
    Reasoning { maker: Maker::Unknown, texts: Vec::new(), id: None, signature: None, encrypted: None }
}

/// A part of its own.
pub(super) fn part<'a>(object: &Object<'a>) -> Reasoning<'a> {
    let kind = object.text("type").unwrap_or_default();
    let mut found = Reasoning { texts: texts(object), ..nothing() };
    found.signature = string(object, "signature");
    match kind.as_ref() {
        "thinking" => found.maker = Maker::Anthropic,
        "redacted_thinking" => {
            found.maker = Maker::Anthropic;
            found.encrypted = string(object, "data");
        }
        "reasoning.encrypted" | "reasoning.text" | "reasoning.summary" => {
            found.maker = by_format(object);
            found.encrypted = string(object, "data");
            found.id = string(object, "id");
        }
        _ => {
            found.encrypted = string(object, "encrypted_content");
            found.id = string(object, "id");
            if found.encrypted.is_some() {
                found.maker = Maker::OpenAi;
            } else if found.signature.is_some() {
                found.maker = Maker::Anthropic;
            }
        }
    }
    BY_PROVIDER.iter().filter_map(|name| object.object(name)).for_each(|options| by_provider(&options, &mut found));
    found
}

/// What the ai-sdk keeps under the provider's name.
fn by_provider<'a>(options: &Object<'a>, found: &mut Reasoning<'a>) {
    for (name, maker) in [
        ("anthropic", Maker::Anthropic),
        ("bedrock", Maker::Anthropic),
        ("openai", Maker::OpenAi),
        ("azure", Maker::OpenAi),
        ("google", Maker::Google),
        ("vertex", Maker::Google),
    ] {
        let Some(own) = options.object(name) else { continue };
        found.maker = maker;
        found.id = string(&own, "itemId").or(found.id);
        found.signature = string(&own, "signature").or_else(|| string(&own, "thoughtSignature")).or(found.signature);
        let encrypted = ["reasoningEncryptedContent", "redactedData"].iter().find_map(|name| string(&own, name));
        found.encrypted = encrypted.or(found.encrypted);
    }
}

/// OpenRouter names the maker in the format of a detail.
fn by_format(object: &Object<'_>) -> Maker {
    match object.text("format").as_deref() {
        Some(format) if format.starts_with("anthropic") => Maker::Anthropic,
        Some(format) if format.starts_with("openai") || format.starts_with("azure") => Maker::OpenAi,
        Some(format) if format.starts_with("google") => Maker::Google,
        _ => Maker::Unknown,
    }
}

fn string<'a>(object: &Object<'a>, name: &str) -> Option<&'a str> {
    object.get(name).filter(|raw| raw.starts_with('"') && *raw != "\"\"")
}

fn texts<'a>(object: &Object<'a>) -> Vec<Raw<'a>> {
    let mut texts: Vec<Raw<'a>> = Vec::new();
    for name in ["thinking", "text", "reasoning", "summary", "content"] {
        match object.get(name) {
            Some("\"\"") | None => {}
            Some(raw) if raw.starts_with('"') => texts.push(raw.into()),
            Some(raw) => {
                let blocks = Elements::of(raw).into_iter().flatten().filter_map(|(_, raw)| Object::of(raw));
                texts.extend(blocks.filter_map(|block| string(&block, "text")).map(Raw::from));
            }
        }
        if !texts.is_empty() {
            break;
        }
    }
    texts
}
