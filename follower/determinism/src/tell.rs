//! Everything that follower and gate say, as bytes for a digest: a tag, then every field in little-endian words. Written out by hand, so
//! that the digests depend on values alone and on nobody's way of writing them. This file must not know why something was said.

use llmos_follower::{Breach, Compensation, Digest, Handoff, Observed, Offer, Output, Point, Reject, Route};

/// Takes in an output.
pub(crate) fn output(digest: &mut Digest, output: &Output) {
    match output {
        Output::Command(offer) => {
            digest.write(&[1]);
            command(digest, offer);
        }
        Output::StepDone { step, call, observed } => digest.write(&[2, *step, *call, seen(*observed)]),
        Output::CallDone { call, observed } => digest.write(&[3, *call, seen(*observed)]),
        Output::Finished { observed, digest: run } => {
            digest.write(&[4, seen(*observed)]);
            digest.write(&run.to_le_bytes());
        }
        Output::Handoff {
            step,
            call,
            why,
            compensation,
        } => {
            digest.write(&[5, *step, *call, reason(*why)]);
            match compensation {
                Compensation::None => digest.write(&[0]),
                Compensation::Done => digest.write(&[1]),
                Compensation::Failed { step, why } => digest.write(&[2, *step, reason(*why)]),
            }
        }
        Output::Stopped { step, call } => digest.write(&[6, *step, *call]),
    }
}

fn command(digest: &mut Digest, offer: &Offer) {
    digest.write(&[offer.step]);
    digest.write(&offer.leg.to_le_bytes());
    digest.write(&offer.legs.to_le_bytes());
    digest.write(&offer.device.0.to_le_bytes());
    digest.write(&offer.tool.0.to_le_bytes());
    for (parameter, value) in &offer.arguments {
        digest.write(&parameter.0.to_le_bytes());
        value.bytes(|bytes| digest.write(bytes));
    }
    for at in [offer.start, offer.target, offer.end] {
        match at {
            Some(at) => point(digest, at),
            None => digest.write(&[0]),
        }
    }
}

/// Takes in a point.
pub(crate) fn point(digest: &mut Digest, at: Point) {
    digest.write(&[1]);
    for axis in at {
        digest.write(&axis.to_le_bytes());
    }
}

/// Takes in a way around, or that there is none.
pub(crate) fn route(digest: &mut Digest, route: Option<Route>) {
    let Some(route) = route else {
        return digest.write(&[7, 0]);
    };
    digest.write(&[7, 1]);
    for at in route.points() {
        point(digest, *at);
    }
}

/// Takes in a refusal.
pub(crate) fn reject(digest: &mut Digest, reject: Reject) {
    digest.write(&[
        8,
        match reject {
            Reject::Truncated => 0,
            Reject::Checksum => 1,
            Reject::Version => 2,
            Reject::Malformed => 3,
            Reject::TooLarge => 4,
            Reject::Device => 5,
            Reject::OutOfRange => 6,
            Reject::Order => 7,
            Reject::Stack => 8,
            Reject::Type => 9,
            Reject::Overflow => 10,
            Reject::UnboundSlot => 11,
            Reject::UnsetResult => 12,
            Reject::NoReading => 13,
            Reject::NoCase => 14,
        },
    ]);
}

/// Takes in what the gate said.
pub(crate) fn verdict(digest: &mut Digest, verdict: Result<(), Breach>) {
    let Err(breach) = verdict else {
        return digest.write(&[9, 255]);
    };
    // A length that can't be measured is told apart from every length: those are not negative.
    let (kind, value) = match breach {
        Breach::Coordinate => (0, 0),
        Breach::Bounds { axis, at } => {
            digest.write(&[axis]);
            (1, at)
        }
        Breach::KeepOut { zone } => (2, i64::from(zone)),
        Breach::StepTooLong { length } => (3, length.unwrap_or(-1)),
        Breach::TooFast { speed } => (4, speed),
        Breach::TooHard { acceleration } => (5, acceleration),
        Breach::TurnTooFar { angle } => (6, angle),
        Breach::TurnTooFast { speed } => (7, speed),
        Breach::TooLong { duration } => (8, duration),
        Breach::TooOften { recent } => (9, i64::from(recent)),
        Breach::CannotStop { distance } => (10, distance),
        Breach::StopUnknown => (11, 0),
        Breach::StateTooOld { age_ms } => (12, i64::from(age_ms)),
        Breach::Jumped => (13, 0),
        Breach::Elsewhere { distance } => (14, distance.unwrap_or(-1)),
        Breach::PositionUnknown => (15, 0),
    };
    digest.write(&[9, kind]);
    digest.write(&value.to_le_bytes());
}

fn seen(observed: Observed) -> u8 {
    match observed {
        Observed::Met => 0,
        Observed::Read => 1,
        Observed::Skipped => 2,
        Observed::Unverified => 3,
    }
}

fn reason(why: Handoff) -> u8 {
    match why {
        Handoff::StartState => 0,
        Handoff::Precondition => 1,
        Handoff::Postcondition => 2,
        Handoff::NoAck => 3,
        Handoff::Timeout => 4,
        Handoff::Refused => 5,
        Handoff::DeviceFailed => 6,
        Handoff::Lost => 7,
        Handoff::Missing => 8,
        Handoff::Program => 9,
    }
}
