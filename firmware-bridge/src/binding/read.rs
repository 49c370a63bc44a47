//! From the JSON that a manifest carries to a [`Binding`]. Every mistake is reported, each with its path, so that whoever holds the
//! document can say line and column. Scalars may be text, as YAML's are.

use super::{
    Binding, CommandBinding, Fixed, OnlineBinding, Problem, ReadingKind, Rewrite, Scale, StateBinding, Stream, Template,
};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Bytes that a topic may have; MQTT's own limit is 65,535.
const TOPIC_LEN_MAX: usize = 256;
/// Commands, and readings, that a binding may have.
const ENTRIES_MAX: usize = 128;
/// How often a command may be repeated, in milliseconds.
const EVERY_MS: std::ops::RangeInclusive<u32> = 20..=1_000;

impl Binding {
    /// Reads a binding. What an error keeps from being read is left out, so nobody should use such a binding.
    #[must_use]
    pub fn read(text: &str) -> (Binding, Vec<Problem>) {
        let mut reader = Reader::default();
        let binding = match serde_json::from_str(text) {
            Ok(json) => reader.binding(&json),
            Err(error) => {
                reader.error("", format!("expected JSON: {error}"));
                Binding::default()
            }
        };
        (binding, reader.problems)
    }
}

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

/// A mapping and where it stands.
struct Entry<'a> {
    path: String,
    fields: Option<&'a Map<String, Json>>,
}

impl<'a> Entry<'a> {
    fn get(&self, key: &str) -> Option<&'a Json> {
        self.fields?.get(key)
    }

    fn at(&self, key: &str) -> String {
        below(&self.path, key)
    }
}

/// The path of a key below a path (RFC 6901).
fn below(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

impl Reader {
    fn error(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            path: path.to_owned(),
            is_error: true,
            message: message.into(),
        });
    }

    fn binding(&mut self, json: &Json) -> Binding {
        let entry = self.entry(String::new(), json, "command, state, online, ask, stop");
        let mut binding = Binding::default();
        for (tool, path, json) in self.map(&entry, "command") {
            if let Some(command) = self.command(path, json) {
                binding.command.insert(tool, command);
            }
        }
        for (path, json) in self.list(&entry, "state") {
            binding.state.extend(self.state(path, json));
        }
        for (path, json) in self.list(&entry, "ask") {
            binding.ask.extend(self.fixed(path, json));
        }
        binding.online = entry
            .get("online")
            .and_then(|json| self.online(entry.at("online"), json));
        binding.stop = entry.get("stop").and_then(|json| self.fixed(entry.at("stop"), json));
        binding
    }

    fn command(&mut self, path: String, json: &Json) -> Option<CommandBinding> {
        let entry = self.entry(path, json, "topic, payload, parameters, stream");
        let topic = self.topic(&entry);
        let payload = self.needed(&entry, "payload");
        let payload = payload.and_then(|payload| {
            Template::parse(&payload)
                .map_err(|error| self.error(&entry.at("payload"), error.to_string()))
                .ok()
        });
        let mut parameters = BTreeMap::new();
        for (name, path, json) in self.map(&entry, "parameters") {
            parameters.insert(name, self.rewrite(path, json));
        }
        let stream = match entry.get("stream") {
            Some(json) => Some(self.stream(entry.at("stream"), json)?),
            None => None,
        };
        Some(CommandBinding {
            topic: topic?,
            payload: payload?,
            parameters,
            stream,
        })
    }

    fn rewrite(&mut self, path: String, json: &Json) -> Rewrite {
        let entry = self.entry(path, json, "map, kind, scale, whole");
        let map = self.words(&entry);
        let is_number = match self.text(&entry, "kind").as_deref() {
            None | Some("text") => false,
            Some("number") => true,
            Some(other) => {
                self.error(&entry.at("kind"), format!("expected number or text, found {other:?}"));
                false
            }
        };
        for (ours, theirs) in map.iter().filter(|_| is_number) {
            if super::number_of(theirs).is_err() {
                let path = below(&entry.at("map"), ours);
                self.error(&path, format!("expected a number for {ours:?}, found {theirs:?}"));
            }
        }
        let whole = match self.text(&entry, "whole").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                self.error(&entry.at("whole"), format!("expected true or false, found {other:?}"));
                false
            }
        };
        Rewrite {
            map,
            is_number,
            scale: self.scale(&entry),
            whole,
        }
    }

    fn stream(&mut self, path: String, json: &Json) -> Option<Stream> {
        let entry = self.entry(path, json, "every, lasts, scale, end");
        let every_ms = self.needed(&entry, "every").and_then(|_| self.millis(&entry, "every"));
        let every_ms = every_ms.filter(|ms| {
            let fits = EVERY_MS.contains(ms);
            if !fits {
                self.error(&entry.at("every"), format!("expected 20 ms to 1 s, found {ms} ms"));
            }
            fits
        });
        let lasts = self.needed(&entry, "lasts");
        let end = self.needed(&entry, "end");
        let scale = self.scale(&entry);
        if end
            .as_deref()
            .is_some_and(|end| Template::parse(end).is_ok_and(|end| !end.names().is_empty()))
        {
            self.error(
                &entry.at("end"),
                "expected a payload without parameters: it must also end what nobody began",
            );
        }
        Some(Stream {
            every_ms: every_ms?,
            lasts: lasts?,
            scale,
            end: end?,
        })
    }

    fn state(&mut self, path: String, json: &Json) -> Option<StateBinding> {
        let entry = self.entry(path, json, "topic, pointer, field, kind, scale, map, every");
        let topic = self.topic(&entry);
        let pointer = self.pointer(&entry);
        let field = self.needed(&entry, "field");
        let kind = self.needed(&entry, "kind").and_then(|word| {
            let kind = kind(&word);
            if kind.is_none() {
                let message = format!("expected number, text, bool, point, heading or ahead, found {word:?}");
                self.error(&entry.at("kind"), message);
            }
            kind
        });
        let scale = self.scale(&entry);
        let map = self.words(&entry);
        let every_ms = self.millis(&entry, "every");
        Some(StateBinding {
            topic: topic?,
            pointer,
            field: field?,
            kind: kind?,
            scale,
            map,
            every_ms,
        })
    }

    fn online(&mut self, path: String, json: &Json) -> Option<OnlineBinding> {
        let entry = self.entry(path, json, "topic, pointer, yes, no");
        let topic = self.topic(&entry);
        let pointer = self.pointer(&entry);
        let (yes, no) = (self.needed(&entry, "yes"), self.needed(&entry, "no"));
        if yes.is_some() && yes == no {
            self.error(&entry.at("no"), "\"yes\" and \"no\" are the same word");
        }
        Some(OnlineBinding {
            topic: topic?,
            pointer,
            yes: yes?,
            no: no?,
        })
    }

    fn fixed(&mut self, path: String, json: &Json) -> Option<Fixed> {
        let entry = self.entry(path, json, "topic, payload");
        let topic = self.topic(&entry);
        // A query is often an empty message.
        let payload = self.text(&entry, "payload").unwrap_or_default();
        Some(Fixed { topic: topic?, payload })
    }

    fn topic(&mut self, entry: &Entry<'_>) -> Option<String> {
        let topic = self.needed(entry, "topic")?;
        let odd = topic.contains(['+', '#', '{', '}', '\0']) || topic.starts_with('$');
        if odd || topic.is_empty() || topic.len() > TOPIC_LEN_MAX || topic.starts_with("llmos/") {
            let message = format!(
                "expected a fixed topic of 1 to {TOPIC_LEN_MAX} bytes outside llmos/, without + # {{ }}, found {topic:?}"
            );
            self.error(&entry.at("topic"), message);
        }
        Some(topic)
    }

    fn pointer(&mut self, entry: &Entry<'_>) -> String {
        let pointer = self.text(entry, "pointer").unwrap_or_default();
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let message = format!("expected / and a path such as /state, or nothing for plain text, found {pointer:?}");
            self.error(&entry.at("pointer"), message);
        }
        pointer
    }

    fn scale(&mut self, entry: &Entry<'_>) -> Scale {
        let Some(text) = self.text(entry, "scale") else {
            return Scale::default();
        };
        Scale::parse(&text).unwrap_or_else(|error| {
            self.error(&entry.at("scale"), error.to_string());
            Scale::default()
        })
    }

    fn words(&mut self, entry: &Entry<'_>) -> BTreeMap<String, String> {
        let mut words = BTreeMap::new();
        for (key, path, json) in self.map(entry, "map") {
            match scalar(json) {
                Some(word) => {
                    words.insert(key, word);
                }
                None => self.error(&path, format!("expected a word for {key:?}")),
            }
        }
        words
    }

    /// `100 ms`, `2 s` or `5 min`.
    fn millis(&mut self, entry: &Entry<'_>, key: &str) -> Option<u32> {
        let text = self.text(entry, key)?;
        let factor = [("ms", 1), ("min", 60_000), ("s", 1_000)];
        let parsed = factor.iter().find_map(|(unit, factor)| {
            let number = text.strip_suffix(unit)?.trim().parse::<u32>().ok()?;
            number.checked_mul(*factor).filter(|ms| (1..=3_600_000).contains(ms))
        });
        if parsed.is_none() {
            let message =
                format!("expected a whole time of at most an hour such as \"100 ms\" or \"2 s\", found {text:?}");
            self.error(&entry.at(key), message);
        }
        parsed
    }

    fn needed(&mut self, entry: &Entry<'_>, key: &str) -> Option<String> {
        let text = self.text(entry, key);
        if entry.fields.is_some() && entry.get(key).is_none() {
            self.error(&entry.path, format!("\"{key}:\" is missing here"));
        }
        text
    }

    fn text(&mut self, entry: &Entry<'_>, key: &str) -> Option<String> {
        let json = entry.get(key)?;
        let text = scalar(json);
        if text.is_none() {
            self.error(&entry.at(key), format!("\"{key}\" should be a text"));
        }
        text
    }

    /// A mapping with these keys and no others: a key that is not understood would be a command that is not what it seems.
    fn entry<'a>(&mut self, path: String, json: &'a Json, known: &str) -> Entry<'a> {
        let fields = json.as_object();
        if fields.is_none() {
            self.error(&path, format!("expected a mapping with {known}"));
        }
        for key in fields.into_iter().flat_map(Map::keys) {
            if !known.split(", ").any(|name| name == key) {
                self.error(
                    &below(&path, key),
                    format!("{key:?} is not known here; known are {known}"),
                );
            }
        }
        Entry { path, fields }
    }

    fn map<'a>(&mut self, entry: &Entry<'a>, key: &str) -> Vec<(String, String, &'a Json)> {
        let Some(json) = entry.get(key) else { return Vec::new() };
        let path = entry.at(key);
        let Some(map) = json.as_object().filter(|map| map.len() <= ENTRIES_MAX) else {
            self.error(
                &path,
                format!("\"{key}\" should be a mapping of at most {ENTRIES_MAX} entries"),
            );
            return Vec::new();
        };
        map.iter()
            .map(|(name, json)| (name.clone(), below(&path, name), json))
            .collect()
    }

    fn list<'a>(&mut self, entry: &Entry<'a>, key: &str) -> Vec<(String, &'a Json)> {
        let Some(json) = entry.get(key) else { return Vec::new() };
        let path = entry.at(key);
        let Some(list) = json.as_array().filter(|list| list.len() <= ENTRIES_MAX) else {
            self.error(
                &path,
                format!("\"{key}\" should be a list of at most {ENTRIES_MAX} entries"),
            );
            return Vec::new();
        };
        (0..)
            .zip(list)
            .map(|(index, json): (usize, _)| (format!("{path}/{index}"), json))
            .collect()
    }
}

fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::Null => Some(String::new()),
        Json::Array(_) | Json::Object(_) => None,
        other => Some(super::word_of(other)),
    }
}

fn kind(word: &str) -> Option<ReadingKind> {
    Some(match word {
        "number" => ReadingKind::Number,
        "text" => ReadingKind::Text,
        "bool" => ReadingKind::Bool,
        "point" => ReadingKind::Point,
        "heading" => ReadingKind::Heading,
        "ahead" => ReadingKind::Ahead,
        _ => return None,
    })
}
