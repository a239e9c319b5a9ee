//! `pods/exec` by WebSocket: subprotocols `v4.channel.k8s.io` and `v5.channel.k8s.io`
//! (`k8s.io/apimachinery/pkg/util/remotecommand/constants.go`).

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::process::ChildStdin;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::api;
use super::container::{PROGRAM, Place, start};
use super::failure::Failure;
use super::resource::{Query, Target};
use super::server::{Body, Server, empty};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
/// Followed by the number of the stream that ends (v5).
const CLOSE: u8 = 255;

const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// How much is carried at once, in bytes.
const LOAD: usize = 32 << 10;

/// Answers the call, and runs the command once the connection is a WebSocket.
pub(super) fn exec(
    server: &Server,
    target: &Target,
    query: &Query,
    mut request: Request<Incoming>,
    budget: usize,
) -> Result<Response<Body>, Failure> {
    let pod = api::get(server.store(), target)?;
    let name = target.name.as_deref().unwrap_or_default();
    let containers = pod["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted = query.get("container");
    if !containers.iter().any(|one| wanted.is_empty() || one["name"] == wanted) {
        let message = format!("container {wanted} is not valid for pod {name}");
        return Err(Failure::bad_request(message));
    }
    let address = pod["status"]["podIP"].as_str().and_then(|address| address.parse().ok());
    let running = pod["status"]["phase"] == "Running";
    let Some(address) = address.filter(|_| running) else {
        let message = match pod["status"]["phase"].as_str() {
            Some(phase @ ("Failed" | "Succeeded")) => {
                format!("cannot exec into a container in a completed pod; current phase is {phase}")
            }
            _ => format!("pod {name} does not have a host assigned"),
        };
        return Err(Failure::bad_request(message));
    };
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let offered = header(SEC_WEBSOCKET_PROTOCOL).unwrap_or_default();
    let offers = |protocol: &&&str| offered.split(',').any(|one| one.trim() == **protocol);
    let protocol = PROTOCOLS.iter().find(offers);
    let (Some(protocol), Some(key)) = (protocol, header(SEC_WEBSOCKET_KEY)) else {
        return Err(Failure::bad_request("Upgrade request required".to_owned()));
    };
    let answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .header(SEC_WEBSOCKET_PROTOCOL, *protocol)
        .body(empty())
        .expect("every header is valid");
    let command: Vec<String> = query.get("command").lines().map(str::to_owned).collect();
    let place = Place { helper: server.helper(), address };
    let upgrade = hyper::upgrade::on(&mut request);
    let asked = server.counter();
    server.session(async move {
        let Ok(stream) = upgrade.await else { return };
        let stream = Budget { stream: TokioIo::new(stream), left: budget };
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        // A stream that was cut has nobody to be told.
        let _ = converse(socket, place, &command, &asked).await;
    });
    Ok(answer)
}

type Socket = WebSocketStream<Budget<TokioIo<Upgraded>>>;

async fn converse(
    socket: Socket,
    place: Place,
    command: &[String],
    asked: &watch::Sender<usize>,
) -> Result<(), Error> {
    let (mut sink, mut stream) = socket.split();
    let (program, arguments) = match command.split_first() {
        Some((program, arguments)) if program == PROGRAM => (program, arguments),
        _ => {
            let program = command.first().map(String::as_str).unwrap_or_default();
            let message = format!(
                "error executing command in container: failed to exec in container: exec: \
                 \"{program}\": executable file not found in $PATH"
            );
            return end(&mut sink, Failure::internal_error(message).status()).await;
        }
    };
    let mut child = start(place, arguments, None, Stdio::piped)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdout), Some(mut stderr)) = (stdout, stderr) else {
        return end(&mut sink, Failure::internal().status()).await;
    };
    let input = async {
        let mut stdin = stdin;
        while let Some(Ok(message)) = stream.next().await {
            feed(&mut stdin, &message).await;
            asked.send_modify(|asked| *asked += 1);
        }
    };
    let output = async {
        let (mut out, mut err) = (vec![0; LOAD], vec![0; LOAD]);
        let (mut out_ended, mut err_ended) = (false, false);
        while !(out_ended && err_ended) {
            tokio::select! {
                count = stdout.read(&mut out), if !out_ended => {
                    let count = count?;
                    out_ended = count == 0;
                    send(&mut sink, STDOUT, &out[..count]).await?;
                }
                count = stderr.read(&mut err), if !err_ended => {
                    let count = count?;
                    err_ended = count == 0;
                    send(&mut sink, STDERR, &err[..count]).await?;
                }
            }
        }
        let status = child.wait().await?;
        let status = match status.code() {
            Some(0) => json!({ "metadata": {}, "status": "Success" }),
            code => json!({
                "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
                "message": format!(
                    "command terminated with non-zero exit code: {program} ended with {status}"
                ),
                "details": { "causes": [{
                    "reason": "ExitCode", "message": code.unwrap_or(137).to_string(),
                }] },
            }),
        };
        end(&mut sink, status).await
    };
    tokio::select! {
        // The client has gone; what it started is killed as it is dropped.
        () = input => Ok(()),
        result = output => result,
    }
}

/// Hands a message of the client to the command.
async fn feed(stdin: &mut Option<ChildStdin>, message: &Message) {
    let Message::Binary(bytes) = message else { return };
    match (bytes.split_first(), stdin.as_mut()) {
        (Some((&STDIN, bytes)), Some(input)) => {
            // A command that reads no longer ends soon, and says why.
            let _ = input.write_all(bytes).await;
            let _ = input.flush().await;
        }
        (Some((&CLOSE, [STDIN])), _) => *stdin = None,
        _ => {}
    }
}

async fn send(
    sink: &mut SplitSink<Socket, Message>,
    channel: u8,
    bytes: &[u8],
) -> Result<(), Error> {
    if bytes.is_empty() {
        return Ok(());
    }
    let frame: Bytes = [&[channel], bytes].concat().into();
    sink.send(Message::Binary(frame)).await
}

/// Says how the command ended, and ends the stream.
async fn end(sink: &mut SplitSink<Socket, Message>, status: Value) -> Result<(), Error> {
    send(sink, ERROR, status.to_string().as_bytes()).await?;
    sink.send(Message::Close(None)).await
}

/// A stream that breaks when it has sent so many bytes.
struct Budget<S> {
    stream: S,
    left: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Budget<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Budget<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let most = bytes.len().min(self.left);
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, &bytes[..most]))?;
        self.left -= count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
