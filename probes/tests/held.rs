//! Connections that are held and used again, over loopback.

#[path = "support/serving.rs"]
mod serving;
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use ringfence_probe::wire::{Attempt, AttemptResult};
use ringfence_probe::{Held, Here, Outcome, ProberOptions, Protocol};
use serving::{listen, servers};
use support::{BOTH, address, attempt, in_namespace, prober, round};

/// Long enough for a loaded machine.
const DEADLINE: Duration = Duration::from_secs(20);

fn outcomes(results: &[AttemptResult]) -> Vec<Outcome> {
    results.iter().map(|result| result.outcome.clone()).collect()
}

fn locals(results: &[AttemptResult]) -> Vec<Option<SocketAddr>> {
    results.iter().map(|result| result.local).collect()
}

/// TCP and UDP over both families.
fn attempts() -> Vec<Attempt> {
    let targets = BOTH.iter().flat_map(|host| {
        [Protocol::Tcp, Protocol::Udp].map(|protocol| (protocol, address(host, 7301)))
    });
    targets
        .enumerate()
        .map(|(id, (protocol, target))| attempt(id as u32, protocol, target, "prod/a"))
        .collect()
}

#[test]
fn held_connections_are_used_until_their_other_end_goes() {
    in_namespace(|| {
        let servers =
            servers("prod/a", &[listen(Protocol::Tcp, 7301), listen(Protocol::Udp, 7301)]);
        let allowed = BOTH.map(|host| address(host, 0).ip()).into();
        let (mut held, opened) = Held::open(&attempts(), &allowed, DEADLINE, &mut Here);
        assert_eq!(outcomes(&opened), vec![Outcome::Connected; 4]);
        let mut nonce = 1_000_000;
        let mut next = move || {
            nonce += 1;
            nonce
        };
        for _ in 0..20 {
            held.ask(&mut next);
            let heard = held.hear(DEADLINE);
            assert_eq!(locals(&heard), locals(&opened), "no source port changes");
            assert_eq!(outcomes(&heard), vec![Outcome::Connected; 4]);
        }
        let sources: Vec<_> = servers.take_arrivals().into_iter().map(|(_, a)| a.from).collect();
        assert_eq!(sources.len(), 4 * 21);
        assert!(sources.iter().all(|from| locals(&opened).contains(&Some(*from))));
        // Beside them the server answers others, and closes these as ever.
        let others = prober(ProberOptions::default()).round(&round(20_000, attempts()), &mut Here);
        assert_eq!(outcomes(&others), vec![Outcome::Connected; 4]);

        servers.close("prod/a");
        held.ask(&mut next);
        for (number, result) in held.hear(DEADLINE).into_iter().enumerate() {
            let told = matches!(result.outcome, Outcome::Broken { .. } | Outcome::Refused);
            assert!(told, "{result:?}");
            let tcp = attempts()[number].protocol == Protocol::Tcp;
            assert_eq!(held.is_open(number), !tcp, "a closed connection is not used again");
        }
    });
}

#[test]
fn what_cannot_be_held_is_broken() {
    in_namespace(|| {
        let allowed = BOTH.map(|host| address(host, 0).ip()).into();
        let cannot = [
            (Protocol::Sctp, address("127.0.0.1", 7302), "an SCTP connection cannot be held"),
            (Protocol::Tcp, address("192.0.2.1", 7302), "expected a target of this run's"),
        ];
        for (protocol, target, expected) in cannot {
            let attempt = attempt(0, protocol, target, "prod/a");
            let (held, opened) = Held::open(&[attempt], &allowed, DEADLINE, &mut Here);
            let Outcome::Broken { reason } = &opened[0].outcome else { panic!("{opened:?}") };
            assert!(reason.starts_with(expected), "{reason}");
            assert!(!held.is_open(0));
        }
    });
}
