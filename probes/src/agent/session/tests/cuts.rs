//! Both halves over streams that are cut anywhere.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// Two streams between a run and an agent, each cut somewhere.
#[derive(Default)]
pub(super) struct Network {
    pub(super) connection: u64,
    to_agent: VecDeque<u8>,
    to_client: VecDeque<u8>,
}

impl Network {
    pub(super) fn connect(&mut self, client: &mut ClientSession, agent: &mut Agent) {
        self.connection = agent.sessions.connect(agent.now, here());
        self.to_agent.clear();
        self.to_client.clear();
        self.gather(client, agent);
    }

    fn gather(&mut self, client: &mut ClientSession, agent: &mut Agent) {
        while let Some(frame) = client.next_frame() {
            self.to_agent.extend(&*frame);
        }
        let (bytes, _) = agent.sent(self.connection);
        self.to_client.extend(bytes);
    }

    /// Delivers at most so many bytes each way.
    pub(super) fn deliver(
        &mut self,
        client: &mut ClientSession,
        agent: &mut Agent,
        up: usize,
        down: usize,
    ) {
        self.gather(client, agent);
        let bytes: Vec<u8> = self.to_agent.drain(..up.min(self.to_agent.len())).collect();
        agent.sessions.on_bytes(self.connection, &bytes, agent.now);
        let bytes: Vec<u8> = self.to_client.drain(..down.min(self.to_client.len())).collect();
        client.on_bytes(&bytes);
    }

    /// Delivers everything, and lets the agent work, until nothing moves.
    pub(super) fn settle(&mut self, client: &mut ClientSession, agent: &mut Agent) {
        loop {
            agent.work();
            self.gather(client, agent);
            if self.to_agent.is_empty() && self.to_client.is_empty() {
                return;
            }
            self.deliver(client, agent, usize::MAX, usize::MAX);
        }
    }
}

/// What happens on the way.
#[derive(Debug, Clone)]
enum Happening {
    Ask(u8),
    Deliver {
        up: usize,
        down: usize,
    },
    Work,
    /// The connection breaks; the agent may notice at once, or never.
    Cut {
        noticed: bool,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (0u8..4).prop_map(Happening::Ask),
        6 => (0usize..400, 0usize..400).prop_map(|(up, down)| Happening::Deliver { up, down }),
        2 => Just(Happening::Work),
        1 => any::<bool>().prop_map(|noticed| Happening::Cut { noticed }),
    ]
}

proptest! {
    #[test]
    fn every_request_is_done_once_and_answered_once(
        happenings in prop::collection::vec(happening(), 0..120),
    ) {
        let mut agent = Agent::new();
        let mut client = ClientSession::new("s", "run");
        let mut network = Network::default();
        network.connect(&mut client, &mut agent);
        let (mut asked, mut expected) = (vec![Work::Begin], Vec::new());
        let mut rounds = 0;
        for happening in happenings {
            match happening {
                Happening::Ask(0) => {
                    client.allow_targets(Vec::new()).unwrap();
                    asked.push(Work::AllowTargets(Vec::new()));
                }
                Happening::Ask(1) => {
                    client.listen(Vec::new()).unwrap();
                    asked.push(Work::Listen(Vec::new()));
                    expected.push(Event::Listening { failed: Vec::new() });
                }
                Happening::Ask(2) => {
                    client.take_arrivals().unwrap();
                    expected.push(Event::Arrivals {
                        arrivals: Vec::new(),
                        lost: asked.len() as u64,
                        half_open: Vec::new(),
                        half_open_unseen: None,
                        whereabouts: here(),
                    });
                    asked.push(Work::TakeArrivals);
                }
                Happening::Ask(_) => {
                    rounds += 1;
                    client.round(round(rounds, 2)).unwrap();
                    asked.push(Work::Round(round(rounds, 2)));
                    expected.push(Event::Results {
                        round: rounds,
                        results: Vec::new(),
                        whereabouts: here(),
                    });
                }
                Happening::Deliver { up, down } => {
                    network.deliver(&mut client, &mut agent, up, down);
                }
                Happening::Work => agent.work(),
                Happening::Cut { noticed } => {
                    if noticed {
                        agent.sessions.disconnect(network.connection);
                    }
                    client.resume();
                    network.connect(&mut client, &mut agent);
                }
            }
        }
        network.settle(&mut client, &mut agent);
        prop_assert!(client.is_open());
        prop_assert_eq!(client.open_rounds().count(), 0);
        prop_assert_eq!(&agent.done, &asked);
        let events = std::iter::from_fn(|| client.next_event());
        let answers: Vec<Event> =
            events.filter(|event| !matches!(event, Event::Opened { .. })).collect();
        prop_assert_eq!(answers, expected);
    }

    #[test]
    fn neither_half_panics(bytes: Vec<u8>, greet: bool) {
        let mut agent = Agent::new();
        let connection = if greet { agent.greeted() } else { agent.sessions.connect(agent.now, here()) };
        agent.sessions.on_bytes(connection, &bytes, agent.now);
        agent.sent(connection);
        let mut client = ClientSession::new("s", "run");
        if greet {
            client.on_bytes(&encode(&hello(VERSION)).unwrap());
        }
        client.on_bytes(&bytes);
        while client.next_frame().is_some() {}
    }
}
