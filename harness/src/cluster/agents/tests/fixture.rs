//! An agent that does what a test says, over streams that do too.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use ringfence_probe::frame::{Decoder, encode};
use ringfence_probe::wire::{
    Arrival, AttemptResult, Listen, Message, Reason, Round, Sctp, VERSION, Whereabouts,
};
use ringfence_probe::{HalfOpen, Outcome, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;

use crate::cluster::agents::{BoxStream, Dial, DialError, Planned};
use crate::model::Endpoint;

/// What the next dial meets.
#[derive(Debug, Clone)]
pub(super) enum Meeting {
    /// The dial fails.
    Fails(&'static str),
    /// There is nothing to dial.
    Gone(&'static str),
    /// The dial never ends.
    Hangs,
    /// The agent reads and says nothing more after so many requests (pings included).
    Stalls { after: usize },
    /// The connection ends in place of the answer to this request.
    Ends { after: usize },
    /// Another connection takes the session over in place of the answer to this request.
    TakenOver { after: usize },
    /// The agent was restarted: it knows no session.
    Restarted,
}

/// What an agent was asked, and what it is to say.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) identity: String,
    pub(super) version: u32,
    pub(super) meetings: VecDeque<Meeting>,
    pub(super) dials: usize,
    /// The kinds of all requests, in order.
    pub(super) asked: Vec<Message>,
    pub(super) outcome: Outcome,
    /// What is told of arrivals after a round.
    pub(super) arrivals: Vec<Arrival>,
    pub(super) half_open: Vec<HalfOpen>,
    pub(super) unseen: Option<String>,
    pub(super) lost: u64,
    pub(super) whereabouts: Whereabouts,
    /// Ports that cannot be opened.
    pub(super) taken: Vec<Listen>,
    /// How long a round takes.
    pub(super) slow: Duration,
    /// The session that it keeps: its name, how much was received in it, and what was answered.
    session: Option<(String, u64, Vec<Message>)>,
}

/// An agent, and the way to it.
#[derive(Debug, Clone)]
pub(super) struct Fake {
    script: Arc<Mutex<Script>>,
    /// Ends the connections that there are.
    cut: Arc<Notify>,
}

pub(super) fn endpoint(name: &str) -> Endpoint {
    Endpoint::pod("a", name)
}

pub(super) fn planned(source: &str, destination: &str, protocol: Protocol) -> Planned {
    Planned {
        source: endpoint(source),
        destination: endpoint(destination),
        protocol,
        target: "127.0.0.2:80".parse().unwrap(),
        expect: format!("a/{destination}"),
    }
}

impl Fake {
    pub(super) fn new(name: &str, meetings: impl IntoIterator<Item = Meeting>) -> Self {
        let script = Script {
            identity: format!("a/{name}"),
            version: VERSION,
            meetings: meetings.into_iter().collect(),
            dials: 0,
            asked: Vec::new(),
            outcome: Outcome::Connected,
            arrivals: Vec::new(),
            half_open: Vec::new(),
            unseen: None,
            lost: 0,
            whereabouts: Whereabouts::default(),
            taken: Vec::new(),
            slow: Duration::ZERO,
            session: None,
        };
        Self { script: Arc::new(Mutex::new(script)), cut: Arc::default() }
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// Ends the connections that there are.
    pub(super) fn cut(&self) {
        self.cut.notify_waiters();
    }

    pub(super) fn dials(&self) -> usize {
        self.script.lock().unwrap().dials
    }

    /// The requests so far of which the function gives something.
    pub(super) fn asked<T>(&self, pick: impl FnMut(&Message) -> Option<T>) -> Vec<T> {
        self.script.lock().unwrap().asked.iter().filter_map(pick).collect()
    }
}

#[async_trait]
impl Dial for Fake {
    async fn dial(&self) -> Result<BoxStream, DialError> {
        let meeting = {
            let mut script = self.script.lock().unwrap();
            script.dials += 1;
            script.meetings.pop_front()
        };
        match &meeting {
            Some(Meeting::Fails(why)) => return Err(DialError::Failed(anyhow!(*why))),
            Some(Meeting::Gone(why)) => return Err(DialError::Gone((*why).to_owned())),
            Some(Meeting::Hangs) => std::future::pending().await,
            Some(Meeting::Restarted) => self.set(|script| script.session = None),
            _ => {}
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (script, cut) = (Arc::clone(&self.script), Arc::clone(&self.cut));
        tokio::spawn(async move {
            tokio::select! {
                () = speak(script, theirs, meeting) => {}
                () = cut.notified() => {}
            }
        });
        Ok(Box::new(ours))
    }
}

/// The agent's side of one connection.
async fn speak(script: Arc<Mutex<Script>>, mut stream: DuplexStream, meeting: Option<Meeting>) {
    let (identity, version) = {
        let script = script.lock().unwrap();
        (script.identity.clone(), script.version)
    };
    send(&mut stream, &Message::Hello { version, identity, sctp: Sctp::Kernel }).await;
    let (mut decoder, mut buffer, mut requests) = (Decoder::new(), vec![0; 1 << 16], 0);
    loop {
        while let Some(message) = decoder.next().unwrap() {
            if !matches!(message, Message::Hello { .. } | Message::Acknowledge { .. }) {
                requests += 1;
            }
            match meeting {
                // The first two are the greeting's.
                Some(Meeting::Stalls { after }) if requests > after => std::future::pending().await,
                Some(Meeting::Ends { after }) if requests > after => return,
                Some(Meeting::TakenOver { after }) if requests > after => {
                    let (reason, message) = (Reason::TakenOver, "taken over".to_owned());
                    return send(&mut stream, &Message::Error { reason, message }).await;
                }
                _ => {}
            }
            let slow = script.lock().unwrap().slow;
            if matches!(message, Message::Round(_)) && !slow.is_zero() {
                tokio::time::sleep(slow).await;
            }
            let answers = script.lock().unwrap().answer(message);
            for answer in answers {
                send(&mut stream, &answer).await;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => decoder.push(&buffer[..count]),
        }
    }
}

async fn send(stream: &mut DuplexStream, message: &Message) {
    // A run that has gone hears nothing.
    drop(stream.write_all(&encode(message).unwrap()).await);
}

impl Script {
    fn answer(&mut self, message: Message) -> Vec<Message> {
        let answer = match &message {
            Message::Hello { .. } | Message::Acknowledge { .. } => return Vec::new(),
            Message::Ping { number } => return vec![Message::Pong { number: *number }],
            Message::Open { session } => {
                self.session = Some((session.clone(), 0, Vec::new()));
                return vec![self.opened(0)];
            }
            Message::Resume { session, received } => {
                return match &self.session {
                    Some((kept, count, answers)) if kept == session => {
                        let mut messages = vec![self.opened(*count)];
                        messages.extend_from_slice(&answers[*received as usize..]);
                        messages
                    }
                    _ => vec![Message::Error {
                        reason: Reason::UnknownSession,
                        message: "it was restarted".to_owned(),
                    }],
                };
            }
            Message::Close => {
                self.session = None;
                None
            }
            Message::AllowTargets { .. } => None,
            Message::Listen { ports } => {
                let failed = ports.iter().filter(|port| self.taken.contains(port));
                let failed = failed.map(|port| (*port, "address in use".to_owned())).collect();
                Some(Message::Listening { failed })
            }
            Message::Round(round) => Some(self.round(round)),
            Message::TakeArrivals => Some(Message::Arrivals {
                arrivals: self.arrivals.clone(),
                lost: self.lost,
                half_open: self.half_open.clone(),
                half_open_unseen: self.unseen.clone(),
                whereabouts: self.whereabouts.clone(),
            }),
            other => panic!("{other:?}"),
        };
        self.asked.push(message);
        if let Some((_, received, answers)) = &mut self.session {
            *received += 1;
            answers.extend(answer.clone());
        }
        answer.into_iter().collect()
    }

    fn opened(&self, received: u64) -> Message {
        Message::Opened { received, whereabouts: self.whereabouts.clone() }
    }

    fn round(&self, round: &Round) -> Message {
        let result = |attempt: &ringfence_probe::wire::Attempt| AttemptResult {
            id: attempt.id,
            outcome: self.outcome.clone(),
            latency_us: attempt.nonce,
            local: Some("127.0.0.1:40000".parse().unwrap()),
            seen_source: None,
            evidence: None,
            tries: 1,
            waited_us: 0,
        };
        let results = round.attempts.iter().map(result).collect();
        Message::Results { round: round.round, results, whereabouts: self.whereabouts.clone() }
    }
}

/// As long as a test waits where nothing is expected to be slow.
pub(super) const SOON: Duration = Duration::from_millis(500);
