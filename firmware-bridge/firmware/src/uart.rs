//! The first serial port: what comes in is kept by its interrupt until somebody reads it; what goes out goes as far as there is room.

use crate::chip::{HERTZ, RCGC1, RCGC2, Register};
use crate::watchdog::{self, Part};
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use cortex_m::peripheral::NVIC;
use llmos_firmware_bridge::port::Line;
use lm3s6965::{Interrupt, interrupt};

const BAUD: u32 = 115_200;
/// Bytes that may wait to be read: 44 ms of them.
const WAITING_MAX: usize = 512;

const UART0: usize = 0x4000_c000;
const DATA: Register = Register(UART0);
const FLAGS: Register = Register(UART0 + 0x18);
const DIVISOR: Register = Register(UART0 + 0x24);
const FRACTION: Register = Register(UART0 + 0x28);
const FORMAT: Register = Register(UART0 + 0x2c);
const CONTROL: Register = Register(UART0 + 0x30);
const INTERRUPTS: Register = Register(UART0 + 0x38);
const INTERRUPT_CLEAR: Register = Register(UART0 + 0x44);
const PORT_A: usize = 0x4000_4000;
const PORT_A_ALTERNATE: Register = Register(PORT_A + 0x420);
const PORT_A_DIGITAL: Register = Register(PORT_A + 0x51c);

const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;
const RECEIVED: u32 = 1 << 4;
const RECEIVE_TIMEOUT: u32 = 1 << 6;

/// One writer, the interrupt; one reader, the main loop. The numbers count up for ever and wrap around.
static WAITING: [AtomicU8; WAITING_MAX] = [const { AtomicU8::new(0) }; WAITING_MAX];
static RECEIVED_COUNT: AtomicUsize = AtomicUsize::new(0);
static READ_COUNT: AtomicUsize = AtomicUsize::new(0);

#[interrupt]
fn UART0() {
    INTERRUPT_CLEAR.write(RECEIVED | RECEIVE_TIMEOUT);
    while FLAGS.read() & RECEIVE_EMPTY == 0 {
        // The bits above are errors of the line; the frame's checksum finds them, too.
        let byte = DATA.read().to_le_bytes()[0];
        let received = RECEIVED_COUNT.load(Ordering::Relaxed);
        let full = received.wrapping_sub(READ_COUNT.load(Ordering::Acquire)) >= WAITING_MAX;
        // What finds no room is lost, as on any line; the frame that it belongs to is sent again.
        if let (false, Some(place)) = (full, WAITING.get(received % WAITING_MAX)) {
            place.store(byte, Ordering::Relaxed);
            RECEIVED_COUNT.store(received.wrapping_add(1), Ordering::Release);
        }
    }
}

/// The port.
pub struct Uart(());

impl Uart {
    /// Opens it: 115,200 baud, eight bits, no parity, one stop bit.
    #[must_use]
    pub fn start() -> Uart {
        // The divisor in 64ths, rounded: HERTZ / (16 * BAUD) * 64.
        const STEPS: u32 = (HERTZ * 8 / BAUD).div_ceil(2);
        RCGC1.set(1);
        RCGC2.set(1);
        PORT_A_ALTERNATE.set(0b11);
        PORT_A_DIGITAL.set(0b11);
        CONTROL.write(0);
        DIVISOR.write(STEPS / 64);
        FRACTION.write(STEPS % 64);
        FORMAT.write(0x70);
        INTERRUPTS.write(RECEIVED | RECEIVE_TIMEOUT);
        CONTROL.write(0x301);
        // SAFETY: the handler is there, and shares nothing with the main loop but atomics.
        unsafe { NVIC::unmask(Interrupt::UART0) };
        Uart(())
    }
}

impl Line for Uart {
    fn read(&mut self) -> Option<u8> {
        watchdog::report(Part::Line);
        let read = READ_COUNT.load(Ordering::Relaxed);
        if read == RECEIVED_COUNT.load(Ordering::Acquire) {
            return None;
        }
        let byte = WAITING.get(read % WAITING_MAX)?.load(Ordering::Relaxed);
        READ_COUNT.store(read.wrapping_add(1), Ordering::Release);
        Some(byte)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        for byte in bytes {
            if FLAGS.read() & TRANSMIT_FULL != 0 {
                break;
            }
            DATA.write(u32::from(*byte));
            written += 1;
        }
        written
    }
}
