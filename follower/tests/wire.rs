//! Programs as bytes: what is written is read, every flipped bit is noticed, nothing panics, and the bytes of each version are frozen.

mod support;
mod versions;

use llmos_follower::program::{CODE_MAX, STEPS_MAX};
use llmos_follower::{
    Follower, Input, Kind, OnError, Op, Output, Program, Progress, Range, Readings, Reject, Step, Symbol, Value, World,
    disassemble, wire,
};
use proptest::prelude::*;
use support::arbitrary::{largest, program, value};
use support::{ARM, PUMP, Sketch, everything, move_right, reading};

fn bytes(program: &Program) -> Vec<u8> {
    let mut buffer = vec![0; wire::BYTES_MAX];
    wire::encode(program, &mut buffer).expect("room").to_vec()
}

/// A body with the checksum that belongs to it.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&body);
    body.extend(sum.to_le_bytes());
    body
}

fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut buffer = [0; 256];
    postcard::to_slice(value, &mut buffer).expect("room").to_vec()
}

fn corpus() -> Vec<Program> {
    vec![Program::default(), move_right(300_000, OnError::Retry(2)), everything()]
}

#[test]
fn what_is_written_is_read() {
    for program in corpus() {
        assert_eq!(wire::decode(&bytes(&program)), Ok(program));
    }
    assert_eq!(
        wire::encode(&move_right(1, OnError::Skip), &mut [0; 16]),
        Err(Reject::Truncated)
    );
}

#[test]
fn the_largest_program_has_room() {
    let program = largest();
    let bytes = bytes(&program);
    assert!(bytes.len() <= wire::BYTES_MAX, "{}", bytes.len());
    assert_eq!(wire::decode(&bytes), Ok(program));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    for program in corpus() {
        let good = bytes(&program);
        for at in 0..good.len() * 8 {
            let mut broken = good.clone();
            broken[at / 8] ^= 1 << (at % 8);
            assert_eq!(wire::decode(&broken), Err(Reject::Checksum), "bit {at}");
        }
        for length in 0..good.len() {
            let expected = if length < 4 {
                Reject::Truncated
            } else {
                Reject::Checksum
            };
            assert_eq!(wire::decode(&good[..length]), Err(expected), "{length} bytes");
        }
        // The same cut with a checksum that fits.
        let body = &good[..good.len() - 4];
        for length in 1..body.len() {
            assert_eq!(
                wire::decode(&sealed(body[..length].to_vec())),
                Err(Reject::Malformed),
                "{length} bytes"
            );
        }
        assert_eq!(wire::decode(&sealed([body, &[0]].concat())), Err(Reject::Malformed));
    }
}

#[test]
fn each_refusal_has_its_own_name() {
    let good = bytes(&everything());
    let body = good[..good.len() - 4].to_vec();
    for version in (0..=u8::MAX).filter(|version| *version != wire::CURRENT) {
        let mut other = body.clone();
        other[0] = version;
        assert_eq!(wire::decode(&sealed(other)), Err(Reject::Version));
    }
    assert_eq!(wire::decode(&vec![0; wire::BYTES_MAX + 1]), Err(Reject::TooLarge));
    // One operation and one step more than there is room for.
    let longer = |list_at: usize, item: &[u8], count: usize| {
        let mut more = bytes(&Program::default())[..list_at].to_vec();
        more.extend(encoded(&count));
        more.extend(item.repeat(count));
        wire::decode(&sealed(more))
    };
    let step = encoded(&Step::default());
    assert_eq!(longer(4, &step, STEPS_MAX + 1), Err(Reject::TooLarge));
    assert_eq!(longer(6, &[19], CODE_MAX + 1), Err(Reject::TooLarge));
    let mut jumping = everything();
    jumping.steps[6].on_error = OnError::Compensate(Range { start: 7, len: 9 });
    assert_eq!(wire::decode(&bytes(&jumping)), Err(Reject::OutOfRange));
    let mut round = everything();
    round.calls[3].depends_on = 0b1000;
    assert_eq!(wire::decode(&bytes(&round)), Err(Reject::Order));
    assert_eq!(wire::decode_for(ARM, &good), Ok(everything()));
    assert_eq!(wire::decode_for(PUMP, &good), Err(Reject::Device));
}

/// The bytes of the worked example in the specification: the first column of its only block of bytes.
fn example() -> Vec<u8> {
    let text = include_str!("../WIRE.md");
    let (_, block) = text.split_once("```bytes\n").expect("a block of bytes");
    let (block, _) = block.split_once("```").expect("its end");
    let column = block
        .lines()
        .flat_map(|line| line.split("  ").next().unwrap_or_default().split(' '));
    column
        .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
        .collect()
}

#[test]
fn the_example_of_the_specification_is_what_is_written() {
    let mut sketch = Sketch::default();
    let lamp = Symbol::of("lamp");
    sketch.call("on", &[Op::Const(Value::Bool(true))]).device = lamp;
    let ensure = sketch.code(&[reading("on"), Op::Argument(0), Op::Eq]);
    let arguments = sketch.0.calls[0].arguments.clone();
    sketch
        .step(Step {
            tool: Symbol::of("set"),
            kind: Kind::Command,
            arguments,
            ensure,
            on_error: OnError::Retry(2),
            ..Step::default()
        })
        .device = lamp;
    assert_eq!(bytes(&sketch.0), example());
    assert_eq!(wire::decode(&example()), Ok(sketch.0));
}

/// Follows whatever it is, with inputs in any order; bounded, and never a panic.
fn follow_blindly(program: &Program, slots: &[Value], inputs: &[(u64, u8)]) {
    let readings = Readings::default();
    let world = World {
        program,
        readings: &readings,
    };
    let Ok(mut follower) = Follower::new(program, slots) else {
        return;
    };
    let known = [
        Input::Sent,
        Input::Acknowledged,
        Input::State(Progress::Finished),
        Input::State(Progress::Unknown),
        Input::Tick,
        Input::Failed,
        Input::Refused,
    ];
    let mut now = 0_u64;
    for (pause, input) in inputs {
        let mut said = 0;
        while let Some(output) = follower.poll(world) {
            said += 1;
            assert!(said <= 3 * STEPS_MAX, "bounded");
            if let Output::StepDone { .. } = output {
                assert!(usize::from(follower.checkpoint().step) <= program.main().len());
            }
        }
        now = now.saturating_add(*pause);
        follower.handle(world, now, known[usize::from(*input) % known.len()]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_program_is_read_as_it_was_written(program in program()) {
        prop_assert_eq!(program.check(), Ok(()));
        prop_assert_eq!(wire::decode(&bytes(&program)), Ok(program));
    }

    #[test]
    fn hostile_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = wire::decode(&bytes);
        // The same with a version and a checksum that fit, so that the decoder behind them is reached.
        let body = [&[wire::CURRENT], bytes.as_slice()].concat();
        if let Ok(program) = wire::decode(&sealed(body)) {
            prop_assert_eq!(program.check(), Ok(()));
        }
    }

    #[test]
    fn a_program_with_bytes_changed_on_purpose_is_refused_or_followed_without_a_panic(
        program in program(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        slots in prop::collection::vec(value(), 0..=8),
        inputs in prop::collection::vec((0_u64..5_000, any::<u8>()), 0..80),
    ) {
        let good = bytes(&program);
        let mut body = good[..good.len() - 4].to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body[0] = wire::CURRENT;
        if let Ok(program) = wire::decode(&sealed(body)) {
            prop_assert_eq!(program.check(), Ok(()));
            let slots = slots.get(..usize::from(program.slots)).unwrap_or_default();
            follow_blindly(&program, slots, &inputs);
            let mut text = String::new();
            disassemble(&program, &|_| None, &mut text).expect("a string has room");
        }
    }
}
