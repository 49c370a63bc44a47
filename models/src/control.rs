//! The control tokens of the plan language, format 2 of `models/FORMAT.md`: ids that no text can produce.

/// `llmos.format` in the file's metadata.
pub(crate) const FORMAT: u64 = 2;

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

/// The first control token that a vocabulary does not spell as the format says.
pub(crate) fn misspelled(vocabulary: &[String]) -> Option<String> {
    let indices = (0..TOOLS_MAX).map(|index| format!("<t{index}>"));
    let names = NAMES.iter().map(|name| (*name).to_owned()).chain(indices);
    names
        .enumerate()
        .find(|(id, name)| vocabulary.get(*id) != Some(name))
        .map(|(_, name)| name)
}
