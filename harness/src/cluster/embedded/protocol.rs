//! What a run and its helper say to each other: length-prefixed JSON, one request at a time.
//!
//! Both ends are the same program, so the format has no version.

use std::io::{self, Read, Write};

use ipnet::IpNet;
use ringfence_probe::{Family, Protocol};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::EmbeddedOptions;
use super::check::Check;
use crate::cluster::{Artifact, Capabilities, Timeline, Watch};
use crate::model::{Cell, Change, Endpoint, Observation, Topology, Via};

/// The longest frame that either end accepts: more means that the stream is out of step.
const LONGEST: usize = 1 << 30;

/// What the run asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Get ready; the answer is [`Reply::Ready`].
    Start(EmbeddedOptions),
    /// Try every prerequisite; the answer is [`Reply::Checks`].
    Examine,
    /// Make a cluster, of the one that stands if there is one; the answer is [`Reply::Topology`].
    Deploy(Demand),
    /// Make changes; the answer is [`Reply::Topology`].
    Change(Vec<Change>),
    /// Make a round of attempts; the answer is [`Reply::Observations`].
    Probe(Cells),
    /// Make changes while these connections are watched; the answer is [`Reply::Timeline`].
    Watch(Watch, Vec<Change>),
    /// Describe the cluster; the answer is [`Reply::Artifacts`].
    Describe,
}

/// What a cluster is to consist of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Demand {
    /// What there is to be.
    pub(super) topology: Topology,
    /// What is to stand beside it.
    pub(super) beside: Vec<Change>,
    /// The least number of nodes.
    pub(super) nodes: usize,
    /// Ranges in which no pod and no node may be.
    pub(super) avoid: Vec<IpNet>,
}

/// What the helper answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The first frame: the helper is in its own user namespace, or could not get there.
    Entered,
    /// It is ready, and can do this.
    Ready(Capabilities),
    /// The prerequisites.
    Checks(Vec<Check>),
    /// What there is now.
    Topology(Topology),
    /// One for each cell, in order.
    Observations(Vec<Observation>),
    /// What was watched.
    Timeline(Box<Timeline>),
    /// What the cluster is made of.
    Artifacts(Vec<Artifact>),
    /// It could not be done.
    Failed {
        /// Whether the machine lacks something, rather than the request being wrong.
        unsupported: bool,
        /// What was expected, what was found, and what to do.
        message: String,
    },
}

/// The cells of a round. Endpoints are named once: a matrix of 300 pods would say
/// each name 600 times.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cells {
    /// How long silence must last to count as a drop, in microseconds.
    pub(super) deadline_us: u64,
    endpoints: Vec<Endpoint>,
    cells: Vec<(u32, u32, u16, Protocol, Family, Via)>,
}

impl Cells {
    /// Names each endpoint once.
    pub(super) fn new(cells: &[Cell], deadline_us: u64) -> Self {
        let mut endpoints = Vec::new();
        let mut numbers = std::collections::HashMap::new();
        let mut number = |endpoint: &Endpoint| match numbers.get(endpoint) {
            Some(number) => *number,
            None => {
                let number = endpoints.len() as u32;
                endpoints.push(endpoint.clone());
                numbers.insert(endpoint.clone(), number);
                number
            }
        };
        let cells = cells
            .iter()
            .map(|cell| {
                let (source, destination) = (number(&cell.source), number(&cell.destination));
                (source, destination, cell.port, cell.protocol, cell.family, cell.via)
            })
            .collect();
        Self { deadline_us, endpoints, cells }
    }

    /// The cells as they were; `None` where a number names no endpoint.
    pub(super) fn expand(&self) -> Option<Vec<Cell>> {
        let endpoint = |number: u32| self.endpoints.get(number as usize).cloned();
        self.cells
            .iter()
            .map(|(source, destination, port, protocol, family, via)| {
                Some(Cell {
                    source: endpoint(*source)?,
                    destination: endpoint(*destination)?,
                    port: *port,
                    protocol: *protocol,
                    family: *family,
                    via: *via,
                })
            })
            .collect()
    }
}

/// A frame: the length of the JSON in four bytes, big endian, then the JSON.
pub(super) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    if length > LONGEST {
        return Err(too_long(length));
    }
    bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(bytes)
}

/// The length that a frame's first four bytes announce.
pub(super) fn length(header: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(header) as usize;
    if length > LONGEST { Err(too_long(length)) } else { Ok(length) }
}

fn too_long(length: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("expected a frame of at most {LONGEST} bytes, found {length}"),
    )
}

/// Writes a frame.
pub(super) fn write(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    stream.write_all(&encode(message)?)
}

/// Reads a frame; `None` at the end of the stream.
pub(super) fn read<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<Option<T>> {
    let mut header = [0; 4];
    match stream.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut body = vec![0; length(header)?];
    stream.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_were() {
        let cell = |source: &str, destination: &str, port| Cell {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            port,
            protocol: Protocol::Udp,
            family: Family::Ipv6,
            via: Via::Pod,
        };
        let cells = [cell("a/b", "node/n", 1), cell("node/n", "user", 2), cell("user", "a/b", 3)];
        let sent = Cells::new(&cells, 7);
        assert_eq!(sent.endpoints.len(), 3);
        let bytes = encode(&Request::Probe(sent)).unwrap();
        let Some(Request::Probe(read)) = read(&mut bytes.as_slice()).unwrap() else {
            panic!("expected a probe request");
        };
        assert_eq!((read.deadline_us, read.expand().unwrap()), (7, cells.to_vec()));
    }

    #[test]
    fn a_stream_ends_between_frames_and_not_within() {
        let bytes = encode(&Request::Examine).unwrap();
        assert!(read::<Request>(&mut [].as_slice()).unwrap().is_none());
        assert!(read::<Request>(&mut &bytes[..bytes.len() - 1]).is_err());
        assert!(read::<Request>(&mut [0xff; 8].as_slice()).is_err());
    }
}
