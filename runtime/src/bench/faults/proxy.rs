//! A wire that can be cut: TCP connections go through this proxy on loopback, and what happens to them can be changed at any time.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often a wire looks whether it was cut, in milliseconds.
const LOOK: Duration = Duration::from_millis(5);

/// A proxy in front of a broker; it ends when it is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Connections break, and new ones end at once.
    cut: AtomicBool,
    /// What is sent takes so long, in milliseconds.
    delay_ms: AtomicU64,
    ended: AtomicBool,
}

impl Proxy {
    /// Passes connections on to this port of loopback.
    pub fn to(broker: u16) -> io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        thread::spawn(move || {
            while !seen.ended.load(Ordering::Acquire) {
                match listener.accept() {
                    Ok((near, _)) if !seen.cut.load(Ordering::Acquire) => join(near, broker, &seen),
                    Ok(_) => {}
                    Err(_) => thread::sleep(LOOK),
                }
            }
        });
        Ok(Proxy { port, shared })
    }

    /// Where to connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the wire, or mends it.
    pub fn cut(&self, cut: bool) {
        self.shared.cut.store(cut, Ordering::Release);
    }

    /// Lets everything take this much longer, each way.
    pub fn slow(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.shared.delay_ms.store(delay, Ordering::Release);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
    }
}

/// Joins a connection with one to the broker, each way by a thread of its own.
fn join(near: TcpStream, broker: u16, shared: &Arc<Shared>) {
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, broker)) else {
        return;
    };
    for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
        let (Ok(from), Ok(to)) = (from, to) else { return };
        let shared = Arc::clone(shared);
        thread::spawn(move || pass(from, to, &shared));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    // Without these the wire would only be slower or later than it should; it still works.
    let _ = from.set_nonblocking(false);
    let _ = from.set_read_timeout(Some(LOOK));
    let _ = to.set_nodelay(true);
    let mut late: std::collections::VecDeque<(Instant, Vec<u8>)> = std::collections::VecDeque::new();
    let mut bytes = [0; 4096];
    loop {
        if shared.ended.load(Ordering::Acquire) || shared.cut.load(Ordering::Acquire) {
            break;
        }
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => {
                let delay = Duration::from_millis(shared.delay_ms.load(Ordering::Acquire));
                late.push_back((Instant::now() + delay, bytes[..count].to_vec()));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        while late.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            let sent = late.pop_front().map(|(_, bytes)| to.write_all(&bytes));
            if !matches!(sent, Some(Ok(()))) {
                break;
            }
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || io::copy(&mut stream.try_clone().expect("a clone"), &mut &stream));
            }
        });
        port
    }

    fn says(stream: &mut TcpStream) -> io::Result<[u8; 4]> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"ping")?;
        let mut back = [0; 4];
        stream.read_exact(&mut back)?;
        Ok(back)
    }

    #[test]
    fn a_wire_passes_bytes_until_it_is_cut_and_again_once_mended() {
        let proxy = Proxy::to(echo()).expect("a proxy");
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).expect("a connection");
        let mut wire = connect();
        assert_eq!(&says(&mut wire).expect("an echo"), b"ping");
        proxy.cut(true);
        thread::sleep(LOOK * 10);
        assert!(says(&mut wire).is_err(), "a cut wire carries nothing");
        assert!(says(&mut connect()).is_err(), "nor does a new one");
        proxy.cut(false);
        assert_eq!(&says(&mut connect()).expect("an echo"), b"ping");
        proxy.slow(Duration::from_millis(60));
        let begun = Instant::now();
        assert!(says(&mut connect()).is_ok());
        assert!(begun.elapsed() >= Duration::from_millis(120), "{:?}", begun.elapsed());
    }
}
