//! The device follows a program by itself: the follower works here as it does on the host, and the device is its gate, its link and its
//! witness. Every command that the program offers passes the device's own envelope before the plant is told, with the intent, the rate and the
//! jumps that a host's command is judged by; what the plant reports is what the program's conditions see.
//!
//! A [`Running`] is looked at again and again and does a bounded amount of work each time. It must not know leases, stops or messages:
//! whether a run may begin, or has to end, is the device's business.

use super::plant::{Arguments, Plant, PlantStatus, Told};
use super::{Refusal, check};
use llmos_follower::{
    Compensation, Handoff, InPlace, Index, Input, Millis, Observed, Offer, Output, Progress, Reading, Reject, Symbol,
    Table, Value, Walker, Watch, World,
};
use serde::{Deserialize, Serialize};

/// Readings that a device may report and still follow programs.
pub const READINGS_MAX: usize = 32;
/// How often a run is looked at while nothing happens, in milliseconds.
const LOOK_MS: Millis = 10;

/// Where a device has its programs from.
pub trait Programs {
    /// The device's name, as programs say it.
    fn device(&self) -> Symbol;

    /// The bytes of the program that may be run; they must stay where and what they are while it runs.
    fn program(&self) -> Option<&[u8]>;

    /// Whether the device's own configuration lets a run go on when the host is gone ([`OnHostLoss::Finish`]). Nothing that moves should go on
    /// with nobody there unless somebody has said so: the answer is no where a board does not say otherwise.
    fn finishes_alone(&self) -> bool {
        false
    }
}

/// A device without programs.
impl Programs for () {
    fn device(&self) -> Symbol {
        Symbol::NONE
    }

    fn program(&self) -> Option<&[u8]> {
        None
    }
}

/// What becomes of a run when its host goes away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHostLoss {
    /// The device goes to its safe state when the lease runs out.
    #[default]
    Stop,
    /// It goes on to the end. A device's own configuration has to allow that.
    Finish,
}

/// A run as it was asked for. It uses up a sequence number as a command does, and is answered as one.
#[derive(Clone, Copy, Debug)]
pub struct RunCommand<'a> {
    /// Who asks.
    pub session: u32,
    /// Rises with every command and run of a boot.
    pub seq: u32,
    /// Names the run; the same for a resend.
    pub id: u64,
    /// The uptime after which it must not be begun, in milliseconds.
    pub expires_ms: Millis,
    /// Whether the broker had kept it.
    pub retained: bool,
    /// The checksum of the program that is meant: another one is not run.
    pub crc: u32,
    /// What becomes of it when the host goes away.
    pub on_host_loss: OnHostLoss,
    /// A value for each of its slots; `None` where the codec could not read them.
    pub slots: Option<&'a [Value]>,
}

/// What came of a run. It is kept by the device until a host says that it has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunReport {
    /// The id of the request that began it.
    pub run: u64,
    /// The session that began it.
    pub session: u32,
    /// The checksum of the program.
    pub crc: u32,
    /// The main step that it came to; the number of the main steps where all are done.
    pub step: u8,
    /// Commands that the plant was given.
    pub commands: u32,
    /// From the first step to the end, in milliseconds.
    pub ms: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every call is done.
    Finished {
        /// How that was seen.
        observed: Observed,
        /// The digest of the calls, the same as that of the same program with the same slots followed by a host.
        digest: u64,
    },
    /// The world was not as a step needs it.
    Handoff {
        /// Why.
        why: Handoff,
        /// What became of what compensates for it.
        compensation: Compensation,
    },
    /// A stop came.
    Stopped,
    /// The host went away, and the run was to stop then.
    HostLost,
}

impl Outcome {
    pub(super) const fn handoff(why: Handoff) -> Outcome {
        Outcome::Handoff {
            why,
            compensation: Compensation::None,
        }
    }
}

/// What the plant does for the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    /// Nothing, or it is through.
    Nothing,
    /// It carries out a command.
    Command,
    /// It did not take a command, which the follower is told at the next look, as a host learns it later.
    Declined,
}

/// A program that is being run.
#[derive(Debug)]
pub(super) struct Running {
    index: Index,
    walk: Walk,
    session: u32,
    run: u64,
    pub on_host_loss: OnHostLoss,
    begun: Millis,
    /// When to look again.
    pub look_at: Millis,
}

/// How far it has come.
#[derive(Debug)]
struct Walk {
    follower: Walker<READINGS_MAX>,
    commands: u32,
    deed: Deed,
}

impl Running {
    /// Takes up the program, if it is the one that is meant and this device can follow it. Nothing moves yet.
    ///
    /// # Errors
    /// What does not fit.
    pub fn new(
        now: Millis,
        run: &RunCommand<'_>,
        plant: &impl Plant,
        programs: &impl Programs,
    ) -> Result<Running, Refusal> {
        let slots = run.slots.ok_or(Refusal::BadArgument)?;
        if run.on_host_loss == OnHostLoss::Finish && !programs.finishes_alone() {
            return Err(Refusal::NeedsHost);
        }
        let bytes = programs.program().ok_or(Refusal::NoProgram)?;
        let index = Index::of_for(programs.device(), bytes).map_err(refusal)?;
        if index.checksum() != run.crc {
            return Err(Refusal::NoProgram);
        }
        let program = index.program(bytes).ok_or(Refusal::BadProgram)?;
        let follower = Walker::new(&program, slots).map_err(refusal)?;
        readings(plant, programs.device()).ok_or(Refusal::NoRoom)?;
        let walk = Walk {
            follower,
            commands: 0,
            deed: Deed::Nothing,
        };
        Ok(Running {
            index,
            walk,
            session: run.session,
            run: run.id,
            on_host_loss: run.on_host_loss,
            begun: now,
            look_at: now,
        })
    }

    /// Which run this is: who asked for it, and its id.
    pub const fn name(&self) -> (u32, u64) {
        (self.session, self.run)
    }

    /// The report of a run that ends now.
    pub fn report(&self, now: Millis, outcome: Outcome) -> RunReport {
        RunReport {
            run: self.run,
            session: self.session,
            crc: self.index.checksum(),
            step: self.walk.follower.checkpoint().step,
            commands: self.walk.commands,
            ms: u32::try_from(now.saturating_sub(self.begun)).unwrap_or(u32::MAX),
            outcome,
        }
    }

    /// Looks at what the plant has come to, and goes on. Returns how the run ended, when it has.
    pub fn look<P: Plant>(
        &mut self,
        now: Millis,
        status: PlantStatus,
        plant: &mut P,
        programs: &impl Programs,
        watch: &mut Watch,
    ) -> Option<Outcome> {
        let input = match (self.walk.deed, status) {
            (Deed::Declined, _) => Input::Failed,
            (Deed::Command, PlantStatus::Busy) => Input::State(Progress::Busy),
            (Deed::Command, PlantStatus::Failed(_)) => {
                plant.halt(now);
                Input::Failed
            }
            (Deed::Command, PlantStatus::Done) | (Deed::Nothing, _) => Input::State(Progress::Finished),
        };
        // A plant says once that it is through, so that is never passed over.
        let news = input != Input::State(Progress::Busy) && self.walk.deed == Deed::Command;
        if now < self.look_at && !news {
            return None;
        }
        self.look_at = now.saturating_add(LOOK_MS);
        if input != Input::State(Progress::Busy) {
            self.walk.deed = Deed::Nothing;
        }
        let Some(program) = programs.program().and_then(|bytes| self.index.program(bytes)) else {
            return Some(Outcome::handoff(Handoff::Program));
        };
        let Some(readings) = readings(plant, programs.device()) else {
            return Some(Outcome::handoff(Handoff::Missing));
        };
        let world = World {
            program: &program,
            readings: &readings,
        };
        self.walk.follower.handle(world, now, input);
        loop {
            let free = watch.free_at(now, plant.envelope().rate_max);
            if free > now && self.walk.follower.offers(world) {
                self.look_at = free;
                return None;
            }
            match self.walk.follower.poll(world)? {
                Output::Command(offer) => self.walk.offer(now, world, &offer, plant, watch),
                Output::StepDone { .. } | Output::CallDone { .. } => {}
                Output::Finished { observed, digest } => return Some(Outcome::Finished { observed, digest }),
                Output::Handoff { why, compensation, .. } => return Some(Outcome::Handoff { why, compensation }),
                Output::Stopped { .. } => return Some(Outcome::Stopped),
            }
        }
    }
}

impl Walk {
    /// The gate: what the plant takes and the envelope allows is begun.
    fn offer<P: Plant>(
        &mut self,
        now: Millis,
        world: World<'_, InPlace<'_>>,
        offer: &Offer,
        plant: &mut P,
        watch: &mut Watch,
    ) {
        let arguments = Arguments(&offer.arguments);
        let Ok(intent) = plant.intent(offer.tool, arguments) else {
            self.deed = Deed::Declined;
            return self.follower.handle(world, now, Input::Sent);
        };
        if check(plant, watch, now, offer.start, &intent).is_err() || !self.may_end(offer, plant) {
            return self.follower.handle(world, now, Input::Refused);
        }
        watch.note_command(now);
        plant.start(now, offer.tool, arguments);
        self.deed = Deed::Command;
        self.commands = self.commands.saturating_add(1);
        self.follower.handle(world, now, Input::Sent);
        self.follower.handle(world, now, Input::Acknowledged);
    }

    /// Whether the whole way is allowed, before its first leg: a motion that is going to be refused half way is not begun.
    fn may_end(&self, offer: &Offer, plant: &impl Plant) -> bool {
        match (plant.position(), self.follower.end()) {
            (Some(at), Some(end)) if offer.leg == 0 => plant.envelope().check_path(at, end).is_ok(),
            _ => true,
        }
    }
}

const fn refusal(reject: Reject) -> Refusal {
    match reject {
        Reject::Device => Refusal::OtherDevice,
        Reject::UnboundSlot => Refusal::UnboundSlot,
        _ => Refusal::BadProgram,
    }
}

/// What the plant reports, as conditions see it; `None` where there is no room for all of it.
fn readings(plant: &impl Plant, device: Symbol) -> Option<Table<READINGS_MAX>> {
    let mut readings = Table::new();
    let mut fits = true;
    plant.readings(&mut |owner: &str, field: &str, told: Told<'_>| {
        let value = match told {
            Told::Bool(truth) => Value::Bool(truth),
            Told::Number(micro) => Value::Number(micro),
            Told::Point(point) => Value::Point(point),
            Told::Text(text) => Value::Symbol(Symbol::of(text)),
            Told::Nothing => Value::Symbol(Symbol::NONE),
        };
        let reading = Reading {
            device,
            owner: Symbol::of(owner),
            field: Symbol::of(field),
            value,
        };
        fits &= readings.push(reading).is_ok();
    });
    fits.then_some(readings)
}
