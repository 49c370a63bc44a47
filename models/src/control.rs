//! The control tokens of the plan language, format 3 of `models/FORMAT.md`: ids that no text can produce.

use std::ops::Range;

/// `llmos.format` in the file's metadata.
pub(crate) const FORMAT: u64 = 3;

/// The ids below [`TOOL`], in order, as the vocabulary spells them.
const NAMES: [&str; 16] = [
    "<pad>",
    "<tools>",
    "<goal>",
    "<plan>",
    "<end>",
    "<none>",
    "<ask>",
    "<skip>",
    "<param>",
    "<example>",
    "<next>",
    "<judge>",
    "<question>",
    "<yes>",
    "<no>",
    "<reserved>",
];

pub(crate) const TOOLS: u32 = 1;
pub(crate) const GOAL: u32 = 2;
pub(crate) const PLAN: u32 = 3;
pub(crate) const END: u32 = 4;
pub(crate) const NONE: u32 = 5;
pub(crate) const ASK: u32 = 6;
pub(crate) const SKIP: u32 = 7;
pub(crate) const PARAM: u32 = 8;
pub(crate) const EXAMPLE: u32 = 9;
/// `<t0>`; the index tokens of the other tools follow.
const TOOL: u32 = 16;

/// Tools that fit in one request: the model has an index token for each.
pub const TOOLS_MAX: usize = 32;

/// The index token of a tool.
pub(crate) fn tool(index: usize) -> u32 {
    // Requests are checked against TOOLS_MAX before any index is used.
    TOOL + u32::try_from(index).unwrap_or(0)
}

/// Whether a token is a word and no control token.
pub(crate) fn is_word(token: u32) -> bool {
    token >= tool(TOOLS_MAX)
}

/// The stretches of goals, from the token that announces a goal to its `<plan>`: the tokens of each see one another.
pub(crate) fn goals(tokens: &[u32]) -> Vec<Range<usize>> {
    let mut goals = Vec::new();
    let mut opened = None;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            GOAL | EXAMPLE => opened = Some(at),
            PLAN => goals.extend(opened.take().map(|start| start..at + 1)),
            _ => {}
        }
    }
    goals.extend(opened.map(|start| start..tokens.len()));
    goals
}

/// The first control token that a vocabulary does not spell as the format says.
pub(crate) fn misspelled(vocabulary: &[String]) -> Option<String> {
    let indices = (0..TOOLS_MAX).map(|index| format!("<t{index}>"));
    let names = NAMES.iter().map(|name| (*name).to_owned()).chain(indices);
    names
        .enumerate()
        .find(|(id, name)| vocabulary.get(*id) != Some(name))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_goes_from_its_marker_to_its_plan() {
        let (word, tool) = (100, tool(0));
        let prompt = [
            TOOLS, word, tool, EXAMPLE, word, PLAN, tool, END, GOAL, word, word, PLAN, tool,
        ];
        assert_eq!(goals(&prompt), [3..6, 8..12]);
        assert_eq!(goals(&prompt[..10]), [3..6, 8..10], "one that has not ended");
        assert!(goals(&prompt[9..]).is_empty(), "one that has begun before");
    }
}
