//! A binding held against the tools and readings that it serves, and against other bindings. It must not know what a tool means or how a
//! manifest is written: a tool is a name with parameters here, a reading a name with a shape.

use super::{Binding, CommandBinding, Problem, ReadingKind, STREAM_MS_MAX, StateBinding};

/// What the values of a parameter or reading look like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A number in micro-units, with its range where it has one.
    Number(Option<(i64, i64)>),
    /// True or false.
    Bool,
    /// Three numbers.
    Point,
    /// One of these words.
    Options(Vec<String>),
    /// Any word.
    Text,
}

/// A tool that is one command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToolSurface {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub parameters: Vec<(String, Shape)>,
    /// How long one command may take, in milliseconds.
    pub timeout_ms: u64,
}

/// What a binding has to serve.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surface {
    /// The tools that act.
    pub tools: Vec<ToolSurface>,
    /// The readings that are declared.
    pub readings: Vec<(String, Shape)>,
}

impl Binding {
    /// Everything in which the binding and what it serves don't fit together.
    #[must_use]
    pub fn check(&self, surface: &Surface) -> Vec<Problem> {
        let mut problems = Vec::new();
        for tool in &surface.tools {
            match self.command.get(&tool.name) {
                Some(command) => check_command(tool, command, &mut problems),
                None => problems.push(error(
                    "/command".to_owned(),
                    format!(
                        "the tool \"{}\" publishes nothing: add \"{}:\" here",
                        tool.name, tool.name
                    ),
                )),
            }
        }
        for name in self.command.keys() {
            if !surface.tools.iter().any(|tool| tool.name == *name) {
                let known = names(surface.tools.iter().map(|tool| &tool.name));
                problems.push(error(
                    format!("/command/{name}"),
                    format!("there is no tool \"{name}\" that acts; there are {known}"),
                ));
            }
        }
        self.check_readings(surface, &mut problems);
        self.check_topics(&mut problems);
        problems
    }

    fn check_readings(&self, surface: &Surface, problems: &mut Vec<Problem>) {
        for (name, _) in &surface.readings {
            if !self.state.iter().any(|state| state.field == *name) {
                problems.push(error(
                    "/state".to_owned(),
                    format!("nothing here reports \"{name}\", which \"reports\" promises: add {{ topic, pointer, field: {name}, kind }}"),
                ));
            }
        }
        for (index, state) in self.state.iter().enumerate() {
            let at = |key: &str| format!("/state/{index}{key}");
            match surface.readings.iter().find(|(name, _)| *name == state.field) {
                None => problems.push(warning(
                    at("/field"),
                    format!("\"{}\" is not among \"reports\", so no formula can use it", state.field),
                )),
                Some((_, shape)) => problems.extend(misfit(state, shape, &at)),
            }
            let same = |other: &StateBinding| {
                (&other.topic, &other.pointer, &other.field) == (&state.topic, &state.pointer, &state.field)
            };
            if self.state[..index].iter().any(same) {
                problems.push(error(
                    at("/field"),
                    format!("\"{}\" is read twice from the same place", state.field),
                ));
            }
        }
    }

    /// A device that hears its own commands would prove everything.
    fn check_topics(&self, problems: &mut Vec<Problem>) {
        let read = self
            .state
            .iter()
            .enumerate()
            .map(|(index, state)| (format!("/state/{index}/topic"), &state.topic));
        let online = self
            .online
            .iter()
            .map(|online| ("/online/topic".to_owned(), &online.topic));
        for (path, topic) in read.chain(online) {
            if self.published().any(|(_, published)| published == topic) {
                problems.push(error(
                    path,
                    format!("\"{topic}\" is published to as well: what is read there would be our own words, and prove nothing"),
                ));
            }
        }
    }

    /// Every topic that is published to, with its path.
    pub fn published(&self) -> impl Iterator<Item = (String, &str)> {
        let commands = self
            .command
            .iter()
            .map(|(name, command)| (format!("/command/{name}/topic"), command.topic.as_str()));
        let asks = (0..)
            .zip(&self.ask)
            .map(|(index, ask): (usize, _)| (format!("/ask/{index}/topic"), ask.topic.as_str()));
        let stop = self
            .stop
            .iter()
            .map(|stop| ("/stop/topic".to_owned(), stop.topic.as_str()));
        commands.chain(asks).chain(stop)
    }
}

/// Commands of this binding that another device's binding publishes too: two manifests would move one device, each without knowing.
#[must_use]
pub fn overlaps(binding: &Binding, name: &str, other: &Binding) -> Vec<Problem> {
    let theirs: Vec<&str> = other.command.values().map(|command| command.topic.as_str()).collect();
    let shared = binding
        .command
        .iter()
        .filter(|(_, command)| theirs.contains(&command.topic.as_str()));
    shared
        .map(|(tool, command)| {
            error(
                format!("/command/{tool}/topic"),
                format!(
                    "\"{}\" belongs to the device \"{name}\" too; give each device topics of its own",
                    command.topic
                ),
            )
        })
        .collect()
}

fn check_command(tool: &ToolSurface, command: &CommandBinding, problems: &mut Vec<Problem>) {
    let path = format!("/command/{}", tool.name);
    let shape = |name: &str| {
        tool.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, shape)| shape)
    };
    let known = names(tool.parameters.iter().map(|(name, _)| name));
    let used = command.payload.names();
    for name in used.iter().filter(|name| shape(name).is_none()) {
        problems.push(error(
            format!("{path}/payload"),
            format!("{{{name}}} is no parameter of \"{}\"; there are {known}", tool.name),
        ));
    }
    let lasts = command.stream.as_ref().map(|stream| stream.lasts.as_str());
    for (name, _) in &tool.parameters {
        if !used.contains(name) && lasts != Some(name) {
            problems.push(error(
                format!("{path}/payload"),
                format!("the parameter \"{name}\" is never sent: put {{{name}}} into the payload, or take it out of the tool"),
            ));
        }
    }
    for (name, rewrite) in &command.parameters {
        let at = format!("{path}/parameters/{name}");
        match shape(name) {
            None => problems.push(error(
                at,
                format!("\"{name}\" is no parameter of \"{}\"; there are {known}", tool.name),
            )),
            Some(Shape::Options(options)) if !rewrite.map.is_empty() => {
                let missing = options.iter().filter(|option| !rewrite.map.contains_key(*option));
                problems.extend(missing.map(|option| {
                    error(
                        format!("{at}/map"),
                        format!("the option \"{option}\" of \"{name}\" has no word of the device here"),
                    )
                }));
                let odd = rewrite.map.keys().filter(|word| !options.contains(word));
                problems.extend(odd.map(|word| {
                    error(
                        format!("{at}/map"),
                        format!("\"{word}\" is no option of \"{name}\"; there are {}", options.join("|")),
                    )
                }));
            }
            Some(_) => {}
        }
    }
    check_stream(tool, command, &path, problems);
}

fn check_stream(tool: &ToolSurface, command: &CommandBinding, path: &str, problems: &mut Vec<Problem>) {
    let Some(stream) = &command.stream else { return };
    let at = format!("{path}/stream/lasts");
    let parameter = tool.parameters.iter().find(|(name, _)| *name == stream.lasts);
    let Some((_, Shape::Number(limit))) = parameter else {
        let message = format!(
            "\"{}\" is no parameter of \"{}\" that is a number",
            stream.lasts, tool.name
        );
        return problems.push(error(at, message));
    };
    let Some((low, high)) = limit.filter(|(low, _)| *low >= 0) else {
        let message = format!(
            "\"{}\" needs a range from 0 up, such as \"0..2 m\": it says how long the device moves",
            stream.lasts
        );
        return problems.push(error(at, message));
    };
    let ms = |micro: i64| {
        stream
            .scale
            .outwards(micro)
            .and_then(|micro| u64::try_from(micro / 1_000).ok())
    };
    match (ms(low), ms(high)) {
        (Some(_), Some(longest)) if longest > STREAM_MS_MAX => {
            problems.push(error(at, format!("the largest \"{}\" would last {} s; at most 600 s are repeated", stream.lasts, longest / 1_000)));
        }
        (Some(_), Some(longest)) if longest >= tool.timeout_ms => problems.push(error(
            at,
            format!(
                "the largest \"{}\" lasts {} s, longer than the tool's timeout of {} s; give \"{}\" a longer \"timeout\"",
                stream.lasts,
                longest.div_ceil(1_000),
                tool.timeout_ms / 1_000,
                tool.name
            ),
        )),
        (Some(_), Some(_)) => {}
        _ => problems.push(error(format!("{path}/stream/scale"), "a time can't be negative: \"scale\" is seconds in one base unit".to_owned())),
    }
}

/// In which way a reading can't be what the manifest declares.
fn misfit(state: &StateBinding, shape: &Shape, at: &dyn Fn(&str) -> String) -> Option<Problem> {
    let fits = match shape {
        Shape::Number(_) => matches!(state.kind, ReadingKind::Number | ReadingKind::Heading),
        Shape::Bool => state.kind == ReadingKind::Bool,
        Shape::Point => matches!(state.kind, ReadingKind::Point | ReadingKind::Ahead),
        Shape::Options(_) | Shape::Text => state.kind == ReadingKind::Text,
    };
    if !fits {
        let expected = match shape {
            Shape::Number(_) => "number, or heading for an angle",
            Shape::Bool => "bool",
            Shape::Point => "point or ahead",
            Shape::Options(_) | Shape::Text => "text",
        };
        return Some(error(
            at("/kind"),
            format!(
                "\"{}\" is declared otherwise among \"reports\": expected {expected}",
                state.field
            ),
        ));
    }
    let Shape::Options(options) = shape else { return None };
    let odd = state.map.values().find(|word| !options.contains(word))?;
    let message = format!(
        "\"{odd}\" is no option of \"{}\"; there are {}",
        state.field,
        options.join("|")
    );
    Some(error(at("/map"), message))
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn error(path: String, message: String) -> Problem {
    Problem {
        path,
        is_error: true,
        message,
    }
}

fn warning(path: String, message: String) -> Problem {
    Problem {
        is_error: false,
        ..error(path, message)
    }
}
