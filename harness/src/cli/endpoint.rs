//! The two ends of `ringfence explain`.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{
    Cell, Endpoint, External, Family, Name, Origin, PodName, Port, Protocol, Topology, Via,
};
use crate::scenario::nearby::nearest;

/// An end as it is written: a pod, or an address outside the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// `NAMESPACE/POD`.
    Pod(PodName),
    /// An address.
    Address(IpAddr),
}

/// A destination's port as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Service {
    /// A number.
    Number(u16),
    /// The name of a container port of the destination.
    Name(String),
}

/// A connection as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    /// Who connects.
    pub(super) from: End,
    /// Who is connected to.
    pub(super) to: End,
    /// On which port.
    pub(super) service: Service,
    /// By which protocol; `None` where it is not written, which is TCP unless
    /// the port's name says otherwise.
    pub(super) protocol: Option<Protocol>,
}

/// Why a connection cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum EndError {
    /// The source or the destination's host is not understood.
    #[error("expected `NAMESPACE/POD` or an address, found `{0}`")]
    End(String),
    /// The destination has no port.
    #[error("expected `{0}:PORT`, found no port: add one, for example `{0}:80/TCP`")]
    NoPort(String),
    /// The port is neither a number from 1 to 65535 nor a name.
    #[error("expected a port from 1 to 65535 or a port's name, found `{0}`")]
    Port(String),
    /// The protocol is not one of the API's.
    #[error(transparent)]
    Protocol(#[from] ringfence_probe::UnknownProtocol),
    /// The pod is in no manifest.
    #[error("expected a pod of the manifests, found `{name}`{}", near.as_ref().map(|n| format!(": did you mean `{n}`?")).unwrap_or_default())]
    NoSuchPod {
        /// The name that was given.
        name: String,
        /// The name that is nearest.
        near: Option<String>,
    },
    /// The destination has no such port.
    #[error("expected a named port of `{pod}`, found `{port}`; it has {has}")]
    NoSuchPort {
        /// The destination.
        pod: String,
        /// The name that was given.
        port: String,
        /// The names that there are.
        has: String,
    },
    /// One end has no address of the other's family.
    #[error("expected two ends of one address family, found `{0}` and `{1}`")]
    Families(String, String),
    /// Both ends are outside the cluster.
    #[error("expected at least one pod, found two addresses: no policy is about them")]
    BothOutside,
}

impl End {
    fn parse(text: &str) -> Result<Self, EndError> {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self::Address(address));
        }
        match text.parse() {
            Ok(Endpoint::Pod(pod)) => Ok(Self::Pod(pod)),
            _ => Err(EndError::End(text.to_owned())),
        }
    }

    /// The endpoint in a topology, into which an address is put as a host
    /// outside the cluster unless a pod or host there has it.
    fn resolve(&self, topology: &mut Topology) -> Result<Endpoint, EndError> {
        match self {
            Self::Pod(name) if topology.pods.contains_key(name) => Ok(Endpoint::Pod(name.clone())),
            Self::Pod(name) => {
                let (name, there) =
                    (name.to_string(), topology.pods.keys().map(PodName::to_string));
                let there: Vec<String> = there.collect();
                let near = nearest(&name, there.iter().map(String::as_str)).map(str::to_owned);
                Err(EndError::NoSuchPod { name, near })
            }
            Self::Address(address) => {
                let known = topology.pods.iter().find(|(_, pod)| {
                    pod.has_network() && !pod.host_network && pod.addresses.contains(address)
                });
                if let Some((name, _)) = known {
                    return Ok(Endpoint::Pod(name.clone()));
                }
                let name: Name = Arc::from(address.to_string());
                let host = External {
                    name: name.clone(),
                    addresses: vec![*address],
                    ports: Vec::new(),
                    origin: Origin::synthetic("command line"),
                };
                topology.externals.entry(name.clone()).or_insert(host);
                Ok(Endpoint::External(name))
            }
        }
    }
}

impl Connection {
    /// Reads `--from` and `--to`.
    ///
    /// # Errors
    /// What was expected of the part that is not understood.
    pub(super) fn parse(from: &str, to: &str) -> Result<Self, EndError> {
        let from = End::parse(from)?;
        let closed = to.rfind(']').unwrap_or(0);
        let colon = to[closed..].rfind(':').map(|at| at + closed);
        // An IPv6 address without brackets would otherwise lose its last group.
        let colon = colon.filter(|_| to.parse::<IpAddr>().is_err());
        let Some(colon) = colon else { return Err(EndError::NoPort(to.to_owned())) };
        let (end, rest) = (End::parse(&to[..colon])?, &to[colon + 1..]);
        let (port, protocol) = match rest.split_once('/') {
            Some((port, protocol)) => (port, Some(protocol.parse()?)),
            None => (rest, None),
        };
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let service = if digits {
            let number = port.parse().ok().filter(|number| *number > 0);
            Service::Number(number.ok_or_else(|| EndError::Port(port.to_owned()))?)
        } else if port.is_empty() {
            return Err(EndError::Port(port.to_owned()));
        } else {
            Service::Name(port.to_owned())
        };
        if matches!((&from, &end), (End::Address(_), End::Address(_))) {
            return Err(EndError::BothOutside);
        }
        Ok(Self { from, to: end, service, protocol })
    }

    /// The cells of the connection, one for each family that both ends may
    /// have. An address that is nobody's becomes a host outside the cluster,
    /// and a port that nobody declares is listened on.
    ///
    /// # Errors
    /// Where a pod or named port is not there, or the ends share no family.
    pub(super) fn cells(&self, topology: &mut Topology) -> Result<Vec<Cell>, EndError> {
        let source = self.from.resolve(topology)?;
        let destination = self.to.resolve(topology)?;
        let (port, protocol) = match &self.service {
            Service::Number(number) => (*number, self.protocol.unwrap_or_default()),
            Service::Name(name) => self.named(name, topology.ports(&destination), &destination)?,
        };
        let has = |end: &Endpoint, family| {
            let addresses = topology.addresses(end);
            addresses.is_empty() || addresses.iter().any(|a| Family::of(*a) == family)
        };
        let cells: Vec<Cell> = Family::ALL
            .into_iter()
            .filter(|family| has(&source, *family) && has(&destination, *family))
            .map(|family| Cell {
                source: source.clone(),
                destination: destination.clone(),
                port,
                protocol,
                family,
                via: Via::Pod,
            })
            .collect();
        if cells.is_empty() {
            return Err(EndError::Families(source.to_string(), destination.to_string()));
        }
        Ok(cells)
    }

    fn named(
        &self,
        name: &str,
        ports: &[Port],
        destination: &Endpoint,
    ) -> Result<(u16, Protocol), EndError> {
        let found = ports.iter().find(|port| {
            port.name.as_deref() == Some(name)
                && self.protocol.is_none_or(|protocol| protocol == port.protocol)
        });
        let names = || ports.iter().filter_map(|port| Some(format!("`{}`", port.name.as_ref()?)));
        found.map(|port| (port.number, port.protocol)).ok_or_else(|| {
            let has = names().collect::<Vec<_>>().join(", ");
            EndError::NoSuchPort {
                pod: destination.to_string(),
                port: name.to_owned(),
                has: if has.is_empty() { "none".to_owned() } else { has },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{Phase, Pod};

    fn topology() -> Topology {
        let pod = |name: &str, address: &str| {
            let name = PodName::new("prod", name);
            let port = Port { name: Some("db".into()), number: 3306, protocol: Protocol::Tcp };
            let pod = Pod {
                name: name.clone(),
                labels: BTreeMap::new(),
                ports: vec![port],
                node: None,
                addresses: address.parse().into_iter().collect(),
                host_network: false,
                phase: Phase::Running,
                terminating: false,
                origin: Origin::synthetic("test"),
            };
            (name, pod)
        };
        Topology { pods: [pod("api", ""), pod("db", "10.0.0.9")].into(), ..Topology::default() }
    }

    fn cells(from: &str, to: &str) -> Result<Vec<String>, EndError> {
        let cells = Connection::parse(from, to)?.cells(&mut topology())?;
        Ok(cells.iter().map(Cell::to_string).collect())
    }

    #[test]
    fn connections() {
        for (from, to, expected) in [
            ("prod/api", "prod/db:3306", "prod/api -> prod/db:3306/TCP over ipv4"),
            ("prod/api", "prod/db:db", "prod/api -> prod/db:3306/TCP over ipv4"),
            ("prod/api", "prod/db:53/UDP", "prod/api -> prod/db:53/UDP over ipv4"),
            ("prod/api", "10.0.0.9:80", "prod/api -> prod/db:80/TCP over ipv4"),
            ("203.0.113.7", "prod/db:80", "203.0.113.7 -> prod/db:80/TCP over ipv4"),
            ("prod/api", "192.168.5.10:80", "prod/api -> 192.168.5.10:80/TCP over ipv4"),
            ("prod/api", "[2001:db8::1]:80/TCP", "prod/api -> 2001:db8::1:80/TCP over ipv6"),
        ] {
            assert_eq!(cells(from, to), Ok(vec![expected.to_owned()]));
        }
        assert_eq!(cells("prod/db", "prod/api:80").map(|cells| cells.len()), Ok(1));
    }

    #[test]
    fn what_is_not_understood_is_told() {
        for (from, to, message) in [
            ("api", "prod/db:80", "expected `NAMESPACE/POD` or an address, found `api`"),
            (
                "prod/api",
                "prod/db",
                "expected `prod/db:PORT`, found no port: add one, for example `prod/db:80/TCP`",
            ),
            (
                "prod/api",
                "2001:db8::1",
                "expected `2001:db8::1:PORT`, found no port: add one, for example `2001:db8::1:80/TCP`",
            ),
            (
                "prod/api",
                "prod/db:0",
                "expected a port from 1 to 65535 or a port's name, found `0`",
            ),
            ("prod/api", "prod/db:80/tcp", "expected TCP, UDP or SCTP, found `tcp`"),
            (
                "prod/apj",
                "prod/db:80",
                "expected a pod of the manifests, found `prod/apj`: did you mean `prod/api`?",
            ),
            (
                "prod/api",
                "prod/db:http",
                "expected a named port of `prod/db`, found `http`; it has `db`",
            ),
            (
                "2001:db8::1",
                "prod/db:80",
                "expected two ends of one address family, found `2001:db8::1` and `prod/db`",
            ),
            (
                "203.0.113.7",
                "203.0.113.8:80",
                "expected at least one pod, found two addresses: no policy is about them",
            ),
        ] {
            assert_eq!(cells(from, to).map_err(|e| e.to_string()), Err(message.to_owned()));
        }
    }
}
