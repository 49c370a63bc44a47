//! Bad input, one at a time: each is refused with its reason, and the device is as it was.

use super::{ARM, CHUNK, Deed, M, arm, ask, bytes, described, good, open, program, signed, upload};
use llmos_firmware_bridge::device::Programs;
use llmos_firmware_bridge::program::{Answer, Ask, Description, Objection};
use llmos_firmware_bridge::signature::SecretKey;
use llmos_firmware_bridge::sim::SimFlash;
use llmos_firmware_bridge::store::{Store, StoreConfig};
use llmos_follower::{Op, Range, Symbol, Value, wire};

/// A program like `good` is installed and another one is refused with this objection: the first one stays, and a third is taken.
fn check_refused(config: StoreConfig, key: Option<&SecretKey>, description: &Description, bad: &[u8], why: Objection) {
    let mut store = Store::open(SimFlash::new(), config, &arm());
    let sign = |bytes: &[u8], revision| match key {
        Some(key) => signed(bytes, revision, key.sign(&described(bytes, revision), bytes)),
        None => described(bytes, revision),
    };
    let first = good(1);
    upload(&mut store, &sign(&first, 3), &first).expect("it is taken");
    let before = (
        store.installed(),
        store.program().map(<[u8]>::to_vec),
        store.status().revision_min,
    );
    assert_eq!(upload(&mut store, description, bad), Err(why));
    assert_eq!(
        (
            store.installed(),
            store.program().map(<[u8]>::to_vec),
            store.status().revision_min
        ),
        before,
        "{why:?}"
    );
    let third = good(3);
    upload(&mut store, &sign(&third, 9), &third).expect("it is taken");
    assert_eq!(store.program(), Some(&third[..]), "{why:?}");
}

fn check(description: &Description, bad: &[u8], why: Objection) {
    check_refused(StoreConfig::open(ARM), None, description, bad, why);
}

/// The same bytes with the checksum that belongs to them.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 4);
    let sum = wire::checksum(&bytes).to_le_bytes();
    bytes.extend(sum);
    bytes
}

#[test]
fn a_program_is_taken_whole_and_kept_over_a_restart() {
    let mut store = open();
    assert_eq!((store.program(), store.installed()), (None, None));
    let bytes = good(1);
    assert!(bytes.len() > 2 * CHUNK, "{}", bytes.len());
    let status = upload(&mut store, &described(&bytes, 1), &bytes).expect("it is taken");
    assert_eq!(status.installed.map(|installed| installed.revision), Some(1));
    assert_eq!((status.revision_min, status.upload), (2, None));
    let store = Store::open(store.into_flash(), StoreConfig::open(ARM), &arm());
    assert_eq!(store.program(), Some(&bytes[..]));
    assert_eq!(store.installed(), status.installed);
}

#[test]
fn what_is_no_program_of_this_device_is_refused() {
    let bytes_of = |deeds: &[Deed]| bytes(&program(ARM, deeds));
    let other = bytes(&program(Symbol::of("base"), &[Deed::GoToSlot]));
    let to_other = Description {
        device: Symbol::of("base"),
        ..described(&other, 4)
    };
    check(&to_other, &other, Objection::Device);
    // Announced for this device, and it is not.
    check(&described(&other, 4), &other, Objection::Device);
    let mut newer = good(2);
    newer[0] = wire::CURRENT + 1;
    let newer = resealed(newer);
    check(&described(&newer, 4), &newer, Objection::Version);
    let mut flipped = good(2);
    flipped[100] ^= 4;
    check(&described(&flipped, 4), &flipped, Objection::Checksum);
    let announced = Description {
        crc: described(&good(2), 4).crc ^ 1,
        ..described(&good(2), 4)
    };
    check(&announced, &good(2), Objection::Checksum);
    let noise = resealed(vec![wire::CURRENT; 300]);
    check(&described(&noise, 4), &noise, Objection::Malformed);
    let mut astray = program(ARM, &[Deed::GoToSlot]);
    astray.code.push(Op::Map(Range { start: 4, len: 9 })).expect("room");
    let astray = bytes(&astray);
    check(&described(&astray, 4), &astray, Objection::Program);
    let huge = Description {
        size: 32 * 1024 + 1,
        ..described(&good(2), 4)
    };
    check(&huge, &good(2), Objection::TooLarge);
    check(&Description { size: 0, ..huge }, &[], Objection::TooLarge);
    let unknown = bytes_of(&[Deed::Option("fly", "to", "moon")]);
    check(&described(&unknown, 4), &unknown, Objection::Tool);
    let wrong = bytes_of(&[Deed::Option("gripper", "state", "ajar")]);
    check(&described(&wrong, 4), &wrong, Objection::Tool);
}

#[test]
fn constants_outside_the_envelope_are_refused() {
    for deed in [
        Deed::GoTo([3 * M, 0, M]),
        Deed::GoTo([0, 0, 400_000]),
        Deed::GoTo([0, 0, i64::MAX]),
        Deed::Speed(600_000),
    ] {
        let bad = bytes(&program(ARM, &[Deed::GoToSlot, deed]));
        check(&described(&bad, 4), &bad, Objection::Envelope);
    }
    let mut overflow = program(ARM, &[Deed::Speed(M)]);
    let start = u16::try_from(overflow.code.len()).expect("small");
    for op in [
        Op::Const(Value::Number(i64::MAX)),
        Op::Const(Value::Number(i64::MAX)),
        Op::Add,
    ] {
        overflow.code.push(op).expect("room");
    }
    overflow.steps[0].arguments[0].1 = Range { start, len: 3 };
    let overflow = bytes(&overflow);
    check(&described(&overflow, 4), &overflow, Objection::Program);
}

#[test]
fn revisions_only_rise_and_the_same_program_twice_is_no_harm() {
    let mut store = open();
    let (one, two) = (good(1), good(2));
    upload(&mut store, &described(&one, 7), &one).expect("it is taken");
    let status = upload(&mut store, &described(&one, 7), &one).expect("it is there");
    assert_eq!(status.upload, None, "nothing is left to send");
    check(&described(&two, 2), &two, Objection::Revision);
    assert_eq!(upload(&mut store, &described(&two, 7), &two), Err(Objection::Revision));
    assert_eq!(upload(&mut store, &described(&one, 6), &one), Err(Objection::Revision));
    upload(&mut store, &described(&two, u32::MAX), &two).expect("it is taken");
    assert_eq!(
        upload(&mut store, &described(&one, u32::MAX), &one),
        Err(Objection::Revision)
    );
    assert_eq!(store.program(), Some(&two[..]));
}

#[test]
fn chunks_come_in_order_whole_and_once() {
    let mut store = open();
    let bytes = good(1);
    let description = described(&bytes, 1);
    let crc = description.crc;
    let mut chunk = |offset: usize, length: usize| {
        let bytes = &bytes[offset..(offset + length).min(bytes.len())];
        let offset = u32::try_from(offset).expect("small");
        ask(&mut store, &Ask::Chunk { crc, offset, bytes }).map(|status| status.upload.map(|upload| upload.received))
    };
    assert_eq!(chunk(0, 16), Err(Objection::NoUpload));
    ask(&mut store, &Ask::Begin(description)).expect("it begins");
    let mut chunk = |offset: usize, length: usize| {
        let bytes = &bytes[offset..(offset + length).min(bytes.len())];
        let offset = u32::try_from(offset).expect("small");
        ask(&mut store, &Ask::Chunk { crc, offset, bytes }).map(|status| status.upload.map(|upload| upload.received))
    };
    assert_eq!(chunk(16, 16), Err(Objection::Order), "the first is missing");
    assert_eq!(chunk(0, 0), Err(Objection::Chunk));
    assert_eq!(chunk(0, 15), Err(Objection::Chunk));
    assert_eq!(chunk(0, CHUNK + 16), Err(Objection::Chunk));
    assert_eq!(chunk(0, 64), Ok(Some(64)));
    assert_eq!(chunk(0, 64), Ok(Some(64)), "said again");
    assert_eq!(chunk(16, 16), Ok(Some(64)), "a part of it said again");
    assert_eq!(chunk(48, 32), Err(Objection::Order), "half of it is new");
    assert_eq!(chunk(80, 16), Err(Objection::Order), "one is missing");
    assert_eq!(chunk(72, 16), Err(Objection::Chunk));
    let other = [0; 16];
    let ask_for = |crc, bytes| Ask::Chunk { crc, offset: 0, bytes };
    assert_eq!(
        ask(&mut store, &ask_for(crc, &other)),
        Err(Objection::Order),
        "other bytes"
    );
    assert_eq!(ask(&mut store, &ask_for(crc ^ 1, &other)), Err(Objection::NoUpload));
    assert_eq!(ask(&mut store, &Ask::Commit { crc }), Err(Objection::Incomplete));
    // Cut off and begun again: what has come counts.
    let status = ask(&mut store, &Ask::Begin(description)).expect("it goes on");
    assert_eq!(status.upload.map(|upload| upload.received), Some(64));
    let status = ask(&mut store, &Ask::Abort).expect("it ends");
    assert_eq!(status.upload, None);
    upload(&mut store, &description, &bytes).expect("it is taken");
    ask(&mut store, &Ask::Commit { crc }).expect("said again");
    assert_eq!(store.program(), Some(&bytes[..]));
}

#[test]
fn nothing_changes_while_the_device_acts() {
    let mut store = open();
    let bytes = good(1);
    let crc = described(&bytes, 1).crc;
    let changes = [
        Ask::Begin(described(&bytes, 1)),
        Ask::Chunk {
            crc,
            offset: 0,
            bytes: &bytes[..16],
        },
        Ask::Commit { crc },
        Ask::Abort,
    ];
    for change in changes {
        assert_eq!(
            store.handle(&arm(), true, &change),
            Answer::Refused(Objection::Busy),
            "{change:?}"
        );
    }
    assert!(matches!(store.handle(&arm(), true, &Ask::Status), Answer::Store(_)));
}

#[test]
fn a_device_with_a_key_takes_only_what_that_key_has_signed() {
    let (key, stranger) = (SecretKey::from_seed([7; 32]), SecretKey::from_seed([8; 32]));
    let config = StoreConfig {
        key: Some(key.public()),
        ..StoreConfig::open(ARM)
    };
    let bytes = good(2);
    let announced = described(&bytes, 4);
    let good = key.sign(&announced, &bytes);
    let check = |description: &Description, why| check_refused(config, Some(&key), description, &bytes, why);
    check(&announced, Objection::Unsigned);
    check(
        &signed(&bytes, 4, stranger.sign(&announced, &bytes)),
        Objection::Signature,
    );
    check(&signed(&bytes, 4, [[0; 32]; 2]), Objection::Signature);
    for bit in [0, 77, 255] {
        for half in 0..2 {
            let mut flipped = good;
            flipped[half][bit / 8] ^= 1 << (bit % 8);
            check(&signed(&bytes, 4, flipped), Objection::Signature);
        }
    }
    // A signature is good for one revision, and under one name.
    check(&signed(&bytes, 5, good), Objection::Signature);
    let renamed = Description {
        name: Symbol::of("another"),
        ..signed(&bytes, 4, good)
    };
    check(&renamed, Objection::Signature);
    let mut store = Store::open(SimFlash::new(), config, &arm());
    upload(&mut store, &signed(&bytes, 4, good), &bytes).expect("it is taken");
    assert_eq!(store.program(), Some(&bytes[..]));
    assert!(store.status().signed);
    // The key is another one after the next boot: what the first had signed is not run any more, and its revision still counts.
    let config = StoreConfig {
        key: Some(stranger.public()),
        ..config
    };
    let mut store = Store::open(store.into_flash(), config, &arm());
    assert_eq!((store.program(), store.status().revision_min), (None, 5));
    let resigned = signed(&bytes, 4, stranger.sign(&announced, &bytes));
    assert_eq!(upload(&mut store, &resigned, &bytes), Err(Objection::Revision));
    let announced = described(&bytes, 5);
    upload(
        &mut store,
        &signed(&bytes, 5, stranger.sign(&announced, &bytes)),
        &bytes,
    )
    .expect("it is taken");
}

#[test]
fn a_host_that_floods_leaves_the_program_as_it_is() {
    let mut store = open();
    let kept = good(1);
    upload(&mut store, &described(&kept, 1), &kept).expect("it is taken");
    let bytes = good(2);
    for round in 0..2_000_u32 {
        let description = described(&bytes, 2 + round % 7);
        let crc = description.crc ^ (round % 3);
        let _ = ask(&mut store, &Ask::Begin(description));
        for offset in [0, 64, 32, 0, u32::MAX - 15, u32::MAX] {
            let _ = ask(
                &mut store,
                &Ask::Chunk {
                    crc,
                    offset,
                    bytes: &bytes[..64],
                },
            );
        }
        let _ = ask(&mut store, &Ask::Commit { crc });
        assert_eq!(store.program(), Some(&kept[..]), "round {round}");
    }
    upload(&mut store, &described(&bytes, 9), &bytes).expect("it is taken");
}
