//! What goes wrong in a simulation, and when. A fault is chosen by name and occasion, so that a failing run can be had again.

/// When a fault strikes: every time, or at one occasion (1 is the first).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// Every time.
    Always,
    /// Only then.
    Only(u32),
}

impl Occasion {
    /// Whether it strikes at the occasion with this number.
    #[must_use]
    pub fn strikes(self, number: u32) -> bool {
        match self {
            Occasion::Always => true,
            Occasion::Only(only) => only == number,
        }
    }

    /// Whether it has struck once that occasion is reached, for faults that last.
    #[must_use]
    pub fn has_begun(self, number: u32) -> bool {
        match self {
            Occasion::Always => number >= 1,
            Occasion::Only(only) => number >= only,
        }
    }
}

/// What goes wrong.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// The grip loses the object on the way after a grasp. Counted in grasps.
    pub slip: Option<Occasion>,
    /// An axis (or wheel, or vent) stops half way. Counted in motions.
    pub stall: Option<Occasion>,
    /// The device says nothing any more. Counted in commands; lasts.
    pub silent: Option<Occasion>,
    /// The device reports what cannot be. Counted in commands; lasts.
    pub nonsense: Option<Occasion>,
    /// Every acknowledgement is sent twice. Counted in commands.
    pub double_ack: Option<Occasion>,
    /// The device restarts in the middle of a command. Counted in commands.
    pub restart: Option<Occasion>,
    /// A device with topics of its own answers and does nothing. Counted in commands, as are the next two.
    pub refuse: Option<Occasion>,
    /// It reports seconds late.
    pub slow: Option<Occasion>,
    /// It reports what has changed and nothing else; always.
    pub quiet: Option<Occasion>,
    /// It is gone without a will, and the broker has kept what it last said; always.
    pub stale: Option<Occasion>,
    /// A base goes on as it was last told, for ever; always.
    pub no_watchdog: Option<Occasion>,
    /// Bytes on a serial line are flipped, lost, cut, or come from nowhere; always.
    pub noise: Option<Occasion>,
}

/// A word that names no fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "fault {0:?}: expected one of slip, stall, silent, nonsense, double_ack, restart, or for a device with topics of its own silent, refuse, slow, quiet, stale, no_watchdog, or on a serial line slip, stall, noise, each alone or as name@occasion, for example slip@2"
)]
pub struct UnknownFault(String);

impl Faults {
    /// Reads `slip`, `slip@2`, or another field's name, or several separated by commas; empty is none.
    ///
    /// # Errors
    /// [`UnknownFault`].
    pub fn parse(spec: &str) -> Result<Faults, UnknownFault> {
        let mut faults = Faults::default();
        for word in spec.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let unknown = || UnknownFault(word.to_owned());
            let (name, occasion) = match word.split_once('@') {
                Some((name, number)) => {
                    let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(unknown)?;
                    (name, Occasion::Only(number))
                }
                None => (word, Occasion::Always),
            };
            let fault = match name {
                "slip" => &mut faults.slip,
                "stall" => &mut faults.stall,
                "silent" => &mut faults.silent,
                "nonsense" => &mut faults.nonsense,
                "double_ack" => &mut faults.double_ack,
                "restart" => &mut faults.restart,
                "refuse" => &mut faults.refuse,
                "slow" => &mut faults.slow,
                "quiet" => &mut faults.quiet,
                "stale" => &mut faults.stale,
                "no_watchdog" => &mut faults.no_watchdog,
                "noise" => &mut faults.noise,
                _ => return Err(unknown()),
            };
            *fault = Some(occasion);
        }
        Ok(faults)
    }
}

/// Whether an optional fault strikes at this occasion.
pub(super) fn strikes(fault: Option<Occasion>, number: u32) -> bool {
    fault.is_some_and(|occasion| occasion.strikes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read_or_explained() {
        let faults = Faults::parse("slip@2, stall").expect("two faults");
        assert_eq!(
            (faults.slip, faults.stall),
            (Some(Occasion::Only(2)), Some(Occasion::Always))
        );
        assert_eq!(Faults::parse(""), Ok(Faults::default()));
        for bad in ["slop", "slip@", "slip@0", "slip@x", "@2"] {
            assert!(
                Faults::parse(bad).is_err_and(|error| error.to_string().contains(bad)),
                "{bad}"
            );
        }
    }
}
