//! Power that goes in the middle of an update, at every word and every page: the old program is kept, or the new one is there whole.

use super::{ARM, arm, ask, described, good, upload};
use llmos_firmware_bridge::device::Programs;
use llmos_firmware_bridge::program::{Ask, Description};
use llmos_firmware_bridge::sim::Xorshift;
use llmos_firmware_bridge::store::{Flash, FlashError, Slot, Store, StoreConfig};

const PAGE: usize = 256;
const SLOT: usize = 8 * PAGE;
const WORD: usize = 16;

/// Flash whose power goes in the middle of an operation: what was being written or erased then holds anything.
#[derive(Clone)]
struct Dying {
    slots: [Vec<u8>; 2],
    /// Words and pages that will still be finished; endless where nothing is said.
    left: Option<usize>,
    done: usize,
    dead: bool,
    chance: Xorshift,
    /// Words that were written since their page was erased: writing one twice is a mistake.
    written: [Vec<bool>; 2],
}

fn byte(chance: &mut Xorshift) -> u8 {
    u8::try_from(chance.below(256)).unwrap_or(0)
}

impl Dying {
    fn new(seed: u64) -> Dying {
        let mut chance = Xorshift::new(seed);
        // What a factory leaves is not always erased.
        let mut noise = || (0..SLOT).map(|_| byte(&mut chance)).collect();
        Dying {
            slots: [noise(), noise()],
            left: None,
            done: 0,
            dead: false,
            chance,
            written: [vec![true; SLOT / WORD], vec![true; SLOT / WORD]],
        }
    }

    /// Whether power lasts for one more word or page.
    fn lasts(&mut self) -> Result<bool, FlashError> {
        if self.dead {
            return Err(FlashError);
        }
        self.done += 1;
        self.dead = self.left == Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(!self.dead)
    }

    /// Power is back.
    fn revived(mut self) -> Dying {
        self.left = None;
        self.dead = false;
        self
    }
}

impl Flash for Dying {
    const PAGE_BYTES: usize = PAGE;
    const SLOT_BYTES: usize = SLOT;

    fn slot(&self, slot: Slot) -> &[u8] {
        &self.slots[usize::from(slot == Slot::B)]
    }

    fn erase(&mut self, slot: Slot, page: usize) -> Result<(), FlashError> {
        let index = usize::from(slot == Slot::B);
        let lasts = self.lasts()?;
        for at in page * PAGE..(page + 1) * PAGE {
            // Half an erasure sets some of the bits.
            let set = if lasts { 0xff } else { byte(&mut self.chance) };
            self.slots[index][at] |= set;
        }
        self.written[index][page * PAGE / WORD..(page + 1) * PAGE / WORD].fill(!lasts);
        if lasts { Ok(()) } else { Err(FlashError) }
    }

    fn write(&mut self, slot: Slot, offset: usize, bytes: &[u8]) -> Result<(), FlashError> {
        let index = usize::from(slot == Slot::B);
        assert!(
            offset.is_multiple_of(WORD) && bytes.len().is_multiple_of(WORD),
            "whole words"
        );
        for (place, word) in bytes.chunks(WORD).enumerate() {
            let at = offset + place * WORD;
            let twice = std::mem::replace(&mut self.written[index][at / WORD], true);
            assert!(!twice, "the word at {at} is written twice");
            let lasts = self.lasts()?;
            for (number, value) in word.iter().enumerate() {
                // Half a write clears some of the bits.
                let kept = if lasts { 0 } else { byte(&mut self.chance) };
                self.slots[index][at + number] &= value | kept;
            }
            if !lasts {
                return Err(FlashError);
            }
        }
        Ok(())
    }
}

fn boot(flash: Dying) -> Store<Dying> {
    Store::open(flash, StoreConfig::open(ARM), &arm())
}

/// Flash with `old` in it, and with what an earlier update left in the other slot.
fn with_old(seed: u64, old: &[u8]) -> Dying {
    let mut store = boot(Dying::new(seed));
    assert_eq!(store.program(), None, "noise is no program");
    for revision in [1, 2] {
        let before = good(i64::from(revision));
        upload(&mut store, &described(&before, revision), &before).expect("it is taken");
    }
    upload(&mut store, &described(old, 5), old).expect("it is taken");
    store.into_flash()
}

/// Updates with power for so many words and pages. Returns the flash as it is afterwards, and whether the device said that it was done.
fn update(flash: Dying, description: &Description, bytes: &[u8], left: usize) -> (Dying, bool) {
    let mut store = boot(Dying {
        left: Some(left),
        ..flash
    });
    let done = upload(&mut store, description, bytes).is_ok();
    (store.into_flash().revived(), done)
}

fn check(seed: u64, left: usize, old: &[u8], new: &[u8], flash: Dying) -> Dying {
    let description = described(new, 6);
    let (flash, done) = update(flash, &description, new, left);
    let mut store = boot(flash);
    let found = store.program().map(<[u8]>::to_vec);
    let whole = found.as_deref() == Some(new) || (!done && found.as_deref() == Some(old));
    assert!(
        whole,
        "seed {seed}, power for {left}: done {done}, found {:?}",
        found.map(|found| found.len())
    );
    assert!(store.status().revision_min > 5, "seed {seed}, power for {left}");
    assert!(ask(&mut store, &Ask::Begin(described(&good(99), 4))).is_err());
    store.into_flash()
}

/// How many words and pages an update takes.
fn work(flash: &Dying, description: &Description, bytes: &[u8]) -> usize {
    let mut store = boot(Dying {
        done: 0,
        ..flash.clone()
    });
    upload(&mut store, description, bytes).expect("it is taken");
    store.into_flash().done
}

#[test]
fn power_may_go_at_every_word_and_page_of_an_update() {
    let (old, new) = (good(100), good(200));
    let mut cuts = 0;
    for seed in 1..=27 {
        let flash = with_old(seed, &old);
        let work = work(&flash, &described(&new, 6), &new);
        assert!(work > 30, "{work}");
        for left in 0..=work {
            cuts += usize::from(left < work);
            let flash = check(seed, left, &old, &new, flash.clone());
            // Power comes back, and the update is done.
            let mut store = boot(flash);
            upload(&mut store, &described(&new, 6), &new).expect("it is taken now");
            assert_eq!(
                boot(store.into_flash()).program(),
                Some(&new[..]),
                "seed {seed}, {left}"
            );
        }
    }
    assert!(cuts >= 1_000, "{cuts} cuts");
}

#[test]
fn power_may_go_again_and_again() {
    let (old, new) = (good(100), good(200));
    for seed in 1..=100 {
        let mut chance = Xorshift::new(seed);
        let mut flash = with_old(seed, &old);
        let work = work(&flash, &described(&new, 6), &new);
        for _ in 0..5 {
            let left = usize::try_from(chance.below(work as u64)).unwrap_or(0);
            flash = check(seed, left, &old, &new, flash);
        }
    }
}
