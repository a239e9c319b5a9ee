//! One agent: the task that keeps a session with it over streams that break.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ringfence_probe::agent::session::{Frame, HEARTBEAT};
use ringfence_probe::wire::{Attempt, AttemptResult, Listen, Sctp, Sightings, Whereabouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::backoff::Backoff;
use super::conversation::{Conversation, Turn};
use super::dial::{BoxStream, Dial, DialError};
use super::request::{Arrivals, Reply, Request, Said};
use super::traffic::Counter;

/// How long an agent is given to take note that its session is closed.
const LEAVE: Duration = Duration::from_secs(2);

/// How much is read at once, in bytes.
const LOAD: usize = 16 << 10;

/// How it stands with an agent.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// Whether the session is open on a connection that is not known to be broken.
    pub(super) open: bool,
    /// How SCTP can be spoken there, once it has answered.
    pub(super) sctp: Option<Sctp>,
    /// How many sessions there were before this one.
    pub(super) epoch: u64,
    /// Where it was when it last said so; nowhere before it has answered.
    pub(super) whereabouts: Arc<Whereabouts>,
    /// What went wrong last.
    pub(super) failure: Option<String>,
    /// Why it will never answer again.
    pub(super) over: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// The session was lost with all that was asked; it may be asked again in another.
    Lost(String),
    /// It took too long.
    Late(String),
    /// There is no session, and there will be none.
    Over(String),
}

/// A session that is kept by a task, until this is dropped.
#[derive(Debug)]
pub(super) struct Session {
    requests: mpsc::UnboundedSender<Request>,
    state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

impl Session {
    /// Begins to connect. A stream has `connect` to be opened and to bring the agent's answer.
    pub(super) fn start(
        conversation: Conversation,
        dial: Arc<dyn Dial>,
        dials: Arc<Semaphore>,
        backoff: Backoff,
        connect: Duration,
        counter: Arc<Counter>,
    ) -> Self {
        let (requests, inbox) = mpsc::unbounded_channel();
        let (told, state) = watch::channel(State::default());
        let keeper =
            Keeper { conversation, dial, dials, backoff, connect, counter, inbox, state: told };
        Self { requests, state, task: tokio::spawn(keeper.run()) }
    }

    /// How it stands now.
    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until the session is open; else why it is not yet, or never will be.
    pub(super) async fn opened(&self, until: Instant) -> Result<(), String> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| state.open || state.over.is_some());
        // However the waiting ends, the state says what there is to say.
        drop(tokio::time::timeout_at(until, settled).await);
        let state = self.state();
        match (state.open, state.over.or(state.failure)) {
            (true, _) => Ok(()),
            (false, Some(failure)) => Err(failure),
            (false, None) => Err("it has not answered yet".to_owned()),
        }
    }

    /// Waits until the agent is somewhere else, or for ever where it will not be.
    pub(super) async fn moved(&self, from: &Whereabouts) {
        let mut state = self.state.clone();
        let moved = state.wait_for(|state| *state.whereabouts != *from).await.is_ok();
        if !moved {
            std::future::pending().await
        }
    }

    /// Has the agent listen; the ports that failed, and why.
    pub(super) async fn listen(
        &self,
        ports: Vec<Listen>,
        limit: Duration,
    ) -> Result<Said<Vec<(Listen, String)>>, Unanswered> {
        self.ask(limit, |reply| Request::Listen(ports, reply)).await
    }

    /// Has the agent make attempts.
    pub(super) async fn round(
        &self,
        deadline: Duration,
        attempts: Vec<Attempt>,
        limit: Duration,
    ) -> Result<Said<Vec<AttemptResult>>, Unanswered> {
        self.ask(limit, |reply| Request::Round(deadline, attempts, reply)).await
    }

    /// Asks what arrived.
    pub(super) async fn take_arrivals(
        &self,
        limit: Duration,
    ) -> Result<Said<Arrivals>, Unanswered> {
        self.ask(limit, Request::TakeArrivals).await
    }

    /// Has the agent leave off watching; what it saw.
    pub(super) async fn end_watch(&self, limit: Duration) -> Result<Said<Sightings>, Unanswered> {
        self.ask(limit, Request::EndWatch).await
    }

    /// Where to ask the agent something, whoever holds the session.
    pub(super) fn requests(&self) -> &mpsc::UnboundedSender<Request> {
        &self.requests
    }

    async fn ask<T>(
        &self,
        limit: Duration,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<Said<T>, Unanswered> {
        let (reply, answer) = oneshot::channel();
        // Where the task has ended, the answer's other end is dropped with the request.
        drop(self.requests.send(request(reply)));
        match timeout(limit, answer).await {
            Ok(Ok(Ok(said))) => Ok(said),
            Ok(Ok(Err(lost))) => Err(Unanswered::Lost(format!("the session was lost: {lost}"))),
            Ok(Err(_)) => {
                let over = self.state().over;
                Err(Unanswered::Over(over.unwrap_or_else(|| "its session has ended".to_owned())))
            }
            Err(_) => {
                let state = self.state();
                let failure = state.failure.filter(|_| !state.open);
                let failure = failure.map(|failure| format!("; {failure}")).unwrap_or_default();
                let limit = limit.as_millis();
                Err(Unanswered::Late(format!("expected an answer within {limit} ms{failure}")))
            }
        }
    }

    /// Ends the session, and waits until the agent has taken note of it or cannot be told.
    pub(super) async fn close(self) {
        drop(self.requests);
        // A task that panicked has nothing more to end.
        drop(self.task.await);
    }
}

/// How a connection ended.
enum End {
    /// Nobody wants the session any more.
    Unwanted,
    /// Something broke.
    Broken(String),
    /// The agent knows nothing of the session: a new one may begin at once.
    Renewed(String),
    /// No connection will ever do.
    Over(String),
}

/// The task that keeps a session.
struct Keeper {
    conversation: Conversation,
    dial: Arc<dyn Dial>,
    dials: Arc<Semaphore>,
    backoff: Backoff,
    connect: Duration,
    counter: Arc<Counter>,
    inbox: mpsc::UnboundedReceiver<Request>,
    state: watch::Sender<State>,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            let end = self.connection().await;
            let (failure, wait) = match end {
                End::Unwanted => return,
                End::Over(reason) => {
                    self.state.send_modify(|state| {
                        state.open = false;
                        state.over = Some(reason);
                    });
                    return;
                }
                End::Broken(failure) => (failure, self.backoff.next()),
                End::Renewed(failure) => (failure, Duration::ZERO),
            };
            self.state.send_modify(|state| {
                state.open = false;
                state.failure = Some(failure);
            });
            if self.until(sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// Waits, and takes requests meanwhile; `None` where nobody wants the session any more.
    async fn until<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                value = &mut future => return Some(value),
                request = self.inbox.recv() => self.conversation.ask(request?),
            }
        }
    }

    /// Opens a stream and speaks over it as long as it lasts.
    async fn connection(&mut self) -> End {
        let (dial, dials, connect) =
            (Arc::clone(&self.dial), Arc::clone(&self.dials), self.connect);
        let dialled = self.until(async move {
            // Nobody closes the semaphore.
            let _permit = dials.acquire().await;
            let until = Instant::now() + connect;
            (until, tokio::time::timeout_at(until, dial.dial()).await)
        });
        let (until, stream) = match dialled.await {
            None => return End::Unwanted,
            Some((_, Err(_))) => {
                let limit = connect.as_millis();
                return End::Broken(format!("expected a stream to it within {limit} ms"));
            }
            Some((_, Ok(Err(error @ (DialError::Gone(_) | DialError::Denied(_)))))) => {
                return End::Over(error.to_string());
            }
            Some((_, Ok(Err(DialError::Failed(error))))) => {
                return End::Broken(format!("no stream to it: {error:#}"));
            }
            Some((until, Ok(Ok(stream)))) => (until, stream),
        };
        if let Err(error) = self.conversation.connect() {
            return End::Broken(format!("{error:#}"));
        }
        let mut wire = Wire::new(stream, Arc::clone(&self.counter));
        let end = self.talk(&mut wire, until).await;
        if matches!(end, End::Unwanted | End::Over(_)) {
            self.leave(&mut wire).await;
        }
        end
    }

    /// Speaks until the stream ends. The agent must have answered by `until`.
    async fn talk(&mut self, wire: &mut Wire, until: Instant) -> End {
        let mut open = false;
        let mut alarm = until;
        loop {
            wire.load(&mut self.conversation);
            tokio::select! {
                read = wire.reader.read(&mut wire.buffer) => match read {
                    Ok(0) => return End::Broken("the stream ended".to_owned()),
                    Ok(count) => {
                        self.counter.received(count);
                        wire.moved = Instant::now();
                        self.conversation.on_bytes(&wire.buffer[..count]);
                    }
                    Err(error) => return End::Broken(format!("the stream broke: {error}")),
                },
                sent = wire.outgoing.send(&mut wire.writer) => match sent {
                    Ok(count) => {
                        self.counter.sent(count);
                        wire.moved = Instant::now();
                    }
                    Err(error) => return End::Broken(format!("the stream broke: {error}")),
                },
                request = self.inbox.recv() => match request {
                    Some(request) => self.conversation.ask(request),
                    None => return End::Unwanted,
                },
                () = sleep_until(alarm) => {
                    if !open {
                        let limit = self.connect.as_millis();
                        return End::Broken(format!("expected its answer within {limit} ms"));
                    }
                    alarm = Instant::now() + HEARTBEAT;
                    if !self.conversation.awaits_pong() {
                        self.conversation.ping();
                    } else if wire.moved + HEARTBEAT > Instant::now() {
                        // The ping may be behind a frame that takes its time.
                        alarm = wire.moved + HEARTBEAT;
                    } else {
                        let beat = HEARTBEAT.as_secs();
                        return End::Broken(format!("it did not answer a ping within {beat} s"));
                    }
                }
            }
            while let Some(turn) = self.conversation.turn() {
                match turn {
                    Turn::Opened(sctp) => {
                        open = true;
                        alarm = Instant::now() + HEARTBEAT;
                        let whereabouts = Arc::clone(self.conversation.whereabouts());
                        self.state.send_modify(|state| {
                            state.open = true;
                            state.sctp = Some(sctp);
                            state.epoch = self.conversation.epoch();
                            state.whereabouts = whereabouts;
                        });
                    }
                    Turn::Heard => {
                        self.backoff.reset();
                        self.state.send_if_modified(|state| {
                            let found = self.conversation.whereabouts();
                            let moved = state.whereabouts != *found;
                            if moved {
                                state.whereabouts = Arc::clone(found);
                            }
                            moved
                        });
                    }
                    Turn::Broken(reason) => return End::Broken(reason),
                    Turn::Renewed(reason) => return End::Renewed(reason),
                    Turn::Over(reason) => return End::Over(reason),
                    Turn::Useless(reason) => {
                        self.leave(wire).await;
                        self.conversation.lose(&reason);
                        return End::Broken(reason);
                    }
                }
            }
        }
    }

    /// Tells the agent that the session is over, and waits until it ends the connection.
    async fn leave(&mut self, wire: &mut Wire) {
        self.conversation.close();
        let conversation = &mut self.conversation;
        // One that cannot be told forgets the session later.
        drop(timeout(LEAVE, wire.finish(conversation)).await);
    }
}

/// A stream, and what is on its way.
struct Wire {
    reader: ReadHalf<BoxStream>,
    writer: WriteHalf<BoxStream>,
    buffer: Vec<u8>,
    outgoing: Outgoing,
    /// When bytes last went either way.
    moved: Instant,
    counter: Arc<Counter>,
}

impl Wire {
    fn new(stream: BoxStream, counter: Arc<Counter>) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let outgoing = Outgoing { frame: None, sent: 0, flushed: true };
        Self { reader, writer, buffer: vec![0; LOAD], outgoing, moved: Instant::now(), counter }
    }

    /// Takes the next frame, where the one before has gone.
    fn load(&mut self, conversation: &mut Conversation) {
        if self.outgoing.frame.is_none() {
            self.outgoing.frame = conversation.next_frame();
            self.outgoing.sent = 0;
        }
    }

    /// Sends what there is to send, and reads until the agent ends the connection.
    async fn finish(&mut self, conversation: &mut Conversation) -> std::io::Result<()> {
        loop {
            self.load(conversation);
            if self.outgoing.is_empty() {
                break;
            }
            let sent = self.outgoing.send(&mut self.writer).await?;
            self.counter.sent(sent);
        }
        while self.reader.read(&mut self.buffer).await? > 0 {}
        Ok(())
    }
}

/// A frame that is on its way.
struct Outgoing {
    frame: Option<Frame>,
    /// How much of it has gone.
    sent: usize,
    flushed: bool,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.frame.is_none() && self.flushed
    }

    /// Sends a part of the frame, or flushes where there is none; how many bytes went. Waits for
    /// ever where there is nothing to do. Nothing is lost where the waiting is given up.
    async fn send(&mut self, writer: &mut WriteHalf<BoxStream>) -> std::io::Result<usize> {
        let Some(frame) = &self.frame else {
            if self.flushed {
                return std::future::pending().await;
            }
            writer.flush().await?;
            self.flushed = true;
            return Ok(0);
        };
        let count = writer.write(&frame[self.sent..]).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        self.flushed = false;
        self.sent += count;
        if self.sent == frame.len() {
            self.frame = None;
        }
        Ok(count)
    }
}
