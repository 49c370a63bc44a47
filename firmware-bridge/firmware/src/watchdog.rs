//! The hardware watchdog: it resets the chip half a second after it was last fed, and it is fed only when every part has shown in the
//! meantime that it still runs. One that hangs, or that nobody calls any more, stops the feeding.

use crate::chip::{HERTZ, RCGC0, Register};
use core::sync::atomic::{AtomicU32, Ordering};

const BASE: usize = 0x4000_0000;
const LOAD: Register = Register(BASE);
const CONTROL: Register = Register(BASE + 0x008);
const CLEAR: Register = Register(BASE + 0x00c);
const LOCK: Register = Register(BASE + 0xc00);
const UNLOCK: u32 = 0x1acc_e551;

/// What has to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Somebody reads the line.
    Line = 1,
    /// The device knows what time it is.
    Device = 2,
    /// The plant is let go on.
    Plant = 4,
}

const EVERY_PART: u32 = Part::Line as u32 | Part::Device as u32 | Part::Plant as u32;

static REPORTED: AtomicU32 = AtomicU32::new(0);

/// A part says that it runs.
pub fn report(part: Part) {
    REPORTED.fetch_or(part as u32, Ordering::Relaxed);
}

/// The watchdog, once it runs; nothing stops it any more.
pub struct Watchdog(());

impl Watchdog {
    /// Starts it. It counts down twice: the first time it only remembers, the second time it resets.
    #[must_use]
    pub fn start() -> Watchdog {
        RCGC0.set(1 << 3);
        LOCK.write(UNLOCK);
        LOAD.write(HERTZ / 4);
        CONTROL.set(0b11);
        LOCK.write(0);
        Watchdog(())
    }

    /// Feeds it if every part has reported since it was last fed.
    pub fn feed(&mut self) {
        if REPORTED.load(Ordering::Relaxed) & EVERY_PART == EVERY_PART {
            REPORTED.store(0, Ordering::Relaxed);
            LOCK.write(UNLOCK);
            CLEAR.write(1);
            LOCK.write(0);
        }
    }
}
