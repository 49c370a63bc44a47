//! Registers, and the clock that everything runs by. Addresses and bits are those of the LM3S6965 data sheet (Texas Instruments, DS-LM3S6965).

/// Cycles in a second: the 8 MHz crystal through the PLL (200 MHz), divided by four.
pub const HERTZ: u32 = 50_000_000;

const RIS: Register = Register(0x400f_e050);
const RCC: Register = Register(0x400f_e060);
/// Clock gates: the watchdog.
pub const RCGC0: Register = Register(0x400f_e100);
/// Clock gates: serial ports.
pub const RCGC1: Register = Register(0x400f_e104);
/// Clock gates: pins.
pub const RCGC2: Register = Register(0x400f_e108);

/// A register of the chip, by its address. Only the constants of this crate make one.
#[derive(Clone, Copy)]
pub struct Register(pub(crate) usize);

impl Register {
    /// What it holds.
    #[must_use]
    pub fn read(self) -> u32 {
        // SAFETY: the address is that of a register of this chip, word-aligned and always there.
        unsafe { core::ptr::read_volatile(self.0 as *const u32) }
    }

    /// Gives it a value.
    pub fn write(self, value: u32) {
        // SAFETY: as above; what the registers of this crate do is confined to their peripheral.
        unsafe { core::ptr::write_volatile(self.0 as *mut u32, value) }
    }

    /// Sets bits.
    pub fn set(self, bits: u32) {
        self.write(self.read() | bits);
    }
}

/// Lets the chip run at [`HERTZ`]. Until the PLL has settled, it runs by the crystal alone; should it never settle, it goes on like that, and
/// the watchdog notices that time is slow before anybody else does.
pub fn start() {
    const BYPASS: u32 = 1 << 11;
    const POWER_DOWN: u32 = 1 << 13;
    // Divide by four; use the divider; crystal of 8 MHz; main oscillator on.
    const DIVIDER: u32 = (3 << 23) | (1 << 22);
    const CRYSTAL: u32 = 0xe << 6;
    RCC.write(DIVIDER | BYPASS | POWER_DOWN | CRYSTAL);
    RCC.write(DIVIDER | BYPASS | CRYSTAL);
    for _ in 0..100_000 {
        if RIS.read() & (1 << 6) != 0 {
            break;
        }
    }
    RCC.write(DIVIDER | CRYSTAL);
}
