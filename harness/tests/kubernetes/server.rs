//! The double itself, asked by an ordinary client.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use hyper::Method;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{AttachParams, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::api::{WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::Outcome;
use crate::double::{Double, Failure, Fault, IMAGE};

const LONG: Duration = Duration::from_secs(20);

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("it is one")
}

/// Makes a namespace, and waits until it takes pods.
pub(crate) async fn make_namespace(client: &Client, name: &str) {
    let api: Api<Namespace> = Api::all(client.clone());
    let namespace = object(json!({ "metadata": { "name": name, "labels": { "a": "b" } } }));
    api.create(&PostParams::default(), &namespace).await.expect("it is made");
    // As on a real cluster, pods have to wait for it.
    let accounts =
        Api::<k8s_openapi::api::core::v1::ServiceAccount>::namespaced(client.clone(), name);
    let there = |account: Option<&k8s_openapi::api::core::v1::ServiceAccount>| account.is_some();
    let wait = kube::runtime::wait::await_condition(accounts, "default", there);
    timeout(LONG, wait).await.expect("in time").expect("it is made");
}

fn pod(name: &str, image: &str) -> Pod {
    object(json!({
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": { "containers": [{
            "name": "agent", "image": image,
            "args": ["serve", "--identity", format!("a/{name}"), "--listen", "80/TCP"],
        }] },
    }))
}

async fn running(pods: &Api<Pod>, name: &str) -> Pod {
    let wait = kube::runtime::wait::await_condition(
        pods.clone(),
        name,
        kube::runtime::conditions::is_pod_running(),
    );
    let found = timeout(LONG, wait).await.expect("in time").expect("a watch");
    found.expect("it is there")
}

fn code(result: Result<impl Sized, kube::Error>) -> u16 {
    match result {
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("expected a status, found {error}"),
        Ok(_) => 200,
    }
}

pub(crate) async fn lists_and_watches() -> Outcome {
    let double = Double::start().await?;
    let client = double.client();
    make_namespace(&client, "a").await;
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), "a");
    let before = policies.list(&ListParams::default()).await.expect("a list");
    let version = before.metadata.resource_version.expect("it has one");
    let params = PatchParams::apply("test");
    let policy = |labels: Value, spec: Value| {
        Patch::Apply(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "name": "p", "labels": labels }, "spec": spec,
        }))
    };
    let spec = json!({ "podSelector": {}, "policyTypes": ["Ingress"] });
    let made = policies.patch("p", &params, &policy(json!({ "x": "1" }), spec.clone())).await;
    let made = made.expect("it is made");
    assert_eq!(made.metadata.managed_fields.expect("managers").len(), 1);
    let changed = policies
        .patch("p", &params, &policy(json!({ "y": "2" }), json!({ "podSelector": {} })))
        .await
        .expect("it is changed");
    let labels = changed.metadata.labels.expect("labels");
    assert_eq!(labels, BTreeMap::from([("y".to_owned(), "2".to_owned())]));
    assert_eq!(changed.spec.expect("a spec").policy_types, None);
    policies.delete("p", &DeleteParams::default()).await.expect("it is removed");

    let label = WatchParams::default().labels("x=1").timeout(5);
    let seen: Vec<_> =
        policies.watch(&label, &version).await.expect("a watch").take(2).collect().await;
    assert!(
        matches!(&seen[..], [Ok(WatchEvent::Added(_)), Ok(WatchEvent::Deleted(_))]),
        "{seen:?}"
    );
    let all = policies.watch(&WatchParams::default(), &version).await.expect("a watch");
    let seen: Vec<_> = all.take(3).try_collect().await.expect("events");
    assert!(matches!(
        &seen[..],
        [WatchEvent::Added(_), WatchEvent::Modified(_), WatchEvent::Deleted(_)]
    ));
    double.forget();
    let mut expired =
        policies.watch(&WatchParams::default(), &version).await.expect("a watch").boxed();
    match expired.next().await {
        Some(Ok(WatchEvent::Error(status))) => assert_eq!(status.code, 410),
        other => panic!("expected 410, found {other:?}"),
    }

    assert_eq!(code(policies.get("p").await), 404);
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let again = object(json!({ "metadata": { "name": "a" } }));
    assert_eq!(code(namespaces.create(&PostParams::default(), &again).await), 409);
    let bad = object(json!({ "metadata": { "name": "A_b" } }));
    assert_eq!(code(namespaces.create(&PostParams::default(), &bad).await), 422);
    double.fault(
        Fault::answer(Method::GET, "/namespaces", Failure::too_many_requests(1)).times(1).after(1),
    );
    assert_eq!(code(namespaces.get("a").await), 200);
    assert_eq!((code(namespaces.get("a").await), double.met()), (429, 1));
    assert_eq!(code(namespaces.get("a").await), 200);
    double.stop().await;
    assert!(namespaces.get("a").await.is_err());
    double.resume();
    assert_eq!(code(namespaces.get("a").await), 200);
    namespaces.delete("a", &DeleteParams::default()).await.expect("it is removed");
    let gone =
        kube::runtime::wait::await_condition(namespaces, "a", |found: Option<&Namespace>| {
            found.is_none()
        });
    timeout(LONG, gone).await.expect("in time").expect("a watch");
    assert_eq!(double.objects("namespaces"), ["default", "kube-system"]);
    Ok(())
}

pub(crate) async fn runs_agents() -> Outcome {
    let double = Double::start().await?;
    let client = double.client();
    make_namespace(&client, "a").await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "a");
    let post = PostParams::default();
    pods.create(&post, &pod("one", IMAGE)).await.expect("it is made");
    pods.create(&post, &pod("absent", "elsewhere/agent:1")).await.expect("it is made");
    let one = running(&pods, "one").await;
    let status = one.status.expect("a status");
    assert!(status.pod_ips.is_some_and(|addresses| !addresses.is_empty()));

    let hello = exec(&pods, "one", &["/ringfence-agent", "bridge"]).await;
    assert!(!hello.is_empty());
    let status = pods.get("absent").await.expect("it is there").status.expect("a status");
    let containers = status.container_statuses.expect("containers");
    let waiting = containers[0].state.as_ref().and_then(|state| state.waiting.as_ref());
    assert_eq!(waiting.and_then(|waiting| waiting.reason.as_deref()), Some("ImagePullBackOff"));
    pods.delete("one", &DeleteParams::default()).await.expect("it goes");
    let gone =
        kube::runtime::wait::await_condition(pods, "one", |found: Option<&Pod>| found.is_none());
    timeout(LONG, gone).await.expect("in time").expect("a watch");
    Ok(())
}

/// What an exec says to nonsense.
async fn exec(pods: &Api<Pod>, name: &str, command: &[&str]) -> Vec<u8> {
    let params = AttachParams::default().stdin(true).stdout(true).stderr(true);
    let deadline = tokio::time::Instant::now() + LONG;
    loop {
        let mut process = pods.exec(name, command.iter().copied(), &params).await.expect("an exec");
        let (mut stdin, mut stdout) =
            (process.stdin().expect("a stream"), process.stdout().expect("a stream"));
        let mut said = Vec::new();
        stdin.write_all(&[0; 64]).await.expect("it takes it");
        drop(stdin);
        let read = timeout(LONG, stdout.read_to_end(&mut said)).await.expect("in time");
        let status = process.take_status().expect("a status").await;
        if read.is_ok() && !said.is_empty() {
            return said;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "expected the agent to answer, found {status:?}"
        );
    }
}
