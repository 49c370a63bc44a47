//! Makes the corpus: programs written by hand, programs made by chance that make sense, programs made by chance that make none, bytes that
//! are no program, and questions to the gate. Chance is seeded, so the same corpus comes out every time.

mod chance;
mod gate;
mod hand;
mod hostile;
mod seeded;
mod sketch;
mod stage;
mod wild;

use chance::Chance;
use llmos_determinism::{Case, Event};
use llmos_follower::{Envelope, Program, Value};
use serde::Serialize;
use stage::Fault;

/// What a case is made of.
struct Draft {
    name: String,
    wire: Vec<u8>,
    slots: Vec<Value>,
    envelope: Envelope,
    script: Vec<Event>,
}

impl Draft {
    /// A program that is played with the faults of its commands; after the last of them, nothing goes wrong.
    fn played(name: &str, program: &Program, slots: &[Value], envelope: Envelope, faults: &[Fault]) -> Draft {
        let seed = u64::try_from(name.len()).expect("a name") * 7_919;
        Draft::played_by(name, program, slots, envelope, seed, |command, _| {
            faults.get(command).copied().unwrap_or(Fault::None)
        })
    }

    fn played_by(
        name: &str,
        program: &Program,
        slots: &[Value],
        envelope: Envelope,
        seed: u64,
        fault: impl FnMut(usize, &mut Chance) -> Fault,
    ) -> Draft {
        let mut draft = Draft {
            name: name.to_owned(),
            wire: sketch::bytes(program),
            slots: slots.to_vec(),
            envelope,
            script: Vec::new(),
        };
        draft.script = stage::play(&draft.case(&[]), seed, fault);
        draft
    }

    fn case<'a>(&'a self, script: &'a [u8]) -> Case<'a> {
        Case {
            name: &self.name,
            wire: &self.wire,
            slots: self.slots.iter().copied().collect(),
            envelope: self.envelope.clone(),
            script,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let script: Vec<u8> = self.script.iter().flat_map(encoded).collect();
        encoded(&self.case(&script))
    }
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    let mut buffer = vec![0; 64 * 1024];
    postcard::to_slice(value, &mut buffer).expect("room").to_vec()
}

/// The corpus.
pub fn corpus() -> Vec<u8> {
    let drafts = [
        hand::cases(),
        seeded::cases(),
        wild::cases(),
        hostile::cases(),
        gate::cases(),
    ];
    drafts.iter().flatten().flat_map(Draft::bytes).collect()
}

/// The digest of every case, a line each: its name, everything that was said, the run's own digest.
pub fn digests(corpus: &[u8]) -> String {
    let lines = llmos_determinism::Cases::of(corpus).map(|case| {
        let outcome = llmos_determinism::carry_out(&case, &mut ());
        format!("{} {outcome}\n", case.name)
    });
    lines.collect()
}
