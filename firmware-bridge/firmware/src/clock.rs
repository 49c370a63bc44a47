//! Uptime in milliseconds, by the system timer's interrupt.

use crate::chip::HERTZ;
use core::sync::atomic::{AtomicU32, Ordering};
use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;

static TICKS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    TICKS.fetch_add(1, Ordering::Relaxed);
}

/// The clock. It never goes back; the interrupt's 32 bits are made 64 here, so [`Clock::now`] must be asked at least every 49 days.
pub struct Clock {
    high: u64,
    last: u32,
}

impl Clock {
    /// Starts counting.
    #[must_use]
    pub fn start(mut timer: SYST) -> Clock {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(HERTZ / 1_000 - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
        Clock { high: 0, last: 0 }
    }

    /// Milliseconds since it was started.
    pub fn now(&mut self) -> u64 {
        let ticks = TICKS.load(Ordering::Relaxed);
        if ticks < self.last {
            self.high = self.high.wrapping_add(1 << 32);
        }
        self.last = ticks;
        self.high | u64::from(ticks)
    }
}
