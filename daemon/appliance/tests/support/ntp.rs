//! Time servers of a test's own, on the loopback: right, late, lying, refusing, talking nonsense.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use crate::machine::true_us;

const NTP_TO_1970_S: i64 = 2_208_988_800;

/// How a server answers.
#[derive(Clone, Copy)]
pub struct Manners {
    /// Its time less true time.
    pub lies_us: i64,
    /// Each way, up to so much.
    pub jitter_ms: u64,
    /// Highest two bits of the first byte; 3: it does not know the time.
    pub leap: u8,
    pub stratum: u8,
    pub kiss: Option<&'static [u8; 4]>,
    /// Of an answer; 48 is a whole one, 0 none at all.
    pub bytes: usize,
    /// The question comes back in each answer, or something else.
    pub repeats_question: bool,
}

pub const RIGHT: Manners =
    Manners { lies_us: 0, jitter_ms: 0, leap: 0, stratum: 2, kiss: None, bytes: 48, repeats_question: true };

/// Answers until it is dropped.
pub struct NtpServer {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NtpServer {
    pub fn start(manners: Manners) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("set");
        let address = socket.local_addr().expect("bound");
        let (asked, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (asked, ends) = (asked.clone(), ends.clone());
            move || serve(&socket, manners, &asked, &ends)
        });
        Self { address, asked, ends, thread: Some(thread) }
    }

    /// Questions so far.
    pub fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }

    /// As it stands in the settings.
    pub fn name(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for NtpServer {
    fn drop(&mut self) {
        self.ends.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

fn serve(socket: &UdpSocket, manners: Manners, asked: &AtomicUsize, ends: &AtomicBool) {
    let mut random = fastrand::Rng::with_seed(11);
    let mut late = move || sleep(Duration::from_micros(random.u64(0..=manners.jitter_ms * 1000)));
    let mut question = [0; 256];
    while !ends.load(SeqCst) {
        let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
        assert_eq!(length, 48, "a question of version 4 and mode 3");
        assert_eq!(question[0], 0b00_100_011);
        asked.fetch_add(1, SeqCst);
        late();
        let came = ntp(true_us() + manners.lies_us);
        let mut answer = [0; 48];
        answer[..4].copy_from_slice(&[manners.leap << 6 | 0b100_100, manners.stratum, 4, 0xec]);
        answer[12..16].copy_from_slice(manners.kiss.unwrap_or(b"TEST"));
        if manners.repeats_question {
            answer[24..32].copy_from_slice(&question[40..48]);
        }
        answer[32..40].copy_from_slice(&came);
        answer[40..48].copy_from_slice(&ntp(true_us() + manners.lies_us));
        if manners.kiss.is_some() {
            answer[1] = 0;
        }
        late();
        if manners.bytes > 0 {
            socket.send_to(&answer[..manners.bytes], from).expect("sent");
        }
    }
}

fn ntp(utc_us: i64) -> [u8; 8] {
    let seconds = (utc_us.div_euclid(1_000_000) + NTP_TO_1970_S) as u64 & 0xffff_ffff;
    let fraction = ((utc_us.rem_euclid(1_000_000) as u64) << 32) / 1_000_000;
    (seconds << 32 | fraction).to_be_bytes()
}
