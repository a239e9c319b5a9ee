//! What `ringfence-agent` can be told, by arguments or by the environment.

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};

use crate::wire::Listen;

use super::network::NetworkPlan;
use super::{SOCKET, ServeOptions, WATCH};

/// The text of `--help`.
pub const HELP: &str = "\
Probes network policies from inside a pod.

ringfence-agent serve --identity NAMESPACE/NAME [--listen PORT/PROTOCOL,…] [--socket NAME]
    Listens, and waits for a run. The container's first process.

ringfence-agent bridge [--socket NAME]
    Carries standard input and output to `serve` in the same container, unchanged.

ringfence-agent network PLAN
    Gives the network namespace that it runs in addresses and routes, and ends. PLAN is JSON.

The environment can say the same: RINGFENCE_IDENTITY, RINGFENCE_LISTEN (such as
80/TCP,53/UDP), RINGFENCE_SOCKET (by default `ringfence-agent`, an abstract Unix socket).
RINGFENCE_WATCH is JSON by which a run has a new pod watch from its first moment.
";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Be the container's first process.
    Serve(ServeOptions),
    /// Carry bytes to the socket of this name.
    Bridge {
        /// The abstract socket's name.
        socket: String,
    },
    /// Give this network namespace addresses and routes.
    Network(NetworkPlan),
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// Arguments that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentError {
    /// An unknown or incomplete argument.
    #[error(transparent)]
    Argument(#[from] lexopt::Error),
    /// No command, or another one.
    #[error("expected `serve`, `bridge` or `network`, found {0}; see `--help`")]
    Command(String),
    /// A port to listen on that is none.
    #[error("expected a port such as `80/TCP`, found `{0}`")]
    Listen(String),
    /// A plan that is none.
    #[error("expected a plan for the network in JSON")]
    Plan(#[from] serde_json::Error),
    /// No plan.
    #[error("expected a plan after `network`, found nothing")]
    NoPlan,
    /// An order to watch that is none.
    #[error("expected an order to watch in `RINGFENCE_WATCH`, in JSON")]
    Watch(#[source] serde_json::Error),
    /// An agent answers with its identity, so it needs one.
    #[error("expected `--identity` or `RINGFENCE_IDENTITY`, such as `prod/db`, found neither")]
    Identity,
}

/// Reads arguments, the program's name first, and what they leave open from the environment.
///
/// # Errors
/// All of [`ArgumentError`].
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Command, ArgumentError> {
    let mut parser = Parser::from_iter(arguments);
    let mut command = None;
    let (mut identity, mut listen, mut socket, mut plan) = (None, None, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Command::Version),
            Arg::Long("identity") => identity = Some(parser.value()?.string()?),
            Arg::Long("listen") => listen = Some(parser.value()?.string()?),
            Arg::Long("socket") => socket = Some(parser.value()?.string()?),
            Arg::Value(value) if command.is_none() => command = Some(value.string()?),
            Arg::Value(value) if plan.is_none() && command.as_deref() == Some("network") => {
                plan = Some(value.string()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let filled = |name: &str| environment(name).filter(|value| !value.is_empty());
    let socket = socket.or_else(|| filled("RINGFENCE_SOCKET")).unwrap_or_else(|| SOCKET.to_owned());
    match command.as_deref() {
        Some("serve") => {
            let identity = identity.or_else(|| filled("RINGFENCE_IDENTITY"));
            let identity = identity.ok_or(ArgumentError::Identity)?;
            let listen = listen.or_else(|| filled("RINGFENCE_LISTEN")).unwrap_or_default();
            let listen = ports(&listen)?;
            let watch = filled(WATCH).map(|order| serde_json::from_str(&order));
            let watch = watch.transpose().map_err(ArgumentError::Watch)?;
            Ok(Command::Serve(ServeOptions { identity, socket, listen, watch }))
        }
        Some("bridge") => Ok(Command::Bridge { socket }),
        Some("network") => {
            let plan = plan.ok_or(ArgumentError::NoPlan)?;
            Ok(Command::Network(serde_json::from_str(&plan)?))
        }
        Some(other) => Err(ArgumentError::Command(format!("`{other}`"))),
        None => Err(ArgumentError::Command("nothing".to_owned())),
    }
}

/// `80/TCP,53/UDP`; an empty text is no port.
fn ports(text: &str) -> Result<Vec<Listen>, ArgumentError> {
    let ports = text.split(',').map(str::trim).filter(|port| !port.is_empty());
    ports
        .map(|port| parse_port(port).ok_or_else(|| ArgumentError::Listen(port.to_owned())))
        .collect()
}

fn parse_port(text: &str) -> Option<Listen> {
    let (port, protocol) = text.split_once('/')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    Some(Listen { protocol: protocol.parse().ok()?, port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    fn read(arguments: &str, environment: &[(&str, &str)]) -> Result<Command, String> {
        let words = format!("ringfence-agent {arguments}");
        let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
        let find = |name: &str| {
            let entry = environment.iter().find(|(key, _)| *key == name)?;
            Some(entry.1.to_owned())
        };
        parse(words, find).map_err(|error| error.to_string())
    }

    fn serving(
        identity: &str,
        socket: &str,
        listen: &[(u16, Protocol)],
    ) -> Result<Command, String> {
        let listen = listen.iter().map(|&(port, protocol)| Listen { protocol, port }).collect();
        let (identity, socket) = (identity.to_owned(), socket.to_owned());
        Ok(Command::Serve(ServeOptions { identity, socket, listen, watch: None }))
    }

    #[test]
    fn arguments_go_before_the_environment() {
        let environment = [
            ("RINGFENCE_IDENTITY", "prod/db"),
            ("RINGFENCE_LISTEN", "80/TCP, 53/UDP"),
            ("RINGFENCE_SOCKET", "other"),
        ];
        let ports = [(80, Protocol::Tcp), (53, Protocol::Udp)];
        assert_eq!(read("serve", &environment), serving("prod/db", "other", &ports));
        assert_eq!(
            read("serve --identity a/b --listen=1/SCTP --socket s", &environment),
            serving("a/b", "s", &[(1, Protocol::Sctp)])
        );
        assert_eq!(read("serve --identity a/b", &[]), serving("a/b", SOCKET, &[]));
        assert_eq!(
            read("bridge", &environment),
            Ok(Command::Bridge { socket: "other".to_owned() })
        );
        let plan =
            r#"network {"no_way_out":true,"loopback":["::1"],"unreachable":[],"tunnel":null}"#;
        let expected = NetworkPlan {
            no_way_out: true,
            loopback: vec!["::1".parse().unwrap()],
            ..NetworkPlan::default()
        };
        assert_eq!(read(plan, &[]), Ok(Command::Network(expected)));
        let order = r#"{"allowed":["10.0.0.1"],"order":{"interval_us":1,"deadline_us":2,"before_us":0,"limit_us":3,"nonce":4,"stride":5,"held":[],"tried":[]}}"#;
        let Ok(Command::Serve(options)) =
            read("serve --identity a/b", &[("RINGFENCE_WATCH", order)])
        else {
            panic!("expected `serve`")
        };
        assert_eq!(options.watch.map(|watch| watch.order.nonce), Some(4));
        assert_eq!(read("--help", &[]), Ok(Command::Help));
        assert_eq!(read("serve -V", &[]), Ok(Command::Version));
    }

    #[test]
    fn says_what_cannot_be_followed() {
        let port = |text: &str| format!("expected a port such as `80/TCP`, found `{text}`");
        let cases = [
            ("", "expected `serve`, `bridge` or `network`, found nothing; see `--help`".to_owned()),
            (
                "probe",
                "expected `serve`, `bridge` or `network`, found `probe`; see `--help`".to_owned(),
            ),
            (
                "serve",
                "expected `--identity` or `RINGFENCE_IDENTITY`, such as `prod/db`, found neither"
                    .to_owned(),
            ),
            ("serve --identity a/b --listen 80", port("80")),
            ("serve --identity a/b --listen 0/TCP", port("0/TCP")),
            ("serve --identity a/b --listen 80/tcp", port("80/tcp")),
            ("serve --identity a/b --listen 70000/TCP", port("70000/TCP")),
            ("network", "expected a plan after `network`, found nothing".to_owned()),
            ("network {", "expected a plan for the network in JSON".to_owned()),
            ("bridge --session x", "invalid option '--session'".to_owned()),
        ];
        for (arguments, expected) in cases {
            assert_eq!(read(arguments, &[]), Err(expected), "{arguments}");
        }
        let words = "expected an order to watch in `RINGFENCE_WATCH`, in JSON";
        let found = read("serve --identity a/b", &[("RINGFENCE_WATCH", "{")]);
        assert_eq!(found, Err(words.to_owned()));
    }
}
