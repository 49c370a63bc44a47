//! The sets for tool search: 340 tools and some 960 goals with the tools that they need (`tools.tsv` and `goals.tsv`, made by
//! `models/training/search_set.py`), and 260 tools and 400 goals written by hand by who had not seen the search (`hand_*.tsv`). Where
//! several tools would serve, any one of them is right. The parts whose name ends in `develop` were read while the search was made. The
//! word vectors have since been taught with phrasings of the families that `develop` and `heldout` come from (`models/training/tune_senses.py`),
//! so that only `written`, `hand` and `fresh` tell how goals fare that nothing was made for; `fresh` (220 tools and 200 goals, `fresh_*.tsv`)
//! was written by another hand after all weights were chosen.

use llmos_kernel::goal::{self, Goal, Lexicon};
use llmos_kernel::search::{Candidate, nearest};
use llmos_kernel::tool::{Parameter, Type};

struct Tool {
    device: String,
    name: String,
    does: String,
    parameters: Vec<Parameter>,
}

struct Case {
    part: String,
    /// Groups of tools, of each of which one is needed.
    needs: Vec<Vec<usize>>,
    goal: Goal,
}

fn tools(part: &str) -> Vec<Tool> {
    let lines = match part {
        "fresh" => include_str!("fresh_tools.tsv").lines(),
        "hand" | "hand-develop" => include_str!("hand_tools.tsv").lines(),
        _ => include_str!("tools.tsv").lines(),
    };
    let tool = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [device, name, does, parameters] = fields.as_slice() else {
            panic!("four fields: {line}");
        };
        Tool {
            device: (*device).to_owned(),
            name: (*name).to_owned(),
            does: (*does).to_owned(),
            parameters: parameters
                .split(", ")
                .filter(|text| !text.is_empty())
                .map(parameter)
                .collect(),
        }
    };
    lines.map(tool).collect()
}

fn parameter(text: &str) -> Parameter {
    let (name, kind) = text.rsplit_once(' ').expect("a name and a type");
    let required = !name.ends_with('?');
    let kind = Type::parse(&kind.replace('/', "|")).expect("a type");
    Parameter {
        name: name.trim_end_matches('?').to_owned(),
        kind,
        required,
        limit: None,
        bare: false,
    }
}

fn cases() -> Vec<Case> {
    let written = include_str!("hand_goals.tsv").lines();
    let lines = include_str!("goals.tsv")
        .lines()
        .chain(written)
        .chain(include_str!("fresh_goals.tsv").lines());
    let case = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [part, needs, goal] = fields.as_slice() else {
            panic!("three fields: {line}");
        };
        Case {
            part: (*part).to_owned(),
            needs: needs
                .split(',')
                .map(|group| group.split('|').map(|index| index.parse().expect("an index")).collect())
                .collect(),
            goal: goal::read(goal, &Lexicon::default()),
        }
    };
    lines.map(case).collect()
}

/// In thousandths, how many goals of a part find all their tools among `most`; and those that don't.
pub fn recall(part: &str, most: usize) -> (usize, Vec<String>) {
    let tools = tools(part);
    let candidates: Vec<Candidate<'_>> = tools
        .iter()
        .map(|tool| Candidate {
            device: &tool.device,
            name: &tool.name,
            does: &tool.does,
            parameters: &tool.parameters,
        })
        .collect();
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.part == part).collect();
    let mut missed = Vec::new();
    for case in &cases {
        let found = nearest(&case.goal, &candidates, &[], most);
        let lacking: Vec<&str> = case
            .needs
            .iter()
            .filter(|group| !group.iter().any(|index| found.contains(index)))
            .map(|group| tools[group[0]].name.as_str())
            .collect();
        if !lacking.is_empty() {
            missed.push(format!("{} lacks {}", case.goal.text, lacking.join(", ")));
        }
    }
    (1_000 - 1_000 * missed.len() / cases.len(), missed)
}

/// Thousandths as a percentage.
#[allow(dead_code, reason = "each program uses a part of this file")]
pub fn share(thousandths: usize) -> f64 {
    f64::from(u32::try_from(thousandths).unwrap_or(u32::MAX)) / 10.0
}
