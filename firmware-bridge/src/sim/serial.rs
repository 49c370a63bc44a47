//! A simulated device at the end of a serial line: the same device side and the same plants behind [`crate::port`], as on a
//! microcontroller. Without a port it makes a pseudo-terminal, so that a host drives it as it would drive a board on a cable.

use super::client::{SimError, SimHandle, boot, start};
use super::faults::Faults;
use super::motion::Xorshift;
use super::{Hastened, Memory, SimFlash, SimKind};
use crate::desk::Desk;
use crate::device::Device;
use crate::io::tty::{BAUD, PseudoPort, SerialAddress, Tty};
use crate::port::{Line, Port};
use crate::store::Store;
use crate::topic::DeviceName;
use llmos_follower::Millis;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How often a device that acts, or has more to say than its line takes, is looked after, in milliseconds.
const STEP_MS: Millis = 5;
/// How long a port that is gone is left alone.
const GONE: Duration = Duration::from_millis(100);
/// Of so many bytes one is hit, where the line is noisy: about three a second on a line that is in full use.
const NOISE_ONE_IN: u64 = 4_000;
/// Bytes that may wait to be read by the device.
const RECEIVED_MAX: usize = 4_096;
/// The longest cut of a noisy line, in bytes.
const CUT_LEN_MAX: u64 = 40;
/// Bytes that a second takes to pass: ten bits for each.
const BYTES_PER_S: u64 = BAUD as u64 / 10;

/// What to simulate, and where.
#[derive(Clone, Debug)]
pub struct SerialOptions {
    /// The device.
    pub kind: SimKind,
    /// Its name.
    pub device: DeviceName,
    /// A port that is there, or a name for a new one; `None` for a new one with a name of the system's.
    pub at: Option<PathBuf>,
    /// The scene; 0 is the documented one.
    pub seed: u64,
    /// How many times faster than life the plant moves.
    pub haste: u32,
    /// What goes wrong: what the plant knows of, and [`Faults::noise`].
    pub faults: Faults,
    /// Where its programs are, and what it takes.
    pub memory: Memory,
}

/// Starts a simulated device on a thread of its own and says at which port a host finds it. The line is as fast as one of 115,200 baud.
///
/// # Errors
/// The thread or the port cannot be made or opened.
pub fn run_serial(options: SerialOptions) -> Result<(SimHandle, String), SimError> {
    let plant = options.kind.plant(options.seed, options.haste, options.faults.clone());
    let store = Store::open(options.memory.open()?, options.memory.config(&options.device), &plant);
    let device = Device::with_programs(plant, boot(&options.device), store);
    let (saying, said) = std::sync::mpsc::channel();
    let name = options.device.to_string();
    let handle = start(&name, move |ended| async move {
        match Place::of(options.at.as_deref()) {
            Ok((tty, place)) => {
                // Whoever started it waits for this.
                let _ = saying.send(Ok(place.path.clone()));
                let noise = options.faults.noise.map(|_| Xorshift::new(options.seed + 1));
                live(device, options.device, Cable::new(tty, noise), ended).await;
                drop(place);
            }
            Err(error) => {
                let _ = saying.send(Err(error));
            }
        }
    })?;
    let path = said.recv().map_err(|_| io::Error::other("its thread ended"))??;
    Ok((handle, path))
}

async fn live(
    mut device: Device<Hastened, Store<SimFlash>>,
    name: DeviceName,
    mut cable: Cable,
    mut ended: oneshot::Receiver<()>,
) {
    let mut port: Port<4_096> = Port::new(name);
    let mut desk = Desk::default();
    let began = Instant::now();
    let clock = || Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
    let mut buffer = [0; 1_024];
    loop {
        let now = clock();
        cable.now = now;
        port.serve(now, &mut device, &mut cable, &mut desk);
        let hurry = device.status().busy || port.is_sending() || !cable.received.is_empty();
        let due = if hurry {
            now + STEP_MS
        } else {
            device.next_deadline().max(now + 1)
        };
        tokio::select! {
            biased;
            _ = &mut ended => return,
            // A flood waits where it is.
            read = cable.tty.read(&mut buffer), if cable.received.len() < RECEIVED_MAX => match read {
                Ok(len) => cable.receive(buffer.get(..len).unwrap_or_default()),
                // Nobody is at the other end; the plant goes on.
                Err(_) => tokio::time::sleep(GONE).await,
            },
            () = tokio::time::sleep_until(began + Duration::from_millis(due)) => {}
        }
    }
}

/// The line, its pace and its noise.
struct Cable {
    tty: Tty,
    received: VecDeque<u8>,
    noise: Option<Xorshift>,
    /// Bytes that are lost, of a cut.
    cut: u64,
    now: Millis,
    /// Until when the line is in use with what was written, in microseconds.
    taken_us: u64,
}

impl Cable {
    fn new(tty: Tty, noise: Option<Xorshift>) -> Cable {
        Cable {
            tty,
            received: VecDeque::new(),
            noise,
            cut: 0,
            now: 0,
            taken_us: 0,
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let (damaged, len) = self.damaged(*byte);
            self.received.extend(damaged.iter().take(len));
        }
    }

    /// What becomes of a byte on its way: none, one or two of them.
    fn damaged(&mut self, byte: u8) -> ([u8; 2], usize) {
        let Some(chance) = self.noise.as_mut() else {
            return ([byte; 2], 1);
        };
        if self.cut > 0 {
            self.cut -= 1;
            return ([0; 2], 0);
        }
        if chance.below(NOISE_ONE_IN) > 0 {
            return ([byte; 2], 1);
        }
        let some = u8::try_from(chance.below(256)).unwrap_or_default();
        match chance.below(4) {
            0 => ([byte ^ (1 << (some % 8)); 2], 1),
            1 => ([0; 2], 0),
            2 => {
                self.cut = chance.below(CUT_LEN_MAX);
                ([0; 2], 0)
            }
            _ => ([some, byte], 2),
        }
    }
}

impl Line for Cable {
    fn read(&mut self) -> Option<u8> {
        self.received.pop_front()
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        // As a real line, it takes what it has had time for, and a little buffer more.
        let now_us = self.now * 1_000;
        let free = (now_us + 2_000 * STEP_MS).saturating_sub(self.taken_us.max(now_us)) * BYTES_PER_S / 1_000_000;
        let len = bytes.len().min(usize::try_from(free).unwrap_or(usize::MAX));
        let bytes = bytes.get(..len).unwrap_or_default();
        let taken = if self.noise.is_some() {
            let mut rough = Vec::with_capacity(len + 2);
            for byte in bytes {
                let (damaged, len) = self.damaged(*byte);
                rough.extend(damaged.iter().take(len));
            }
            // What finds no room is lost as well.
            let _ = self.tty.try_write(&rough);
            len
        } else {
            self.tty.try_write(bytes)
        };
        let passing = u64::try_from(taken).unwrap_or(0) * 1_000_000 / BYTES_PER_S;
        self.taken_us = self.taken_us.max(now_us) + passing;
        taken
    }
}

/// Where the device is found; a name that was made for it goes with it.
struct Place {
    path: String,
    link: Option<PathBuf>,
    _pseudo: Option<PseudoPort>,
}

impl Place {
    fn of(at: Option<&Path>) -> io::Result<(Tty, Place)> {
        let linked = at.and_then(|path| std::fs::read_link(path).ok());
        // A link to a pseudo-terminal is what a simulation has left behind, and what it led to may be somebody else's by now.
        let stale = linked.is_some_and(|target| target.starts_with("/dev/pts"));
        match at {
            Some(path) if path.exists() && !stale => {
                let path = path.display().to_string();
                let address = SerialAddress { path, baud: BAUD };
                let tty = Tty::open(&address).map_err(io::Error::other)?;
                let place = Place {
                    path: address.path,
                    link: None,
                    _pseudo: None,
                };
                Ok((tty, place))
            }
            _ => Place::new(at, stale),
        }
    }

    fn new(link: Option<&Path>, stale: bool) -> io::Result<(Tty, Place)> {
        let (tty, pseudo) = Tty::pseudo()?;
        if let Some(link) = link {
            if stale {
                std::fs::remove_file(link)?;
            }
            std::os::unix::fs::symlink(pseudo.path(), link)?;
        }
        let place = Place {
            path: link.map_or_else(|| pseudo.path().to_owned(), |link| link.display().to_string()),
            link: link.map(Path::to_owned),
            _pseudo: Some(pseudo),
        };
        Ok((tty, place))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // It may be gone already.
            let _ = std::fs::remove_file(link);
        }
    }
}
