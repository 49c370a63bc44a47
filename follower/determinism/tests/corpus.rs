//! The corpus has the digests that are frozen beside it, it is what its author writes, and nothing that follower and gate can say is missing
//! from it.

#[path = "../examples/generate/author/mod.rs"]
mod author;

use llmos_determinism::{CORPUS, Case, Cases, Event, Witness, carry_out, events};
use llmos_follower::{Breach, Output, Reject, Route, wire};
use std::collections::BTreeSet;

const DIGESTS: &str = include_str!("../corpus/digests.txt");

#[test]
fn every_case_ends_in_its_digest() {
    let found = author::digests(CORPUS);
    for (found, frozen) in found.lines().zip(DIGESTS.lines()) {
        assert_eq!(found, frozen, "if this fails, the code is wrong, and not the digest");
    }
    assert_eq!(found.lines().count(), DIGESTS.lines().count());
}

#[test]
fn the_corpus_is_what_its_author_writes() {
    assert!(
        author::corpus() == CORPUS,
        "cargo run -p llmos-determinism --example generate"
    );
}

#[test]
fn a_script_with_a_flipped_bit_is_another_one() {
    for case in Cases::of(CORPUS).filter(|case| case.name == "computes") {
        let whole = carry_out(&case, &mut ());
        let shows = |at: &usize| {
            let mut script = case.script.to_vec();
            script[*at] ^= 1;
            carry_out(
                &Case {
                    script: &script,
                    ..case.clone()
                },
                &mut (),
            ) != whole
        };
        // What is said of devices that nobody looks at, or after the end, changes nothing.
        let count = (0..case.script.len()).filter(shows).count();
        assert!(count * 3 > case.script.len(), "{count} of {}", case.script.len());
    }
}

/// The words of everything that was said.
#[derive(Default)]
struct Heard(BTreeSet<String>);

impl Heard {
    /// The first word, and those words inside that name a variant.
    fn note(&mut self, what: &str, said: &str) {
        for word in said.split(|letter: char| !letter.is_alphanumeric()) {
            if word.starts_with(|letter: char| letter.is_ascii_uppercase()) {
                self.0.insert(format!("{what} {word}"));
            }
        }
    }
}

impl Witness for Heard {
    fn output(&mut self, output: &Output) {
        match output {
            Output::Command(offer) => {
                self.0.insert(format!("legs {}", offer.legs.min(2)));
            }
            other => self.note("says", &format!("{other:?}")),
        }
    }

    fn verdict(&mut self, verdict: Result<(), Breach>) {
        self.note("gate", &format!("{verdict:?}"));
    }

    fn route(&mut self, route: Option<Route>) {
        self.0
            .insert(format!("ways {}", route.map_or(0, |route| route.points().len().min(2))));
    }

    fn reject(&mut self, reject: Reject) {
        self.note("refuses", &format!("{reject:?}"));
    }
}

#[test]
fn nothing_is_missing() {
    let mut heard = Heard::default();
    for case in Cases::of(CORPUS) {
        // A digest that can't be told from "nothing happened" would prove nothing.
        let _ = carry_out(&case, &mut heard);
        for event in events(case.script) {
            let said = format!("{event:?}");
            let kind = match event {
                Event::Answer(_) => &said,
                _ => said.split([' ', '(']).next().unwrap_or_default(),
            };
            heard.note("happens", kind);
        }
        let Ok(program) = wire::decode(case.wire) else { continue };
        for step in &program.steps {
            heard.note("kind", &format!("{:?}", step.kind));
            heard.note("split", &format!("{:?}", step.split));
            heard.note("error", &format!("{:?}", step.on_error));
        }
        for op in &program.code {
            heard.note("code", &format!("{op:?}"));
        }
    }
    let expected = "
        code Add And Argument AtLeast AtMost Before BeforeOf Bool Const Eq Map Mul Near NearTurn Not Number Or Point Reading ReadingOf Result Slot Sub Symbol
        error Compensate Handoff Retry Skip Stop
        gate Bounds CannotStop Coordinate Elsewhere Jumped KeepOut Ok PositionUnknown StateTooOld StepTooLong StopUnknown TooFast TooHard TooLong TooOften TurnTooFar TurnTooFast
        happens Acknowledged Again Answer Busy Failed Finished Lost Resume ResumeSent Run State Stop Tell Tick Unknown Wait Way Weigh
        kind Command Pause Read Until
        legs 1 2
        refuses Checksum Malformed Order OutOfRange TooLarge Truncated UnboundSlot Version
        says CallDone DeviceFailed Done Failed Finished Handoff Lost Met Missing NoAck Postcondition Precondition Program Read Refused Skipped StartState StepDone Stopped Timeout Unverified
        split Along Never Toward
        ways 0 1 2";
    let missing: Vec<String> = expected
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .flat_map(|(what, words)| words.split(' ').map(move |word| format!("{what} {word}")))
        .filter(|wanted| !heard.0.contains(wanted))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}
