//! Carries out the determinism corpus and prints each case's digest to the emulator, as `digests.txt` holds them; then, on lines that begin
//! with `#`, what it took. With `-icount`, the emulator's time is a count of instructions, and so is what is printed.
#![no_std]
#![no_main]

use core::panic::PanicInfo;
use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use llmos_determinism::{CORPUS, Cases, Witness, carry_out};
use llmos_firmware::{chip, stack};

/// How often each case is carried out: a hundred cases, a thousand times.
const ROUNDS: u32 = 10;
/// The timer counts 24 bits down.
const TIMER_MASK: u32 = 0x00ff_ffff;

/// Measures the longest time that one call takes, in cycles.
#[derive(Default)]
struct Meter {
    begun: u32,
    step: u32,
    gate: u32,
}

impl Meter {
    fn begin(&mut self) {
        self.begun = SYST::get_current();
    }

    fn end(&self) -> u32 {
        self.begun.wrapping_sub(SYST::get_current()) & TIMER_MASK
    }
}

impl Witness for Meter {
    fn step_begins(&mut self) {
        self.begin();
    }

    fn step_ends(&mut self) {
        self.step = self.step.max(self.end());
    }

    fn gate_begins(&mut self) {
        self.begin();
    }

    fn gate_ends(&mut self) {
        self.gate = self.gate.max(self.end());
    }
}

#[entry]
fn main() -> ! {
    chip::start();
    if let Some(core) = cortex_m::Peripherals::take() {
        let mut timer = core.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(TIMER_MASK);
        timer.clear_current();
        timer.enable_counter();
    }
    let mut meter = Meter::default();
    meter.begin();
    let nothing = meter.end();
    for case in Cases::of(CORPUS) {
        let outcome = carry_out(&case, &mut meter);
        hprintln!("{} {}", case.name, outcome);
        for _ in 1..ROUNDS {
            let again = carry_out(&case, &mut meter);
            if again != outcome {
                hprintln!("{} ends differently each time: {}", case.name, again);
            }
        }
    }
    let (step, gate) = (meter.step.saturating_sub(nothing), meter.gate.saturating_sub(nothing));
    hprintln!("# cycles at most: step {} gate {}", step, gate);
    hprintln!("# stack at most: {} of {} bytes", stack::measure(), stack::room());
    debug::exit(debug::EXIT_SUCCESS);
    loop {}
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    hprintln!("# panicked");
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}
