//! Where programs are kept: RAM that behaves as the chip's flash would, page by page and word by word. It keeps them over a reset and loses them
//! with the power. The emulator has no flash controller; on a real board, this is where its driver goes, and nothing else changes.

use core::hint::black_box;
use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;
use core::sync::atomic::{AtomicBool, Ordering};
use llmos_firmware_bridge::store::{Flash, FlashError, Slot};

/// As on this chip's flash.
const PAGE_BYTES: usize = 1_024;
/// Room for programs of 8 KiB: some fifty steps.
const SLOT_BYTES: usize = 8 * PAGE_BYTES;

type Slots = [[u8; SLOT_BYTES]; 2];

/// Nobody clears it at a reset.
#[unsafe(link_section = ".uninit.programs")]
static mut PROGRAMS: MaybeUninit<Slots> = MaybeUninit::uninit();
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Both slots.
pub struct Ram(&'static mut Slots);

impl Ram {
    /// The memory, once.
    #[must_use]
    pub fn take() -> Option<Ram> {
        if TAKEN.swap(true, Ordering::Relaxed) {
            return None;
        }
        // Seen from here, it holds what somebody wrote whom the compiler does not know: the program before the reset, or the silicon.
        let slots = black_box(addr_of_mut!(PROGRAMS)).cast::<Slots>();
        // SAFETY: only the first caller comes here, so this is the only reference; bytes may have any value.
        Some(Ram(unsafe { &mut *slots }))
    }

    fn part(&mut self, slot: Slot, offset: usize, len: usize) -> Option<&mut [u8]> {
        let [a, b] = &mut *self.0;
        let bytes = match slot {
            Slot::A => a,
            Slot::B => b,
        };
        bytes.get_mut(offset..offset.checked_add(len)?)
    }
}

impl Flash for Ram {
    const PAGE_BYTES: usize = PAGE_BYTES;
    const SLOT_BYTES: usize = SLOT_BYTES;

    fn slot(&self, slot: Slot) -> &[u8] {
        let [a, b] = &*self.0;
        match slot {
            Slot::A => a,
            Slot::B => b,
        }
    }

    fn erase(&mut self, slot: Slot, page: usize) -> Result<(), FlashError> {
        let offset = page.checked_mul(PAGE_BYTES).ok_or(FlashError)?;
        self.part(slot, offset, PAGE_BYTES).ok_or(FlashError)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, slot: Slot, offset: usize, bytes: &[u8]) -> Result<(), FlashError> {
        let part = self.part(slot, offset, bytes.len()).ok_or(FlashError)?;
        for (place, byte) in part.iter_mut().zip(bytes) {
            // Writing only clears bits.
            *place &= byte;
        }
        Ok(())
    }
}
