//! Prints how often tool search puts every tool that a goal needs among the first few, for each part of the set. With the name of
//! a part it prints the goals that miss a tool: `cargo run -p llmos-kernel --example recall develop`.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

#[path = "../tests/search/set.rs"]
mod set;

fn main() {
    let shown = std::env::args().nth(1);
    for part in ["develop", "heldout", "written", "hand-develop", "hand", "fresh"] {
        let parts = [12, 5].map(|most| format!("{:.1} % among {most}", set::share(set::recall(part, most).0)));
        println!("{part}: {}", parts.join(", "));
        if shown.as_deref() == Some(part) {
            for missed in set::recall(part, 12).1 {
                println!("  {missed}");
            }
        }
    }
}
