//! How deep the stack has been. The runtime paints what lies between the variables and the stack's beginning before it starts the program;
//! what is not in that colour any more was used.

use core::ptr::{addr_of, read_volatile};
use core::sync::atomic::{AtomicU32, Ordering};

unsafe extern "C" {
    /// Where the variables end.
    static __sheap: u32;
    /// Where the stack begins; it grows down from here.
    static _stack_start: u32;
}

static DEEPEST: AtomicU32 = AtomicU32::new(0);

/// Looks once a second, as it takes a few milliseconds.
pub fn look(now: u64) {
    if now & 0x3ff == 0 {
        let bytes = u32::try_from(measure()).unwrap_or(u32::MAX);
        DEEPEST.store(bytes, Ordering::Relaxed);
    }
}

/// The most bytes that the stack had held when somebody last looked.
#[must_use]
pub fn deepest() -> u32 {
    DEEPEST.load(Ordering::Relaxed)
}

/// The most bytes that the stack has held since the start.
#[must_use]
pub fn measure() -> usize {
    // Their addresses are all that they have.
    let (low, high) = (addr_of!(__sheap), addr_of!(_stack_start));
    let mut at = low;
    // SAFETY: all words between the two are RAM, word-aligned; reading what others write there does no harm, only the first word that is
    // not painted counts.
    while at < high && unsafe { read_volatile(at) } == cortex_m_rt::STACK_PAINT_VALUE {
        at = at.wrapping_add(1);
    }
    (high as usize).saturating_sub(at as usize)
}

/// Bytes of RAM that are the stack's.
#[must_use]
pub fn room() -> usize {
    (addr_of!(_stack_start) as usize).saturating_sub(addr_of!(__sheap) as usize)
}
