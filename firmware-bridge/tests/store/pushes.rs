//! An upload over a bad line, as the host sees it: what is lost is asked again, what was cut off goes on, and it ends with the device's own word.

use super::{ARM, arm, described, good, open, upload};
use llmos_firmware_bridge::device::Programs;
use llmos_firmware_bridge::link::push::{Push, PushError, Pushed};
use llmos_firmware_bridge::program::{Answer, Objection, Reply};
use llmos_firmware_bridge::signature::SecretKey;
use llmos_firmware_bridge::sim::{SimFlash, Xorshift};
use llmos_firmware_bridge::store::{Store, StoreConfig};

/// What the line and the device do to a push.
#[derive(Clone, Copy, Default)]
struct Trouble {
    seed: u64,
    /// Of ten requests or replies, so many are lost.
    lost: u64,
    /// After so many requests the device restarts.
    restarts_after: Option<u32>,
    /// So many requests find the device busy.
    busy: u32,
}

fn push(
    store: &mut Store<SimFlash>,
    bytes: &[u8],
    key: Option<&SecretKey>,
    trouble: Trouble,
) -> Result<Pushed, PushError> {
    let mut push = Push::new("arm", "a-trace", bytes, key, 100);
    let mut chance = Xorshift::new(trouble.seed);
    let (mut now, mut asked) = (0, 0);
    let mut late: Option<Reply> = None;
    loop {
        if let Some(ended) = push.ended() {
            return ended.clone();
        }
        let Some((id, ask)) = push.poll(now) else {
            now = push.next_deadline();
            continue;
        };
        asked += 1;
        assert!(asked < 10_000, "it never ends");
        if trouble.restarts_after == Some(asked) {
            let flash = std::mem::replace(store, open()).into_flash();
            *store = Store::open(flash, StoreConfig::open(ARM), &arm());
        }
        if chance.below(10) < trouble.lost {
            continue;
        }
        let answer = store.handle(&arm(), asked <= trouble.busy, &ask);
        let reply = Reply { session: 9, id, answer };
        if let Some(late) = late.take() {
            push.handle(now, &late);
        }
        if chance.below(10) < trouble.lost {
            late = Some(reply);
        } else {
            push.handle(now, &reply);
        }
    }
}

#[test]
fn a_push_survives_loss_delay_and_a_restart() {
    let bytes = good(1);
    for seed in 0..60 {
        for restarts_after in [None, Some(3), Some(5)] {
            let mut store = open();
            let trouble = Trouble {
                seed,
                lost: seed % 3,
                restarts_after,
                busy: 2,
            };
            let pushed = push(&mut store, &bytes, None, trouble);
            assert!(
                matches!(pushed, Ok(Pushed::Installed(_) | Pushed::Known(_))),
                "seed {seed}: {pushed:?}"
            );
            assert_eq!(store.program(), Some(&bytes[..]), "seed {seed}");
            let again = push(&mut store, &bytes, None, Trouble::default());
            assert!(matches!(again, Ok(Pushed::Known(_))), "{again:?}");
        }
    }
}

#[test]
fn what_can_t_be_pushed_is_said() {
    let bytes = good(1);
    let silent = Trouble {
        lost: 10,
        ..Trouble::default()
    };
    assert_eq!(push(&mut open(), &bytes, None, silent), Err(PushError::NoAnswer));
    let busy = Trouble {
        busy: 1_000,
        ..Trouble::default()
    };
    let refused = push(&mut open(), &bytes, None, busy);
    assert_eq!(refused, Err(PushError::Refused(Objection::Busy)));
    let (key, stranger) = (SecretKey::from_seed([7; 32]), SecretKey::from_seed([8; 32]));
    let config = StoreConfig {
        key: Some(key.public()),
        ..StoreConfig::open(ARM)
    };
    let mut store = Store::open(SimFlash::new(), config, &arm());
    let none = Trouble::default();
    assert_eq!(push(&mut store, &bytes, None, none), Err(PushError::Unsigned));
    let refused = push(&mut store, &bytes, Some(&stranger), none);
    assert_eq!(refused, Err(PushError::Refused(Objection::Signature)));
    assert!(matches!(
        push(&mut store, &bytes, Some(&key), none),
        Ok(Pushed::Installed(_))
    ));
    let mut newer = bytes.clone();
    newer[0] += 1;
    assert_eq!(push(&mut open(), &newer, None, none), Err(PushError::Version(2, 2, 3)));
    let large = vec![2; 40_000];
    let size = large.len();
    let capacity = 32 * 1024;
    assert_eq!(
        push(&mut open(), &large, None, none),
        Err(PushError::TooLarge { size, capacity })
    );
}

/// Somebody else's program is installed in between: the revision is asked for again.
#[test]
fn another_host_may_be_quicker() {
    let (mine, theirs) = (good(1), good(2));
    let mut store = open();
    let mut push = Push::new("arm", "a-trace", &mine, None, 0);
    let mut now = 0;
    for step in 0..1_000 {
        if push.ended().is_some() {
            break;
        }
        let Some((id, ask)) = push.poll(now) else {
            now = push.next_deadline();
            continue;
        };
        let answer = store.handle(&arm(), false, &ask);
        if step == 2 {
            upload(&mut store, &described(&theirs, 1), &theirs).expect("it is taken");
        }
        assert!(!matches!(answer, Answer::Report(_)));
        push.handle(now, &Reply { session: 9, id, answer });
    }
    let Some(Ok(Pushed::Installed(installed))) = push.ended() else {
        panic!("{:?}", push.ended());
    };
    assert_eq!(installed.revision, 2);
    assert_eq!(store.program(), Some(&mine[..]));
}
