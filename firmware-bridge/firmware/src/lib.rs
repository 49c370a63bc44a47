//! The chip: what a program for an LM3S6965 needs of it, and no more. Nothing here knows llmos, but for the trait that the serial line
//! implements. For another board, this is what you write anew, or take from its vendor's crate; `main.rs` and `slide.rs` stay.
#![no_std]

pub mod boot;
pub mod chip;
pub mod clock;
pub mod flash;
pub mod outputs;
pub mod stack;
pub mod uart;
pub mod watchdog;
