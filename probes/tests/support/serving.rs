//! Servers for tests.

use ringfence_probe::wire::Listen;
use ringfence_probe::{Protocol, Servers};

pub(crate) fn listen(protocol: Protocol, port: u16) -> Listen {
    Listen { protocol, port }
}

pub(crate) fn servers(identity: &str, ports: &[Listen]) -> Servers {
    let servers = Servers::start().unwrap();
    assert_eq!(servers.listen(identity, ports), []);
    servers
}
