//! The bridge between an exec's standard streams and the agent's socket.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use super::abstract_socket;

/// How much is carried at once, in bytes.
const LOAD: usize = 64 << 10;

/// Carries bytes between the standard streams and the agent's socket, unchanged, until the agent
/// ends the connection or nobody reads any longer. The end of standard input is passed on, and
/// the agent then ends the connection.
///
/// # Errors
/// When no agent listens on the socket, or a standard stream fails.
pub fn bridge(socket: &str) -> io::Result<()> {
    let address = abstract_socket(socket)?;
    let agent = UnixStream::connect_addr(&address).map_err(|error| {
        let words = format!(
            "expected an agent on the abstract socket `{socket}`: {error}; is `ringfence-agent \
             serve` this container's first process?"
        );
        io::Error::new(error.kind(), words)
    })?;
    // The library's own buffers would hold back bytes until a line ends.
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let to_agent = agent.try_clone()?;
    thread::Builder::new().name("bridge-in".to_owned()).spawn(move || {
        // Where the agent reads no longer, its last words are still to be carried.
        let _ = carry(input, &to_agent);
        let _ = to_agent.shutdown(Shutdown::Write);
    })?;
    match carry(&agent, output) {
        // An agent that ends while bytes are on their way to it resets the connection.
        Err(error)
            if !matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Carries bytes until one side ends.
fn carry(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut load = vec![0; LOAD];
    loop {
        match from.read(&mut load) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&load[..count])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
