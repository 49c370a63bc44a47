//! Bytes that are no program, or a program that must not be followed: each is refused for a reason of its own.

use super::Draft;
use super::sketch::{Sketch, bytes, number};
use llmos_follower::{Envelope, Op, Program, Symbol, wire};

fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&body);
    body.extend(sum.to_le_bytes());
    body
}

fn good() -> Program {
    let mut it = Sketch::default();
    it.call("set", &[("flow", number(1))]);
    it.set("flow", &[number(1)]);
    it.call("turn", &[]);
    it.turn(&[number(1)]);
    it.done()
}

/// The bytes of a program that no check has seen.
fn unchecked(change: impl FnOnce(&mut Program)) -> Vec<u8> {
    let mut program = good();
    change(&mut program);
    let mut buffer = vec![0; wire::BYTES_MAX];
    wire::encode(&program, &mut buffer).expect("room").to_vec()
}

/// The cases.
pub fn cases() -> Vec<Draft> {
    let whole = bytes(&good());
    let body = &whole[..whole.len() - 4];
    let mut flipped = whole.clone();
    flipped[20] ^= 4;
    let too_many_starts = [&[wire::CURRENT, 0, 9][..], &[0; 27]].concat();
    let wires = [
        ("nothing", Vec::new()),
        ("too-short", whole[..4].to_vec()),
        ("cut-off", whole[..whole.len() - 9].to_vec()),
        ("one-bit", flipped),
        (
            "of-a-later-version",
            sealed([&[wire::CURRENT + 1], &body[1..]].concat()),
        ),
        ("of-version-1", sealed([&[1], &body[1..]].concat())),
        ("cut-and-sealed", sealed(body[..body.len() - 3].to_vec())),
        ("with-a-byte-left-over", sealed([body, &[0]].concat())),
        ("with-too-many-starts", sealed(too_many_starts)),
        (
            "with-an-endless-number",
            sealed([&[wire::CURRENT, 0][..], &[0xff; 12]].concat()),
        ),
        ("points-outside", unchecked(|program| program.steps[0].ensure.len = 500)),
        (
            "points-to-no-case",
            unchecked(|program| program.code[0] = Op::Map(llmos_follower::Range { start: 0, len: 1 })),
        ),
        ("has-too-many-slots", unchecked(|program| program.slots = 9)),
        (
            "keeps-nowhere",
            unchecked(|program| program.steps[0].keep = Some((4, program.steps[0].ensure))),
        ),
        ("goes-back", unchecked(|program| program.steps.swap(0, 1))),
        ("needs-itself", unchecked(|program| program.calls[1].depends_on = 2)),
        ("call-without-a-step", unchecked(|program| drop(program.steps.pop()))),
        (
            "compensates-for-another",
            unchecked(|program| {
                program.compensating = 1;
                program.steps[0].on_error =
                    llmos_follower::OnError::Compensate(llmos_follower::Range { start: 1, len: 1 });
                program.calls.pop();
                program.steps[1].device = Symbol::of("pump");
                program.steps[1].keep = Some((0, program.steps[0].ensure));
                program.steps[1].call = 0;
            }),
        ),
    ];
    wires
        .into_iter()
        .map(|(name, wire)| Draft {
            name: name.to_owned(),
            wire,
            slots: Vec::new(),
            envelope: Envelope::default(),
            script: Vec::new(),
        })
        .collect()
}
