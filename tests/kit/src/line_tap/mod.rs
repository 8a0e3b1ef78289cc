//! A line tap in software: plugs itself into this machine by the kernel's vhci-hcd (USB over IP) and plays lines. For tests of
//! the real driver, and for installers who train without hardware. It needs root and the module.

mod descriptors;
mod fault;
mod play;
mod server;
mod usbip;
mod vhci;

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use fault::{Fault, WORDS};
pub use play::{Lines, PACKET_SAMPLES, Pattern, PlayError, Player, Volts};
pub use vhci::PlugError;

/// What a unit is, and what it says that it is not.
#[derive(Clone, Debug)]
pub struct Unit {
    pub serial: String,
    /// 4 to 32.
    pub lines: u8,
    pub fifo_ms: u16,
    /// How much too fast its crystal is, in parts per million.
    pub fast_ppm: f64,
    pub faulty_lines: u32,
    pub faulty_parts: u16,
    pub protocol_major: u8,
    pub claimed_lines: Option<u8>,
    pub claimed_serial: Option<String>,
}

impl Unit {
    /// A good one.
    pub fn new(serial: &str, lines: u8) -> Self {
        Self {
            serial: serial.into(),
            lines,
            fifo_ms: 640,
            fast_ppm: 0.0,
            faulty_lines: 0,
            faulty_parts: 0,
            protocol_major: 1,
            claimed_lines: None,
            claimed_serial: None,
        }
    }
}

/// What a unit has done so far.
#[derive(Debug, Default)]
pub struct Counts {
    pub starts: AtomicU64,
    /// Sample counter of the first packet behind the newest start.
    pub started_at: AtomicU64,
    /// Of each line, for want of room in the FIFO.
    pub dropped_samples: AtomicU64,
}

struct Plug {
    stream: UnixStream,
    faults: Sender<Fault>,
    thread: JoinHandle<io::Result<()>>,
}

/// A unit with power of its own: its samples are counted on while it is not plugged in.
pub struct SoftwareTap {
    unit: Unit,
    switched_on: Instant,
    lines: Arc<Mutex<Box<dyn Lines>>>,
    counts: Arc<Counts>,
    plug: Option<Plug>,
}

impl SoftwareTap {
    /// Switches it on.
    pub fn new(unit: Unit, lines: impl Lines + 'static) -> Self {
        Self {
            unit,
            switched_on: Instant::now(),
            lines: Arc::new(Mutex::new(Box::new(lines))),
            counts: Arc::default(),
            plug: None,
        }
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How long ago the unit took a sample, by its own crystal.
    pub fn age(&self, sample: u64) -> Duration {
        let taken = sample as f64 / 8000.0 / (1.0 + self.unit.fast_ppm * 1e-6);
        self.switched_on.elapsed().saturating_sub(Duration::from_secs_f64(taken))
    }

    /// Plugs it in; it was pulled out before.
    pub fn plug_in(&mut self) -> Result<(), PlugError> {
        self.unplug();
        let stream = vhci::plug_in()?;
        let failed = |source| PlugError::File { path: "/dev/bus/usb".into(), source };
        let (faults, asked) = channel();
        let server = server::Server {
            unit: self.unit.clone(),
            stream: stream.try_clone().map_err(failed)?,
            switched_on: self.switched_on,
            lines: self.lines.clone(),
            faults: asked,
            counts: self.counts.clone(),
            state: server::State::default(),
        };
        let thread =
            thread::Builder::new().name("software tap".into()).spawn(|| server.run()).map_err(failed)?;
        self.plug = Some(Plug { stream, faults, thread });
        Ok(())
    }

    pub fn unplug(&mut self) {
        if let Some(plug) = self.plug.take() {
            let _ = plug.stream.shutdown(Shutdown::Both);
            // A socket that was closed in the middle of an answer is what was wanted.
            let _ = plug.thread.join();
        }
    }

    /// Asks for a fault, at the next packet; `false`: it is not plugged in.
    pub fn fault(&self, fault: Fault) -> bool {
        self.plug.as_ref().is_some_and(|plug| plug.faults.send(fault).is_ok())
    }
}

impl Drop for SoftwareTap {
    fn drop(&mut self) {
        self.unplug();
    }
}
