//! What each kind of `ports` is written as, and which ports it means.

use serde_json::{Value, json};

use super::axis::Port;
use super::town::{Listener, PORT_NAME};
use crate::model::Protocol;

/// One entry of `ports`.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    /// As it is written.
    pub(super) written: Value,
    /// The protocol that it means.
    protocol: Protocol,
    /// The ports that it means.
    numbers: Numbers,
}

/// Ports of one protocol.
#[derive(Debug, Clone, Copy)]
pub(super) enum Numbers {
    /// All.
    Every,
    /// From the first to the last.
    From(u16, u16),
    /// The one that bears the name, in each pod.
    Named,
}

impl Opening {
    /// An entry as it is written, and the ports that it means.
    pub(super) const fn new(written: Value, protocol: Protocol, numbers: Numbers) -> Self {
        Self { written, protocol, numbers }
    }

    /// Whether it means a port.
    pub(super) const fn means(&self, listener: Listener) -> bool {
        self.protocol as u8 == listener.protocol as u8
            && match self.numbers {
                Numbers::Every => true,
                Numbers::From(first, last) => first <= listener.number && listener.number <= last,
                Numbers::Named => listener.named,
            }
    }
}

/// One port of a protocol.
pub(super) fn number(protocol: Protocol, number: u16) -> Opening {
    Opening {
        written: json!({ "protocol": protocol.to_string(), "port": number }),
        protocol,
        numbers: Numbers::From(number, number),
    }
}

/// `ports`, and what it means; `None` where it is absent.
pub(super) fn openings(port: Port, protocol: Protocol) -> Option<Vec<Opening>> {
    let range = |first: u16, last: u16| Opening {
        written: json!({ "protocol": protocol.to_string(), "port": first, "endPort": last }),
        protocol,
        numbers: Numbers::From(first, last),
    };
    let openings = match port {
        Port::Absent => return None,
        Port::EmptyList => Vec::new(),
        Port::Number => vec![number(protocol, 80)],
        Port::NoProtocol => vec![Opening {
            written: json!({ "port": 80 }),
            protocol: Protocol::Tcp,
            numbers: Numbers::From(80, 80),
        }],
        Port::Name => vec![Opening {
            written: json!({ "protocol": protocol.to_string(), "port": PORT_NAME }),
            protocol,
            numbers: Numbers::Named,
        }],
        Port::Range => vec![range(70, 80)],
        Port::RangeOfOne => vec![range(80, 80)],
        Port::ProtocolOnly => vec![Opening {
            written: json!({ "protocol": protocol.to_string() }),
            protocol,
            numbers: Numbers::Every,
        }],
        Port::EmptyEntry => {
            vec![Opening { written: json!({}), protocol: Protocol::Tcp, numbers: Numbers::Every }]
        }
        Port::Several => vec![number(protocol, 79), number(protocol, 80)],
    };
    Some(openings)
}
