//! The kernel's virtual USB sockets (module vhci-hcd): a unit is plugged in by handing the kernel one end of a socket, and
//! pulled out by closing the other.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// `USB_SPEED_HIGH` of the kernel.
const HIGH_SPEED: u32 = 3;

#[derive(Debug, thiserror::Error)]
pub enum PlugError {
    #[error("the kernel has no virtual USB socket: run 'modprobe vhci-hcd' as root")]
    NoController,
    #[error("cannot plug the unit in at {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("all virtual USB sockets are taken")]
    Full,
}

/// Plugs in a high-speed device; what the kernel sends it comes out of the stream.
pub fn plug_in() -> Result<UnixStream, PlugError> {
    let controller = Path::new(CONTROLLER);
    let status = fs::read_to_string(controller.join("status")).map_err(|_| PlugError::NoController)?;
    let path = controller.join("attach");
    let failed = |source| PlugError::File { path: path.clone(), source };
    for port in free_ports(&status) {
        let (ours, kernels) = UnixStream::pair().map_err(failed)?;
        // The device's number in the words of USB/IP is anything but 0.
        let device = 0x1_0002 + port;
        match fs::write(&path, format!("{port} {} {device} {HIGH_SPEED}", kernels.as_raw_fd())) {
            Ok(()) => return Ok(ours),
            // Another unit was quicker.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(PlugError::Full)
}

/// High-speed ports that nothing is plugged into (state 4), from lines like `hs  0000 004 000 00000000 000000 0-0`.
fn free_ports(status: &str) -> impl Iterator<Item = u32> {
    status.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        match (fields.next()?, fields.next()?, fields.next()?) {
            ("hs", port, "004") => port.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_high_speed_ports_are_found() {
        let status = "hub port sta spd dev      sockfd local_busid\n\
                      hs  0000 006 003 00010002 000003 1-1\n\
                      hs  0001 004 000 00000000 000000 0-0\n\
                      hs  0010 004 000 00000000 000000 0-0\n\
                      ss  0011 004 000 00000000 000000 0-0\n";
        assert_eq!(free_ports(status).collect::<Vec<_>>(), [1, 10]);
    }
}
