//! Finds the few tools that matter for a goal when there are more than fit into the prompt, without a model: words and letter
//! trigrams of the tool's name, description, parameters and options, weighed by how rare they are among the tools (inverse document
//! frequency, Spaerck Jones 1972). It must not know devices or plans.

use std::collections::{BTreeMap, BTreeSet};

/// Tools that fit into the prompt.
pub const TOOLS_MAX: usize = 12;

/// The indices of the `most` texts nearest to the goal, in their own order, so that the same tools make the same prompt.
#[must_use]
pub fn nearest(goal: &str, texts: &[String], most: usize) -> Vec<usize> {
    if texts.len() <= most {
        return (0..texts.len()).collect();
    }
    let grams: Vec<BTreeSet<String>> = texts.iter().map(|text| features(text)).collect();
    let mut frequency: BTreeMap<&str, u64> = BTreeMap::new();
    for gram in grams.iter().flatten() {
        *frequency.entry(gram).or_default() += 1;
    }
    let wanted = features(goal);
    let count = texts.len() as u64;
    let score = |set: &BTreeSet<String>| -> u64 {
        let shared = set.intersection(&wanted);
        shared
            .map(|gram| {
                1_000
                    * u64::from(
                        (count * 8 / frequency.get(gram.as_str()).copied().unwrap_or(1).max(1))
                            .max(1)
                            .ilog2(),
                    )
            })
            .sum()
    };
    let mut ranked: Vec<(u64, usize)> = grams
        .iter()
        .enumerate()
        .map(|(index, set)| (score(set), index))
        .collect();
    ranked.sort_by_key(|(score, index)| (std::cmp::Reverse(*score), *index));
    let mut best: Vec<usize> = ranked.into_iter().take(most).map(|(_, index)| index).collect();
    best.sort_unstable();
    best
}

fn features(text: &str) -> BTreeSet<String> {
    let mut set = BTreeSet::new();
    let lower = text.to_lowercase();
    for word in lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        set.insert(format!("={word}"));
        let framed: Vec<char> = format!(" {word} ").chars().collect();
        for gram in framed.windows(3) {
            set.insert(gram.iter().collect());
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_that_the_goal_names_is_among_the_few() {
        let mut texts: Vec<String> = (0..40).map(|n| format!("tool{n} does thing number {n}")).collect();
        texts.push("water the plants for a while".to_owned());
        let found = nearest("please water my plants", &texts, 3);
        assert!(found.contains(&40), "{found:?}");
        assert_eq!(found.len(), 3);
        assert_eq!(nearest("anything", &texts[..3], 3), [0, 1, 2]);
    }
}
