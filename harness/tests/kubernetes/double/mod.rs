//! A double of a Kubernetes cluster, for what a real one does not do on demand.
//!
//! What is real: HTTP and WebSockets over TCP, the agent that runs in every container,
//! the `bridge` that an exec starts, pods' networks (an embedded cluster's namespaces),
//! their addresses of both families, packets, and the policies that stop them.
//!
//! What is not, and why a real cluster has to be asked as well:
//!
//! - The API server keeps a few kinds of objects as plain JSON. It fills in what every
//!   object has (`uid`, `resourceVersion`, …), a Service's address and no other defaults.
//!   It checks names, uids, versions and that pods keep their `spec`, and nothing else.
//!   Patches are merged; those of server-side apply take away what the same manager
//!   applied before, and never conflict. A list is never cut into pages. There is no TLS,
//!   no authentication, and every right is granted unless a [`Fault`] takes it away.
//! - One task, in place of scheduler, kubelets and controllers, does what objects ask
//!   for, in their order: fast, and never out of step. A container starts in no time and
//!   is this program again, with the container's arguments, so its file system, user
//!   and capabilities are not those of the manifest. Only [`IMAGE`] can be pulled.
//! - Policies of the cluster are served in `v1alpha1` and `v1alpha2`, and stop packets. Of
//!   their schemas one thing is checked: `v1alpha1` has no `namedPort`, as in the standard
//!   channel.
//! - A Service is an object: its address leads nowhere.
//! - A named port in a policy meets no pod, because the embedded cluster would open
//!   the ports that it knows of, which are the agent's.
//!
//! | part | what |
//! |---|---|
//! | `resource`, `failure`, `selector` | the words of the API |
//! | `store`, `api`, `watch`, `server` | objects, calls, HTTP |
//! | `node`, `container`, `exec` | what runs |
//! | `fault` | what goes wrong |

mod api;
mod container;
mod exec;
mod failure;
mod fault;
mod node;
mod resource;
mod selector;
mod server;
mod store;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use kube::config::Kubeconfig;
use kube::{Client, Config};
use ringfence::cluster::embedded::{Embedded, EmbeddedOptions};
use ringfence::cluster::{Cluster, ClusterError};
use ringfence::model::{Namespace, Origin, Topology};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::node::{Command, Machine};
use self::server::Server;
use self::store::{Key, Store};

pub(crate) use container::{ROLE, play};
pub(crate) use failure::Failure;
pub(crate) use fault::Fault;

/// The only image that can be pulled.
pub(crate) const IMAGE: &str = "ringfence-agent:double";

/// How long something is waited for that comes soon.
const LONG: Duration = Duration::from_secs(10);

/// The namespaces that are there from the start.
const NAMESPACES: [&str; 2] = ["default", "kube-system"];

/// A cluster that runs until it is dropped, on threads of its own.
pub(crate) struct Double {
    server: Arc<Server>,
    commands: mpsc::UnboundedSender<Command>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Double {
    /// Starts it, with two nodes: `node-1` and `node-2`.
    ///
    /// # Errors
    /// Those of the embedded cluster, which carries its pods.
    pub(crate) async fn start() -> Result<Self, ClusterError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("double")
            .enable_all()
            .build()
            .expect("a runtime can be built");
        let launched = runtime.spawn(launch()).await.expect("it starts or says why not");
        let (server, commands) = match launched {
            Ok(launched) => launched,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        Ok(Self { server, commands, runtime: Some(runtime) })
    }

    /// A kubeconfig as a user has one.
    pub(crate) fn kubeconfig(&self) -> Kubeconfig {
        let server = format!("http://{}", self.server.address());
        let text = json!({
            "current-context": "double",
            "clusters": [{ "name": "double", "cluster": { "server": server } }],
            "users": [{ "name": "anyone", "user": {} }],
            "contexts": [{ "name": "double", "context": { "cluster": "double", "user": "anyone" } }],
        });
        serde_json::from_value(text).expect("it is a kubeconfig")
    }

    /// A client that tries nothing again by itself.
    pub(crate) fn client(&self) -> Client {
        let server = format!("http://{}", self.server.address());
        let mut config = Config::new(server.parse().expect("it is an address"));
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    }

    /// From now on something goes wrong.
    pub(crate) fn fault(&self, fault: Fault) {
        self.server.faults().add(fault);
    }

    /// How many calls met a fault so far.
    pub(crate) fn met(&self) -> usize {
        self.server.faults().met()
    }

    /// Nothing goes wrong any longer.
    pub(crate) fn heal(&self) {
        self.server.faults().clear();
    }

    /// Forgets what happened, as etcd does when it is compacted: every watch ends with
    /// 410, and one from an earlier version does not begin.
    pub(crate) fn forget(&self) {
        self.server.store().forget();
    }

    /// Sets the API server's clock ahead.
    pub(crate) fn advance(&self, by: Duration) {
        let seconds = i64::try_from(by.as_secs()).expect("it is a time that tests wait for");
        self.server.store().advance(seconds);
    }

    /// Cuts every exec at once.
    pub(crate) fn cut_sessions(&self) {
        self.server.cut_sessions();
    }

    /// Waits until execs have carried so many more messages of clients.
    pub(crate) async fn asked(&self, messages: usize) {
        let asked = timeout(LONG, self.server.asked(messages)).await;
        asked.unwrap_or_else(|_| panic!("expected {messages} messages within {LONG:?}"));
    }

    /// Takes connections while nothing is served, and closes them, until one brings a call that
    /// begins like this.
    pub(crate) async fn turn_away(&self, begin: &'static str) {
        let turned = timeout(LONG, self.server.turn_away(begin)).await;
        let turned = turned.unwrap_or_else(|_| panic!("expected `{begin}` within {LONG:?}"));
        turned.expect("its port is free");
    }

    /// Serves no longer: connections end, and new ones are refused.
    pub(crate) async fn stop(&self) {
        self.server.stop().await;
    }

    /// Serves again, on the same port.
    pub(crate) fn resume(&self) {
        let runtime = self.runtime.as_ref().expect("it runs until it is dropped");
        self.server.resume(runtime.handle()).expect("its port is free");
    }

    /// Evicts a pod, as a kubelet does that lacks memory.
    pub(crate) fn evict(&self, namespace: &str, pod: &str) {
        self.command(Command::Evict(Key::new("pods", namespace, pod)));
    }

    /// Kills what runs in a pod; it is started again.
    pub(crate) fn crash(&self, namespace: &str, pod: &str) {
        self.command(Command::Crash(Key::new("pods", namespace, pod)));
    }

    /// Makes a pod's network anew, as a kubelet does whose sandbox ended: what runs in it is
    /// started again, at other addresses.
    pub(crate) fn remake(&self, namespace: &str, pod: &str) {
        self.command(Command::Remake(Key::new("pods", namespace, pod)));
    }

    /// Takes a node away, with the pods on it.
    pub(crate) fn remove_node(&self, name: &str) {
        self.command(Command::RemoveNode(name.to_owned()));
    }

    fn command(&self, command: Command) {
        self.commands.send(command).expect("the cluster runs until it is dropped");
    }

    /// Serves policies of the cluster no longer, as a cluster without their definitions.
    pub(crate) fn uninstall(&self) {
        self.server.uninstall();
    }

    /// Every object of the kinds that runs make, as `namespace/name` or `name`, by plural.
    pub(crate) fn objects(&self, plural: &str) -> Vec<String> {
        let resource = resource::by_plural(plural).expect("a kind that there is");
        let (_, objects) = self.server.store().list(resource, None);
        objects.iter().map(name_of).collect()
    }
}

fn name_of(object: &Value) -> String {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    match text("namespace") {
        "" => text("name").to_owned(),
        namespace => format!("{namespace}/{}", text("name")),
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn launch() -> Result<(Arc<Server>, mpsc::UnboundedSender<Command>), ClusterError> {
    let mut embedded = Embedded::start(EmbeddedOptions::default()).await?;
    let mut topology = Topology::default();
    for name in NAMESPACES {
        let namespace = Namespace::new(name, [].into(), Origin::synthetic("double"));
        topology.namespaces.insert(namespace.name.clone(), namespace);
    }
    let topology = embedded.deploy(&topology, 2, &[]).await?;
    let (commands, inbox) = mpsc::unbounded_channel();
    let store = Arc::new(Store::new(commands.clone()));
    for name in NAMESPACES {
        store.create(&Key::new("namespaces", "", name), json!({})).expect("it is the first");
    }
    for node in topology.nodes.values() {
        let addresses = node.addresses.iter();
        let addresses: Vec<Value> = addresses
            .map(|address| json!({ "type": "InternalIP", "address": address.to_string() }))
            .collect();
        let object = json!({
            "metadata": { "labels": { "kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux" } },
            "spec": {},
            "status": {
                "addresses": addresses,
                "conditions": [{ "type": "Ready", "status": "True" }],
                "nodeInfo": { "kernelVersion": "6.0", "architecture": "amd64", "kubeletVersion": server::VERSION },
            },
        });
        store.create(&Key::new("nodes", "", &node.name), object).expect("it is the first");
    }
    let helper = embedded.helper_id().expect("it has just been deployed");
    let server = Server::start(store.clone(), helper).await.map_err(anyhow::Error::from)?;
    tokio::spawn(Machine::new(embedded, store).run(inbox));
    Ok((server, commands))
}
