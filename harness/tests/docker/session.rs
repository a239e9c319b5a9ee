//! A session with an agent, as far as these tests need one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ringfence::cluster::agents::{BoxStream, Dial};
use ringfence_probe::agent::session::{ClientSession, Event};
use ringfence_probe::wire::{Attempt, AttemptResult, Round};
use ringfence_probe::{Outcome, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open session.
pub(crate) struct Session {
    stream: BoxStream,
    client: ClientSession,
}

/// What is dialled, and who should answer.
pub(crate) type Target<'a> = (&'a str, Protocol, &'a str);

impl Session {
    /// Opens a session with an agent of this name.
    pub(crate) async fn open(dial: &impl Dial, identity: &str) -> Self {
        let stream = dial.dial().await.expect("the bridge can be started");
        let client = ClientSession::new(format!("session of {identity}"), "a test");
        let mut session = Self { stream, client };
        let Event::Opened { identity: told, .. } = session.event().await else {
            panic!("expected the session to open");
        };
        assert_eq!(told, identity);
        session
    }

    /// Makes attempts, and says what became of each.
    pub(crate) async fn round(&mut self, targets: &[Target<'_>]) -> Vec<AttemptResult> {
        let attempts = targets.iter().enumerate().map(|(id, (target, protocol, expect))| {
            let target: SocketAddr = target.parse().expect("an address with a port");
            let (id, nonce) = (id as u32, fastrand::u64(..));
            let expect = (*expect).to_owned();
            Attempt { id, nonce, from: 0, protocol: *protocol, target, expect }
        });
        let attempts: Vec<Attempt> = attempts.collect();
        let allowed: Vec<IpAddr> = attempts.iter().map(|attempt| attempt.target.ip()).collect();
        self.client.allow_targets(allowed).expect("they fit");
        let round = Round { round: fastrand::u32(..), deadline_us: 1_000_000, attempts };
        self.client.round(round).expect("it fits");
        loop {
            if let Event::Results { results, .. } = self.event().await {
                return results;
            }
        }
    }

    /// As [`Session::round`], without anything but the outcomes.
    pub(crate) async fn outcomes(&mut self, targets: &[Target<'_>]) -> Vec<Outcome> {
        self.round(targets).await.into_iter().map(|result| result.outcome).collect()
    }

    async fn event(&mut self) -> Event {
        let next = async {
            let mut buffer = vec![0; 4096];
            loop {
                while let Some(frame) = self.client.next_frame() {
                    self.stream.write_all(&frame).await.expect("the bridge reads");
                }
                self.stream.flush().await.expect("the bridge reads");
                match self.client.next_event() {
                    Some(Event::Ended { reason, message, .. }) => panic!("{reason:?}: {message}"),
                    Some(event) => return event,
                    None => {}
                }
                let count = self.stream.read(&mut buffer).await.expect("the bridge writes");
                assert!(count > 0, "the bridge ended");
                self.client.on_bytes(&buffer[..count]);
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("the agent answers within 20 s")
    }
}
