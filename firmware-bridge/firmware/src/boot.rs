//! Which boot this is: a number that the boot before did not have, so that a host notices every restart.
//!
//! RAM that nobody clears keeps a count over resets. After power was gone it holds what the silicon happens to come up with, which is the
//! noise that the first number is made of. A board with flash to spare counts there instead, and knows for certain.

use core::sync::atomic::{AtomicU32, Ordering};
use llmos_follower::Digest;

const KEPT: u32 = 0x6c6c_6d6f;

#[unsafe(link_section = ".uninit.boot")]
static COUNT: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
/// Read before anybody writes it, and never written: the emulator's test writes it from outside.
#[unsafe(link_section = ".uninit.noise")]
#[unsafe(no_mangle)]
static BOOT_NOISE: [AtomicU32; 16] = [const { AtomicU32::new(0) }; 16];

/// The number of this boot; to be asked once.
#[must_use]
pub fn number() -> u32 {
    let [kept, count] = &COUNT;
    let mut noise = Digest::default();
    for word in &BOOT_NOISE {
        noise.write(&word.load(Ordering::Relaxed).to_le_bytes());
    }
    let [a, b, c, d, ..] = noise.finish().to_le_bytes();
    let cold = u32::from_le_bytes([a, b, c, d]);
    let last = if kept.load(Ordering::Relaxed) == KEPT {
        count.load(Ordering::Relaxed)
    } else {
        cold
    };
    let number = last.wrapping_add(1);
    kept.store(KEPT, Ordering::Relaxed);
    count.store(number, Ordering::Relaxed);
    number
}
