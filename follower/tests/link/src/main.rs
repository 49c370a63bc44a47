//! Writes a program, reads it, follows it to its end, in memory and where its bytes lie, and disassembles it, without an allocator and without `std`. The C library only
//! starts it and moves memory, which a microcontroller's runtime does as well. The features are what must not link.
#![no_std]
#![no_main]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use llmos_follower::program::{Call, Step};
use llmos_follower::{
    Index, Input, Kind, Listing, Observed, Output, Program, Progress, Reject, Symbol, Table, Walker, World,
    disassemble, wire,
};

const LAMP: Symbol = Symbol::of("lamp");

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// The precompiled core library asks for it where nothing is optimised; with `panic = "abort"` nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    #[cfg(feature = "alloc")]
    let _heap = core::hint::black_box(alloc::boxed::Box::new(1));
    match follow() {
        Ok(Some(Observed::Unverified)) => 0,
        Ok(_) => 1,
        Err(_) => 2,
    }
}

/// One command that nothing can be read back of.
fn follow() -> Result<Option<Observed>, Reject> {
    let mut program = Program::default();
    let (device, tool) = (LAMP, Symbol::of("blink"));
    let call = Call {
        device,
        tool,
        ..Call::default()
    };
    let step = Step {
        device,
        tool,
        kind: Kind::Command,
        timeout_ms: 1_000,
        ..Step::default()
    };
    program.calls.push(call).map_err(|_| Reject::TooLarge)?;
    program.steps.push(step).map_err(|_| Reject::TooLarge)?;
    let mut buffer = [0; 128];
    let bytes = wire::encode(&program, &mut buffer)?;
    let program = wire::decode_for(LAMP, bytes)?;
    disassemble(&program, &|_| None, &mut Nowhere).map_err(|fmt::Error| Reject::Malformed)?;

    let there = Index::of_for(LAMP, bytes)?;
    let there = there.program(bytes).ok_or(Reject::Malformed)?;
    match (to_the_end(&program)?, to_the_end(&there)?) {
        (here, there) if here == there => Ok(here),
        _ => Ok(None),
    }
}

fn to_the_end<L: Listing>(program: &L) -> Result<Option<Observed>, Reject> {
    let readings = Table::<4>::new();
    let world = World {
        program,
        readings: &readings,
    };
    let mut follower = Walker::<4>::new(program, &[])?;
    let mut seen = None;
    for input in [
        Input::Tick,
        Input::Sent,
        Input::Acknowledged,
        Input::State(Progress::Finished),
        Input::Tick,
    ] {
        while let Some(output) = follower.poll(world) {
            if let Output::Finished { observed, .. } = output {
                seen = Some(observed);
            }
        }
        follower.handle(world, 0, input);
    }
    Ok(seen)
}

struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}
