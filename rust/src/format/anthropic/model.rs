//! What of the request depends on the model that it goes to.

/// What a model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    /// Messages of role system behind a user's.
    pub takes_system: bool,
    /// With thinking on it refuses an open tool loop without the loop's thinking.
    pub demands_loop: bool,
}

/// The first model that takes system messages.
const SYSTEM_SINCE: (u32, u32) = (4, 8);
/// Models with manual thinking.
const MANUAL_THINKING: std::ops::RangeInclusive<(u32, u32)> = (3, 7)..=(4, 6);

impl Model {
    /// By name; of an unknown one, what every model takes.
    pub(super) fn of(name: Option<&str>) -> Self {
        let Some((family, version)) = name.and_then(parsed) else { return Self::default() };
        Self {
            takes_system: version >= SYSTEM_SINCE && family != "sonnet",
            demands_loop: MANUAL_THINKING.contains(&version),
        }
    }
}

/// Family and version: `claude-opus-4-8`, `us.anthropic.claude-3-7-sonnet-20250219-v1:0`, `anthropic/claude-opus-4.6`.
fn parsed(name: &str) -> Option<(String, (u32, u32))> {
    let name = name.to_ascii_lowercase();
    let (_, name) = name.split_once("claude-")?;
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let family = words.iter().find(|word| word.chars().all(|c| c.is_ascii_alphabetic()))?;
    // A date is no version.
    let numbers = words.iter().take(3).filter(|word| word.len() <= 2);
    let mut numbers = numbers.filter_map(|word| word.parse().ok());
    Some(((*family).to_owned(), (numbers.next()?, numbers.next().unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (name, family, version) in [
            ("claude-opus-4-8", "opus", (4, 8)),
            ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "sonnet", (3, 7)),
            ("anthropic/claude-opus-4.6", "opus", (4, 6)),
            ("claude-sonnet-4-20250514", "sonnet", (4, 0)),
            ("claude-fable-5-1", "fable", (5, 1)),
            ("Claude-Sonnet-5", "sonnet", (5, 0)),
        ] {
            assert_eq!(parsed(name), Some((family.to_owned(), version)), "{name}");
        }
        assert_eq!(parsed("gpt-5"), None);
        assert_eq!(parsed("claude-instant"), None);
        assert!(Model::of(Some("claude-opus-4-8")).takes_system && !Model::of(Some("claude-sonnet-5")).takes_system);
        assert!(Model::of(Some("claude-haiku-4-5")).demands_loop && !Model::of(Some("claude-opus-4-7")).demands_loop);
    }
}
