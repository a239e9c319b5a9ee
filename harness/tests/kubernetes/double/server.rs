//! HTTP: from requests to calls, and back.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use futures_util::StreamExt;

use super::api::{self, Patch};
use super::exec;
use super::failure::Failure;
use super::fault::{Effect, Faults};
use super::resource::{self, Query, Target};
use super::store::Store;
use super::watch as watching;

/// The version that it says it has.
pub(super) const VERSION: &str = "v1.36.0";

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The task that takes connections, which ends when the sender is dropped.
type Listening = (oneshot::Sender<()>, JoinHandle<()>);

/// The API server.
pub(super) struct Server {
    store: Arc<Store>,
    faults: Faults,
    helper: u32,
    /// Whether it serves policies of the cluster.
    tier: AtomicBool,
    address: SocketAddr,
    listening: Mutex<Option<Listening>>,
    sessions: Mutex<Vec<AbortHandle>>,
    /// How many messages of clients execs have carried.
    asked: watch::Sender<usize>,
}

impl Server {
    /// Serves on a port of its own.
    pub(super) async fn start(store: Arc<Store>, helper: u32) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = Arc::new(Self {
            store,
            faults: Faults::default(),
            helper,
            tier: AtomicBool::new(true),
            address: listener.local_addr()?,
            listening: Mutex::default(),
            sessions: Mutex::default(),
            asked: watch::Sender::default(),
        });
        server.listen(listener, &Handle::current());
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Serves policies of the cluster no longer.
    pub(super) fn uninstall(&self) {
        self.tier.store(false, Ordering::Relaxed);
    }

    /// The process that holds the pods' networks.
    pub(super) fn helper(&self) -> u32 {
        self.helper
    }

    fn listen(self: &Arc<Self>, listener: TcpListener, runtime: &Handle) {
        let server = Arc::clone(self);
        let (sender, mut stopped) = oneshot::channel();
        let task = runtime.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => stream,
                        Err(_) => continue,
                    },
                    _ = &mut stopped => break,
                };
                let server = Arc::clone(&server);
                let service = service_fn(move |request| answer(Arc::clone(&server), request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                // A client that goes away is no error here.
                connections.spawn(async move { drop(connection.await) });
                while connections.try_join_next().is_some() {}
            }
            drop(listener);
            connections.shutdown().await;
        });
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some((sender, task));
    }

    /// Returns when no connection is left.
    pub(super) async fn stop(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.cut_sessions();
        if let Some((sender, task)) = listening {
            drop(sender);
            // A task that panicked serves no longer either.
            let _ = task.await;
        }
    }

    pub(super) fn resume(self: &Arc<Self>, runtime: &Handle) -> io::Result<()> {
        let _context = runtime.enter();
        self.listen(self.bind()?, &Handle::current());
        Ok(())
    }

    fn bind(&self) -> io::Result<TcpListener> {
        let socket = TcpSocket::new_v4()?;
        // Connections that were closed here still hold the port for a while.
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        socket.listen(128)
    }

    /// Closes connections unanswered until one brings a call that begins like this.
    pub(super) async fn turn_away(&self, begin: &'static str) -> io::Result<()> {
        let listener = self.bind()?;
        let (sender, mut called) = mpsc::unbounded_channel();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted?;
                    connections.spawn(turned(stream, begin, sender.clone()));
                }
                _ = called.recv() => return Ok(()),
            }
        }
    }

    /// Where execs count the messages of clients.
    pub(super) fn counter(&self) -> watch::Sender<usize> {
        self.asked.clone()
    }

    pub(super) async fn asked(&self, messages: usize) {
        let mut asked = self.asked.subscribe();
        let enough = *asked.borrow() + messages;
        // The sender is this server's own.
        let _ = asked.wait_for(|asked| *asked >= enough).await;
    }

    /// Runs an exec until it ends or is cut.
    pub(super) fn session(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| !session.is_finished());
        sessions.push(tokio::spawn(work).abort_handle());
    }

    pub(super) fn cut_sessions(&self) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.drain(..).for_each(|session| session.abort());
    }
}

/// Reads how a call begins, and says so if it is like this.
async fn turned(mut stream: TcpStream, begin: &str, called: mpsc::UnboundedSender<()>) {
    let mut line = vec![0; begin.len()];
    if stream.read_exact(&mut line).await.is_ok() && line == begin.as_bytes() {
        // Nobody waits for a second one.
        let _ = called.send(());
    }
}

pub(super) fn empty() -> Body {
    Empty::new().boxed_unsync()
}

fn full(code: u16, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string())).boxed_unsync();
    let answer = Response::builder().status(code).header(CONTENT_TYPE, "application/json");
    answer.body(body).expect("the code is valid")
}

fn refuse(failure: &Failure) -> Response<Body> {
    let mut answer = full(failure.code, &failure.status());
    if let Some(seconds) = failure.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

/// Answers a request, unless a fault does; an error closes the connection.
async fn answer(
    server: Arc<Server>,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let path = request.uri().path().to_owned();
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let effect = server.faults.meet(request.method(), &path, query.is("watch"));
    let mut budget = usize::MAX;
    match &effect {
        Some(Effect::Answer(failure)) => return Ok(dated(&server, refuse(failure))),
        Some(Effect::Delay(by)) => tokio::time::sleep(*by).await,
        Some(Effect::Cut(bytes)) => budget = *bytes,
        Some(Effect::Close) => return Ok(Response::new(empty())),
        Some(Effect::Hang) | None => {}
    }
    let answer = call(&server, &path, &query, request, budget).await;
    if matches!(effect, Some(Effect::Hang)) {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(dated(&server, answer.unwrap_or_else(|failure| refuse(&failure))))
}

/// Dates an answer by the store's clock (RFC 9110, section 6.6.1).
fn dated(server: &Server, mut answer: Response<Body>) -> Response<Body> {
    let date = server.store.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let date = HeaderValue::try_from(date).expect("it is ASCII");
    answer.headers_mut().insert(DATE, date);
    answer
}

async fn call(
    server: &Server,
    path: &str,
    query: &Query,
    request: Request<Incoming>,
    budget: usize,
) -> Result<Response<Body>, Failure> {
    if path == "/version" {
        let minor = VERSION.split('.').nth(1).unwrap_or_default();
        let version = json!({
            "major": "1", "minor": minor, "gitVersion": VERSION, "gitCommit": "",
            "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
        });
        return Ok(full(200, &version));
    }
    let tier = server.tier.load(Ordering::Relaxed);
    match path.strip_prefix("/apis").map(|rest| rest.trim_start_matches('/')) {
        Some("") => return Ok(full(200, &resource::groups(tier))),
        Some(group_version) if group_version.matches('/').count() == 1 => {
            return Ok(full(200, &resource::resources(group_version)));
        }
        _ => {}
    }
    let target = Target::parse(path).filter(|target| tier || !target.resource.is_tier());
    let target = target.ok_or_else(Failure::no_resource)?;
    let method = request.method().clone();
    match target.subresource.as_str() {
        "" => {}
        "exec" if target.resource.plural == "pods" => {
            return exec::exec(server, &target, query, request, budget);
        }
        _ => return Err(Failure::no_resource()),
    }
    let store = &server.store;
    if method == Method::GET && query.is("watch") {
        let lines =
            watching::watch(Arc::clone(store), target.resource, target.namespace.clone(), query)?;
        let body = StreamBody::new(lines.map(|line| Ok(Frame::data(line))));
        let answer = Response::builder().header(CONTENT_TYPE, "application/json");
        return Ok(answer.body(BodyExt::boxed_unsync(body)).expect("the header is valid"));
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let patch = match kind.unwrap_or_default().split(';').next() {
        Some("application/apply-patch+yaml") => Some(Patch::Apply),
        Some("application/merge-patch+json" | "application/strategic-merge-patch+json") => {
            Some(Patch::Merge)
        }
        _ => None,
    };
    let body = request.into_body().collect().await;
    let body = body.map_err(|error| Failure::bad_request(error.to_string()))?.to_bytes();
    let object = if body.is_empty() {
        Value::Null
    } else {
        // YAML is only taken where it is JSON, which is what clients of this kind send.
        serde_json::from_slice(&body).map_err(|error| Failure::bad_request(error.to_string()))?
    };
    let value = match (method, &target.name) {
        (Method::GET, None) => api::list(store, &target, query)?,
        (Method::GET, Some(_)) => api::get(store, &target)?,
        (Method::POST, None) => {
            return Ok(full(201, &api::create(store, &target, query, object)?));
        }
        (Method::PUT, Some(_)) => api::replace(store, &target, query, object)?,
        (Method::PATCH, Some(_)) => {
            let patch = patch.ok_or_else(Failure::unsupported_patch)?;
            api::patch(store, &target, query, (patch, object))?
        }
        (Method::DELETE, None) => api::delete_all(store, &target, query, &object)?,
        (Method::DELETE, Some(_)) => {
            let key = api::named(&target)?;
            let removed = api::remove(store, &key, query, &object)?;
            if removed["metadata"]["deletionTimestamp"].is_null()
                && target.resource.plural != "pods"
            {
                json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                    "details": {
                        "name": key.name, "kind": target.resource.plural,
                        "uid": removed["metadata"]["uid"],
                    },
                })
            } else {
                removed
            }
        }
        _ => return Err(Failure::method_not_allowed()),
    };
    Ok(full(200, &value))
}
