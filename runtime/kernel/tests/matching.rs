//! Goals that only look alike are never followed, and what asks for the same is found again: 1,000 pairs of goals, written by hand. Each
//! line of `pairs.tsv` is a goal that has a trace and another one: `never` asks for something else, `slots` for the same with other values,
//! `same` for the very same in other words. `plans.jsonl` holds what the first goals ask for. The table of how many are found is
//! printed: `cargo test -p llmos-kernel --test matching -- --nocapture`.

#![expect(clippy::print_stdout, reason = "the tables are a part of what is measured")]

use llmos_kernel::goal::{self, Goal, Lexicon, Meaning, Name, NameKind, Negation};
use llmos_kernel::library::Library;
use llmos_kernel::matching::{self, Found};
use llmos_kernel::message::Status;
use llmos_kernel::mode::Mode;
use llmos_kernel::plan::{Argument, Given, Plan, PlannedCall, Source};
use llmos_kernel::text::manifest;
use llmos_kernel::text::trace::{Trace, TraceStep};
use llmos_kernel::tool::Device;
use std::collections::BTreeMap;

const PAIRS: &str = include_str!("matching/pairs.tsv");
const PLANS: &str = include_str!("matching/plans.jsonl");

struct Bench {
    lexicon: Lexicon,
    devices: Vec<Device>,
    /// By goal: what it asks for.
    plans: BTreeMap<String, serde_json::Value>,
}

struct Pair<'a> {
    verdict: &'a str,
    kind: &'a str,
    known: &'a str,
    other: &'a str,
}

fn pairs() -> impl Iterator<Item = Pair<'static>> {
    PAIRS.lines().map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [verdict, kind, known, other] = fields[..] else {
            panic!("four fields: {line}")
        };
        Pair {
            verdict,
            kind,
            known,
            other,
        }
    })
}

impl Bench {
    fn new() -> Bench {
        let entities = ["red cube", "blue cube", "green ball", "yellow block"].map(|name| (name, NameKind::Entity));
        let places = [
            "bin A", "bin B", "shelf", "home", "kitchen", "door", "sofa", "desk", "charger",
        ];
        let names = entities.into_iter().chain(places.map(|name| (name, NameKind::Place)));
        let manifests = [
            include_str!("../../../workspace/devices/arm.md"),
            include_str!("../../../workspace/devices/base.md"),
            include_str!("../../../workspace/devices/greenhouse.md"),
        ];
        let plans = PLANS.lines().map(|line| {
            let plan: serde_json::Value = serde_json::from_str(line).expect("JSON");
            (plan["goal"].as_str().expect("a goal").to_owned(), plan["calls"].clone())
        });
        Bench {
            lexicon: Lexicon::new(names.map(|(name, kind)| Name {
                name: name.to_owned(),
                also: Vec::new(),
                kind,
            })),
            devices: manifests
                .iter()
                .map(|text| manifest::read(text).0.expect("a manifest"))
                .collect(),
            plans: plans.collect(),
        }
    }

    fn read(&self, text: &str) -> Goal {
        goal::read(text, &self.lexicon)
    }

    /// The plan of `known`, its values found in the words of `goal`, as the planner's answer would be grounded.
    fn plan(&self, known: &str, goal: &Goal) -> Plan {
        let mut used = Vec::new();
        let calls = self.plans[known].as_array().expect("calls").iter().map(|call| {
            let device = self.devices.iter().find(|device| device.name == call["device"]);
            let device = device.expect("a device of the workspace");
            let tool = device.tool(call["tool"].as_str().expect("a tool")).expect("its tool");
            let given = tool.parameters.iter().filter_map(|parameter| {
                let text = call["arguments"].get(&parameter.name)?.as_str()?;
                let value = Given::parse(text, &parameter.kind)
                    .or_else(|_| Given::parse(&format!("({text})"), &parameter.kind))
                    .expect("a value");
                let source = source(goal, &value, &mut used);
                Some(Argument {
                    parameter: parameter.name.clone(),
                    value,
                    source,
                })
            });
            PlannedCall::new(&device.name, &tool.name, given.collect())
        });
        Plan::of(calls.collect())
    }

    /// The trace of a run for `text` that did what `known` asks for.
    fn trace(&self, known: &str, text: &str) -> Trace {
        let goal = self.read(text);
        let plan = self.plan(known, &goal);
        let made = matching::generalise(&goal, &plan, &self.devices);
        let steps = plan
            .calls
            .iter()
            .zip(made.arguments)
            .map(|(call, arguments)| TraceStep::new(&call.device, &call.tool, arguments));
        Trace {
            id: text.to_owned(),
            goal: text.to_owned(),
            patterns: vec![made.pattern],
            slots: made.slots,
            start: Vec::new(),
            steps: steps.collect(),
            status: Status::Done,
            mode: Mode::Learner,
            created: String::new(),
            manifests: Vec::new(),
            digest: None,
            variant_of: None,
            cost: None,
            ended: None,
        }
    }

    /// What a run leaves: one more pattern where a trace does the same, else a trace of its own.
    fn learn(&self, library: &mut Library, known: &str, text: &str) {
        let trace = self.trace(known, text);
        let same = library.same_deed(&trace).map(|(same, pattern)| (same.clone(), pattern));
        match same {
            Some((mut same, pattern)) => {
                if !same.patterns.iter().any(|other| matching::is_same(other, &pattern)) {
                    same.patterns.push(pattern);
                    library.insert(same);
                }
            }
            None => library.insert(trace),
        }
    }

    fn find(&self, library: &Library, text: &str) -> Option<Plan> {
        let goal = self.read(text);
        if goal.negation == Negation::Whole {
            return None;
        }
        match library.find(&goal, &self.lexicon, &self.devices) {
            Found::Trace { plan, .. } => Some(plan),
            Found::Ambiguous { .. } | Found::Nothing { .. } => None,
        }
    }

    fn asks(&self, known: &str) -> String {
        show(&self.plan(known, &self.read(known)))
    }
}

/// Where a plan's value stands in a goal.
fn source(goal: &Goal, value: &Given, used: &mut Vec<usize>) -> Source {
    let said = goal.spans.iter().enumerate().find(|(index, span)| {
        !span.superseded
            && !used.contains(index)
            && match (value, &span.meaning) {
                (Given::Quantity(wanted, number), Meaning::Quantity { dimension, micro }) => {
                    wanted == dimension && number == micro
                }
                (Given::Entity(name) | Given::Named(name), Meaning::Named { candidates, .. }) => {
                    candidates.as_slice() == [name.clone()]
                }
                (Given::Option(option), Meaning::Direction(direction)) => direction.word() == option,
                (Given::Point(point), Meaning::Point { micro }) => point == micro,
                _ => false,
            }
    });
    match said {
        Some((index, span)) => {
            used.push(index);
            Source::Goal {
                start: span.start,
                end: span.end,
                words: goal.words_of(span).to_owned(),
            }
        }
        None if matches!(value, Given::Option(_)) => Source::Manifest,
        None => Source::State { words: "it".to_owned() },
    }
}

fn show(plan: &Plan) -> String {
    let calls: Vec<String> = plan.calls.iter().map(ToString::to_string).collect();
    calls.join("; ")
}

fn tools(plan: &str) -> Vec<&str> {
    plan.split("; ").filter_map(|call| call.split('(').next()).collect()
}

#[test]
fn a_goal_that_only_looks_alike_never_follows() {
    let bench = Bench::new();
    let mut everything = Library::default();
    for known in bench.plans.keys() {
        bench.learn(&mut everything, known, known);
    }
    for pair in pairs().filter(|pair| pair.verdict != "never") {
        if pair.verdict == "same" {
            bench.learn(&mut everything, pair.known, pair.other);
        }
    }
    println!(
        "{} traces, {} synonyms",
        everything.len(),
        everything.synonyms().count()
    );
    for synonym in everything.synonyms() {
        println!(
            "  {} = {}   {}",
            synonym.one.join(" "),
            synonym.other.join(" "),
            synonym.deed.join(", ")
        );
    }
    let (mut tried, mut followed, mut others) = (0, Vec::new(), Vec::new());
    for pair in pairs().filter(|pair| pair.verdict == "never") {
        tried += 1;
        let mut alone = Library::default();
        bench.learn(&mut alone, pair.known, pair.known);
        if let Some(plan) = bench.find(&alone, pair.other) {
            followed.push(format!(
                "{}: {} | {} -> {}",
                pair.kind,
                pair.known,
                pair.other,
                show(&plan)
            ));
        }
        if let Some(plan) = bench.find(&everything, pair.other) {
            let line = format!("{}: {} | {} -> {}", pair.kind, pair.known, pair.other, show(&plan));
            if show(&plan) == bench.asks(pair.known) {
                followed.push(line);
            } else {
                others.push(line);
            }
        }
    }
    println!(
        "{tried} pairs, {} false follows; with everything learned {} follow another trace:",
        followed.len(),
        others.len()
    );
    for line in &others {
        println!("  {line}");
    }
    assert!(tried >= 500, "{tried}");
    assert_eq!(followed, Vec::<String>::new());
}

/// `text` with other values in place of those that `plan` took from it.
fn other_values(text: &str, plan: &Plan) -> String {
    let mut sources: Vec<(usize, usize, String)> = Vec::new();
    for argument in plan.calls.iter().flat_map(|call| &call.arguments) {
        let Source::Goal { start, end, .. } = argument.source else {
            continue;
        };
        let other = match &argument.value {
            Given::Quantity(dimension, micro) => goal::print_quantity(*dimension, micro / 10 * 9),
            Given::Entity(name) => if name == "red cube" { "blue cube" } else { "red cube" }.to_owned(),
            Given::Named(name) => match name.as_str() {
                "bin A" => "bin B",
                "kitchen" => "sofa",
                name if ["shelf", "home", "bin B"].contains(&name) => "bin A",
                _ => "kitchen",
            }
            .to_owned(),
            _ => continue,
        };
        sources.push((start, end, other));
    }
    sources.sort_unstable();
    sources.dedup();
    let mut changed = text.to_owned();
    for (start, end, other) in sources.iter().rev() {
        changed.replace_range(*start..*end, other);
    }
    changed
}

/// Parts that the goals are cut into, each left out in turn.
const PARTS: usize = 5;

fn part_of(known: &str) -> usize {
    known.bytes().map(usize::from).sum::<usize>() % PARTS
}

/// What was learned of all goals, and of the phrasings of those that are in other parts.
fn without(bench: &Bench, part: usize) -> Library {
    let mut library = Library::default();
    for known in bench.plans.keys() {
        bench.learn(&mut library, known, known);
    }
    for pair in pairs().filter(|pair| pair.verdict == "same" && part_of(pair.known) != part) {
        bench.learn(&mut library, pair.known, pair.other);
    }
    library
}

#[test]
fn what_asks_for_the_same_is_found_again() {
    let bench = Bench::new();
    let mut rows: BTreeMap<(&str, &str), [u32; 4]> = BTreeMap::new();
    let rest: Vec<Library> = (0..PARTS).map(|part| without(&bench, part)).collect();
    for pair in pairs().filter(|pair| pair.verdict != "never") {
        let row = rows.entry((pair.verdict, pair.kind)).or_default();
        row[0] += 1;
        let mut library = Library::default();
        bench.learn(&mut library, pair.known, pair.known);
        let asked = bench.asks(pair.known);
        match bench.find(&library, pair.other).map(|plan| show(&plan)) {
            Some(plan) if pair.verdict == "same" => {
                assert_eq!(plan, asked, "{} | {}", pair.known, pair.other);
                row[1] += 1;
            }
            Some(plan) => {
                assert_eq!(tools(&plan), tools(&asked), "{} | {}", pair.known, pair.other);
                assert_ne!(plan, asked, "{} | {}", pair.known, pair.other);
                row[1] += 1;
            }
            None => {}
        }
        if pair.verdict == "slots" {
            continue;
        }
        let part = part_of(pair.known);
        if let Some(plan) = bench.find(&rest[part], pair.other) {
            assert_eq!(show(&plan), asked, "{} | {}", pair.known, pair.other);
            row[2] += 1;
        }
        // One success of this phrasing, then the same phrasing with other values.
        bench.learn(&mut library, pair.known, pair.other);
        let plan = bench.plan(pair.known, &bench.read(pair.other));
        let again = other_values(pair.other, &plan);
        let found = bench.find(&library, &again).map(|plan| show(&plan));
        if found.as_deref().is_some_and(|found| tools(found) == tools(&asked)) {
            row[3] += 1;
        } else {
            println!("not found again: {again} -> {found:?}");
        }
    }
    println!("pairs              at once  others learned  learned once, other values");
    let mut sum = [0; 4];
    for ((verdict, kind), row) in rows {
        println!(
            "{verdict:5} {kind:12} {:3}/{:<3}  {:3}            {:3}",
            row[1], row[0], row[2], row[3]
        );
        if verdict == "same" {
            sum = std::array::from_fn(|index| sum[index] + row[index]);
        }
    }
    println!(
        "same               {:3}/{:<3}  {:3}            {:3}",
        sum[1], sum[0], sum[2], sum[3]
    );
    assert!(sum[1] * 100 >= sum[0] * 45, "{sum:?}");
    assert!(sum[3] * 100 >= sum[0] * 95, "{sum:?}");
}
