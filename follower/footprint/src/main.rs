//! Follower, envelope and wire format as a device needs them, and nothing else: looks through the bytes of a program, follows it in place
//! with the envelope asked before every command, and watches where the device is. It is linked to be measured and not to be run.
//!
//! It can't panic: the panic handler calls a function that does not exist, so that a build in which any panic is left does not link. The
//! feature `panics` is the broken twin.
//!
//! What it holds in RAM is told by symbols named `ram_`, each as large as what it is named for.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;
use llmos_follower::envelope::zones;
use llmos_follower::{
    Breach, Envelope, InPlace, Index, Input, Motion, Output, Point, Reading, Reject, Shape, Symbol, Table, Value,
    Walker, Watch, World,
};

/// Readings of the device that is measured: its own, and a few things that it sees.
const READINGS: usize = 16;
/// A place for a program, which is flash of its own and not counted.
static FLASH: [u8; 256] = [0xff; 256];

#[unsafe(no_mangle)]
static ram_follower: [u8; size_of::<Walker<READINGS>>()] = [0; size_of::<Walker<READINGS>>()];
#[unsafe(no_mangle)]
static ram_index: [u8; size_of::<Index>()] = [0; size_of::<Index>()];
#[unsafe(no_mangle)]
static ram_readings: [u8; size_of::<Table<READINGS>>()] = [0; size_of::<Table<READINGS>>()];
#[unsafe(no_mangle)]
static ram_watch: [u8; size_of::<Watch>()] = [0; size_of::<Watch>()];
/// The envelope of most devices is a constant in flash; it only costs RAM where it changes.
#[unsafe(no_mangle)]
static const_envelope: Envelope = Envelope {
    bounds: Some([(-2_000_000, 2_000_000), (-2_000_000, 2_000_000), (0, 3_000_000)]),
    keep_out: zones([Shape::Sphere {
        center: [0, 0, 400_000],
        radius: 300_000,
    }]),
    margin: 50_000,
    step_max: Some(500_000),
    speed_max: Some(500_000),
    acceleration_max: Some(2_000_000),
    turn_max: None,
    turn_speed_max: None,
    duration_max: None,
    rate_max: None,
    state_age_ms_max: 0,
    detours: false,
};

unsafe extern "C" {
    /// It is nowhere.
    fn this_program_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: never called, since nothing that calls it links.
    unsafe { this_program_can_panic() }
}

/// Where the measured program begins. Its inputs come from nowhere that the compiler could see.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    black_box((&ram_follower, &ram_index, &ram_readings, &ram_watch));
    #[cfg(feature = "panics")]
    black_box(FLASH[black_box(300)]);
    let (bytes, device) = (black_box(&FLASH[..]), black_box(Symbol(1)));
    let _ = black_box(follow(bytes, device, black_box(&const_envelope)));
    loop {}
}

fn follow(bytes: &[u8], device: Symbol, envelope: &Envelope) -> Result<(), Reject> {
    let index = load(device, bytes)?;
    let program = index.program(bytes).ok_or(Reject::Malformed)?;
    let slots = black_box([Value::Number(1)]);
    let mut follower = Walker::<READINGS>::new(&program, black_box(&slots[..]))?;
    let mut readings = Table::<READINGS>::new();
    let mut watch = Watch::default();
    while !follower.is_over() {
        let now = black_box(0);
        let reported = black_box([None::<Reading>; READINGS]);
        readings
            .replace(device, reported.into_iter().flatten())
            .map_err(|_| Reject::TooLarge)?;
        if let Some(at) = readings.position(device) {
            watch.note_position(now, at, envelope);
            black_box(envelope.check_running(at, black_box(at), 100).is_ok());
        }
        let world = World {
            program: &program,
            readings: &readings,
        };
        handle(&mut follower, world, now, black_box(Input::Tick));
        while let Some(output) = poll(&mut follower, world) {
            if let Output::Command(offer) = &output {
                let allowed = check(envelope, &watch, now, readings.position(device), offer.target);
                if black_box(allowed.is_ok()) {
                    watch.note_command(now);
                }
            }
            black_box(&output);
        }
    }
    Ok(())
}

#[inline(never)]
fn load(device: Symbol, bytes: &[u8]) -> Result<Index, Reject> {
    Index::of_for(device, bytes)
}

#[inline(never)]
fn handle(follower: &mut Walker<READINGS>, world: World<'_, InPlace<'_>>, now: u64, input: Input) {
    follower.handle(world, now, input);
}

#[inline(never)]
fn poll(follower: &mut Walker<READINGS>, world: World<'_, InPlace<'_>>) -> Option<Output> {
    follower.poll(world)
}

#[inline(never)]
/// What a device asks before it begins a command.
fn check(envelope: &Envelope, watch: &Watch, now: u64, from: Option<Point>, to: Option<Point>) -> Result<(), Breach> {
    envelope.check(&Motion {
        from,
        to,
        recent: watch.recent(now, envelope.rate_max),
        jumped: watch.has_jumped(),
        ..black_box(Motion::default())
    })
}
