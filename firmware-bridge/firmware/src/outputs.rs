//! The pins that move something: motor on, its direction, the clamp. After a reset they are inputs, and the board's resistors hold them low;
//! low is safe on each of them.

use crate::chip::{RCGC2, Register};

const PORT_F: usize = 0x4002_5000;
/// A read or write here is about these three pins and no others.
const DATA: Register = Register(PORT_F + (ALL << 2) as usize);
const DIRECTION: Register = Register(PORT_F + 0x400);
const DIGITAL: Register = Register(PORT_F + 0x51c);

const MOTOR: u32 = 1;
const FORWARD: u32 = 2;
const CLAMP: u32 = 4;
const ALL: u32 = MOTOR | FORWARD | CLAMP;

/// The pins, once they are driven.
pub struct Outputs(());

impl Outputs {
    /// Drives them, low at first.
    #[must_use]
    pub fn start() -> Outputs {
        RCGC2.set(1 << 5);
        DATA.write(0);
        DIRECTION.set(ALL);
        DIGITAL.set(ALL);
        DATA.write(0);
        Outputs(())
    }

    /// Lets the motor run.
    pub fn run(&mut self, forward: bool) {
        let clamp = DATA.read() & CLAMP;
        DATA.write(clamp | MOTOR | if forward { FORWARD } else { 0 });
    }

    /// Stops the motor. What is held stays held.
    pub fn rest(&mut self) {
        DATA.write(DATA.read() & CLAMP);
    }

    /// Opens or closes the clamp.
    pub fn clamp(&mut self, closed: bool) {
        let others = DATA.read() & !CLAMP;
        DATA.write(others | if closed { CLAMP } else { 0 });
    }

    /// Whether the motor is on, as the pin says.
    #[must_use]
    pub fn is_running(&self) -> bool {
        DATA.read() & MOTOR != 0
    }

    /// Whether the clamp is closed, as the pin says.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        DATA.read() & CLAMP != 0
    }
}

/// Everything low but the clamp, from anywhere, whoever owns the pins: for a panic or a fault.
pub fn make_safe() {
    RCGC2.set(1 << 5);
    DATA.write(DATA.read() & CLAMP);
}
