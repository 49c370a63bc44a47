//! How often search puts every tool that a goal needs among the few. The figures: `cargo run -p llmos-kernel --example recall`.

#[path = "search/set.rs"]
mod set;

use llmos_kernel::search::TOOLS_MAX;

#[test]
fn the_tools_that_goals_need_are_among_the_few() {
    for (part, floor) in [
        ("develop", 960),
        ("heldout", 945),
        ("written", 925),
        ("hand", 980),
        ("fresh", 980),
    ] {
        let (found, _) = set::recall(part, TOOLS_MAX);
        assert!(
            found >= floor,
            "{part}: {found} of 1,000, and {floor} were found before"
        );
    }
}

#[test]
fn among_fewer_tools_fewer_goals_find_theirs() {
    assert!(set::recall("written", 3).0 < set::recall("written", TOOLS_MAX).0);
}
