//! A slide on a rail, driven by llmos over a serial line. This is the whole firmware: a board of your own has the same file with other names.
//!
//! Two traits are yours to write: a [`Plant`](llmos_firmware_bridge::device::Plant), which is what moves and what can be measured (here
//! `slide.rs`), and a [`Line`](llmos_firmware_bridge::port::Line), which reads and writes bytes without waiting (here `uart.rs`). Between
//! them stand [`Device`], which grants the lease, counts sequence numbers, keeps the envelope and latches the stop, and [`Port`], which makes
//! packets of bytes; neither knows your board. A third trait, [`Flash`](llmos_firmware_bridge::store::Flash), is for a board that keeps programs
//! and runs them with nobody there (here `flash.rs`); without it, `Device::new` and `()` in place of the desk are all that changes.
#![no_std]
#![no_main]

mod slide;

use core::panic::PanicInfo;
use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use llmos_firmware::clock::Clock;
use llmos_firmware::flash::Ram;
use llmos_firmware::outputs::{self, Outputs};
use llmos_firmware::uart::Uart;
use llmos_firmware::watchdog::{self, Part, Watchdog};
use llmos_firmware::{boot, chip, stack};
use llmos_firmware_bridge::desk::Desk;
use llmos_firmware_bridge::device::Device;
use llmos_firmware_bridge::port::Port;
use llmos_firmware_bridge::store::{Store, StoreConfig};
use llmos_firmware_bridge::topic::DeviceName;
use llmos_follower::Symbol;
use slide::Slide;

/// The name under which the host's manifest knows it.
const NAME: &str = "slide";
/// Room for a report: five readings of some twenty bytes.
const REPORT_LEN_MAX: usize = 256;

/// Programs need no signature, and may go on to their end with nobody there: a slide between two stops can do no harm.
const PROGRAMS: StoreConfig = StoreConfig {
    finishes_alone: true,
    ..StoreConfig::open(Symbol::of(NAME))
};

#[entry]
fn main() -> ! {
    // First of all, nothing moves.
    let outputs = Outputs::start();
    chip::start();
    let (Some(core), Some(flash), Ok(name)) = (cortex_m::Peripherals::take(), Ram::take(), DeviceName::parse(NAME))
    else {
        restart()
    };
    let mut clock = Clock::start(core.SYST);
    let mut watchdog = Watchdog::start();
    let mut uart = Uart::start();
    let slide = Slide::new(outputs);
    let store = Store::open(flash, PROGRAMS, &slide);
    let mut device = Device::with_programs(slide, boot::number(), store);
    let mut desk = Desk::default();
    let mut port = Port::<REPORT_LEN_MAX>::new(name);
    loop {
        let now = clock.now();
        port.serve(now, &mut device, &mut uart, &mut desk);
        if device.status().uptime_ms == now {
            watchdog::report(Part::Device);
        }
        watchdog.feed();
        stack::look(now);
        // Until the next millisecond or byte.
        cortex_m::asm::wfi();
    }
}

/// What the program did not expect: outputs safe, and a new beginning.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    restart()
}

/// What the processor did not expect: the same.
#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    restart()
}

fn restart() -> ! {
    outputs::make_safe();
    SCB::sys_reset()
}
