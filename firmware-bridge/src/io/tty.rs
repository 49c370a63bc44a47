//! Serial ports of this machine, real or pseudo: opened, made raw, owned by one program. It must not know what the bytes say.

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    Action, ControlModes, InputModes, OptionalActions, QueueSelector, SpecialCodeIndex, isatty, tcflow, tcflush,
    tcgetattr, tcsetattr,
};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;

/// The speed where nobody says another, in bits a second.
pub const BAUD: u32 = 115_200;

/// How long bytes are pushed past others that are written at the same time.
const PUSH_MAX: Duration = Duration::from_millis(10);

/// Where a device's serial line ends on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SerialAddress {
    /// The port, such as `/dev/ttyUSB0`.
    pub path: String,
    /// Its speed, in bits a second: eight bits, no parity, one stop bit, no flow control.
    pub baud: u32,
}

impl fmt::Display for SerialAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} baud", self.path, self.baud)
    }
}

/// Why a port can't be used, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum TtyError {
    /// Nothing has that name.
    #[error("there is no {0}: is the device plugged in, and is that its port? (ls /dev/serial/by-id)")]
    Missing(String),
    /// This user may not.
    #[error(
        "this user may not open {0}: add the user to the port's group (often dialout), or give it the right by a udev rule"
    )]
    Forbidden(String),
    /// Somebody else has it.
    #[error("another program uses {0}: a serial port has one owner; end that program, or do it there")]
    Taken(String),
    /// It is a file of another kind.
    #[error("{0} is no serial port")]
    NoPort(String),
    /// It does not know this speed.
    #[error("{0} can't be set: try another speed (baud), usual are 9600, 57600 and 115200")]
    Speed(SerialAddress),
    /// Anything else.
    #[error("{0}: {1}")]
    Other(String, io::Error),
}

impl TtyError {
    fn of(path: &str, error: Errno) -> TtyError {
        let path = path.to_owned();
        match error {
            Errno::NOENT | Errno::NXIO | Errno::NODEV => TtyError::Missing(path),
            Errno::ACCESS | Errno::PERM => TtyError::Forbidden(path),
            Errno::WOULDBLOCK | Errno::BUSY => TtyError::Taken(path),
            Errno::NOTTY => TtyError::NoPort(path),
            other => TtyError::Other(path, other.into()),
        }
    }
}

/// One end of a line, open and raw; nothing in it waits.
#[derive(Debug)]
pub struct Tty {
    fd: AsyncFd<OwnedFd>,
}

impl Tty {
    /// Opens a port as its only owner, as far as programs keep to `flock`; what had come in before is thrown away.
    ///
    /// # Errors
    /// [`TtyError`].
    pub fn open(address: &SerialAddress) -> Result<Tty, TtyError> {
        let fd = owned(address)?;
        let path = &address.path;
        // What was received before anybody listened is of any age.
        tcflush(&fd, QueueSelector::IFlush).map_err(|error| TtyError::of(path, error))?;
        Tty::of(fd).map_err(|error| TtyError::Other(path.clone(), error))
    }

    /// Makes a pseudo-terminal: this end, and the path of the other.
    ///
    /// # Errors
    /// The system has none left.
    pub fn pseudo() -> io::Result<(Tty, PseudoPort)> {
        let fd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&fd)?;
        unlockpt(&fd)?;
        let path = ptsname(&fd, Vec::new())?.to_string_lossy().into_owned();
        let flags = rustix::fs::fcntl_getfl(&fd)?;
        rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
        let held = unowned(&path)?;
        raw(&held, BAUD)?;
        Ok((Tty::of(fd)?, PseudoPort { path, _held: held }))
    }

    #[expect(
        deprecated,
        reason = "its successor is unsafe for types that might change their descriptor, which an OwnedFd does not"
    )]
    fn of(fd: OwnedFd) -> io::Result<Tty> {
        AsyncFd::new(fd).map(|fd| Tty { fd })
    }

    /// Waits for bytes and reads some; never none.
    ///
    /// # Errors
    /// The line is gone.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut guard = self.fd.readable().await?;
            match guard.try_io(|fd| rustix::io::read(fd, &mut *buffer).map_err(io::Error::from)) {
                // A port whose other end is gone can be read, and gives nothing.
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(read) => return read,
                Err(_would_block) => {}
            }
        }
    }

    /// Writes all of it, and waits for room where there is none.
    ///
    /// # Errors
    /// The line is gone.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut guard = self.fd.writable().await?;
            match guard.try_io(|fd| rustix::io::write(fd, rest).map_err(io::Error::from)) {
                Ok(Ok(len)) => rest = rest.get(len..).unwrap_or_default(),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
        Ok(())
    }

    /// Writes as much as there is room for now, and says how much that was.
    #[must_use]
    pub fn try_write(&self, bytes: &[u8]) -> usize {
        rustix::io::write(self.fd.get_ref(), bytes).unwrap_or(0)
    }

    /// Throws away what was written and has not left.
    pub fn forget_written(&self) {
        // What can't be thrown away leaves late, as it would have.
        let _ = tcflush(self.fd.get_ref(), QueueSelector::OFlush);
    }
}

/// The other end of a pseudo-terminal. It stays open, so that a host may come and go.
#[derive(Debug)]
pub struct PseudoPort {
    path: String,
    _held: OwnedFd,
}

impl PseudoPort {
    /// What a host opens.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Writes these bytes now, ahead of whatever waits to leave, also where another program owns the port: only that program can be heard, but
/// anybody may speak. A write is whole, so it stands between two others of the owner or cuts one in two.
///
/// # Errors
/// [`TtyError`]; nothing was written, or not all of it.
pub fn push_past(address: &SerialAddress, bytes: &[u8]) -> Result<(), TtyError> {
    let path = &address.path;
    let fd = match owned(address) {
        Ok(fd) => fd,
        Err(TtyError::Taken(_)) => unowned(path).map_err(|error| TtyError::of(path, error))?,
        Err(error) => return Err(error),
    };
    let end = Instant::now() + PUSH_MAX;
    loop {
        make_way(&fd);
        match rustix::io::write(&fd, bytes) {
            Ok(len) if len == bytes.len() => return Ok(()),
            // Another program is in the middle of a write, or was quicker; between two writes of its own there is room for ours.
            Ok(_) | Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < end => std::thread::yield_now(),
            Ok(_) => return Err(TtyError::Other(path.clone(), io::ErrorKind::WriteZero.into())),
            Err(error) => return Err(TtyError::Other(path.clone(), error.into())),
        }
    }
}

/// Throws away what waits to leave, and wakes whoever waits for room in the middle of a write: nobody else can write until that write is over,
/// and a pseudo-terminal that is emptied does not wake its writer by itself. Being let go on after a halt does.
fn make_way(fd: &OwnedFd) {
    // It may be gone by now, which the next write will say.
    let _ = tcflush(fd, QueueSelector::OFlush);
    let _ = tcflow(fd, Action::OOff);
    let _ = tcflow(fd, Action::OOn);
}

fn unowned(path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = open(path, flags, Mode::empty())?;
    if isatty(&fd) { Ok(fd) } else { Err(Errno::NOTTY) }
}

fn owned(address: &SerialAddress) -> Result<OwnedFd, TtyError> {
    let path = &address.path;
    let fd = unowned(path).map_err(|error| TtyError::of(path, error))?;
    flock(&fd, FlockOperation::NonBlockingLockExclusive).map_err(|error| TtyError::of(path, error))?;
    raw(&fd, address.baud).map_err(|error| match error {
        Errno::INVAL => TtyError::Speed(address.clone()),
        error => TtyError::of(path, error),
    })?;
    Ok(fd)
}

/// Bytes as they are: no echo, no lines, no flow control, and closing the port does not reset a board that hangs on its signals.
fn raw(fd: impl AsFd, baud: u32) -> Result<(), Errno> {
    let mut modes = tcgetattr(&fd)?;
    modes.make_raw();
    modes.control_modes |= ControlModes::CREAD | ControlModes::CLOCAL;
    modes.control_modes &= !(ControlModes::CRTSCTS | ControlModes::HUPCL | ControlModes::CSTOPB);
    modes.input_modes &= !(InputModes::IXOFF | InputModes::IXANY);
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    modes.set_speed(baud)?;
    tcsetattr(&fd, OptionalActions::Now, &modes)
}
