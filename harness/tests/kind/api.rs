//! Manifests and rollouts on a real API server, in a namespace of the test's own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use kube::runtime::wait::{await_condition, conditions};
use ringfence::cluster::cni::{Rollout, Workload};
use ringfence::cluster::kind::{Action, Hands, Machine, Told, client};

use crate::block_on;
use crate::fakes::NoAgent;

/// How long an action may take.
const LONG: Duration = Duration::from_secs(120);

/// The kubeconfig and the agent's image, as the tests of Kubernetes take them; or which is not set.
fn given() -> Result<(String, String), String> {
    let variable = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("`{name}` is not set"))
    };
    Ok((variable("RINGFENCE_TEST_KUBECONFIG")?, variable("RINGFENCE_TEST_AGENT_IMAGE")?))
}

/// Why these tests cannot run here.
pub(crate) fn lacking() -> Option<String> {
    given().err()
}

/// As a CNI's manifest: a definition and an object of it at once, then what rolls out.
fn manifest(name: &str) -> String {
    let template = format!(
        "    metadata: {{ labels: {{ app: {name} }} }}\n    spec:\n      \
         terminationGracePeriodSeconds: 1\n      containers:\n      - name: agent\n        image: \
         placeholder:latest\n        imagePullPolicy: Always\n        args: [serve, --identity, x]\n"
    );
    let workload = |kind: &str, more: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{ name: w, namespace: {name} }}\n\
             spec:\n{more}  selector: {{ matchLabels: {{ app: {name} }} }}\n  template:\n{template}"
        )
    };
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n---\n\
         apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {{ name: trials.{name}.ringfence.dev }}\nspec:\n  group: {name}.ringfence.dev\n  \
         scope: Namespaced\n  names: {{ kind: Trial, plural: trials }}\n  versions:\n  - name: v1\n    \
         served: true\n    storage: true\n    schema: {{ openAPIV3Schema: {{ type: object, \
         x-kubernetes-preserve-unknown-fields: true }} }}\n---\napiVersion: {name}.ringfence.dev/v1\n\
         kind: Trial\nmetadata: {{ name: one, namespace: {name} }}\n{}{}",
        workload("DaemonSet", ""),
        workload("Deployment", "  replicas: 2\n"),
    )
}

async fn perform(machine: &Machine, action: &Action) {
    let told = Told::default();
    match tokio::time::timeout(LONG, machine.perform(action, &told)).await {
        Ok(done) => done.unwrap_or_else(|error| panic!("{action}: {error:#}")),
        Err(_) => panic!("{action}: not within {} s, seen last: {}", LONG.as_secs(), told.last()),
    }
}

pub(crate) fn a_manifest_is_applied_and_its_rollout_awaited() {
    let (kubeconfig, image) = given().unwrap();
    let home = tempfile::tempdir().unwrap();
    block_on(applied(Path::new(&kubeconfig), &image, home.path()));
}

async fn applied(kubeconfig: &Path, image: &str, home: &Path) {
    let machine = Machine::new(Arc::new(NoAgent));
    let name = format!("apply-{}", std::process::id());
    let file = home.join("m.yaml");
    std::fs::write(&file, manifest(&name)).unwrap();
    let apply = Action::Apply {
        file,
        replace_images: [("placeholder:latest".to_owned(), image.to_owned())].into(),
        pull_if_absent: true,
        kubeconfig: kubeconfig.to_owned(),
    };
    perform(&machine, &apply).await;
    // As a cluster that is kept has it applied again.
    perform(&machine, &apply).await;
    for kind in [Workload::DaemonSet, Workload::Deployment] {
        let rollout = Rollout { kind, namespace: name.clone(), name: "w".to_owned() };
        perform(&machine, &Action::AwaitRollout { rollout, kubeconfig: kubeconfig.to_owned() })
            .await;
    }
    let client = client(kubeconfig).await.unwrap();
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    let nodes: Vec<String> = nodes.iter().map(ResourceExt::name_any).collect();
    assert!(!nodes.is_empty());
    perform(&machine, &Action::AwaitNodes { nodes, kubeconfig: kubeconfig.to_owned() }).await;

    let namespaces: Api<Namespace> = Api::all(client.clone());
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = format!("trials.{name}.ringfence.dev");
    let there = namespaces.get(&name).await.unwrap();
    let uid = there.metadata.uid.unwrap();
    namespaces.delete(&name, &DeleteParams::default()).await.unwrap();
    let gone = await_condition(namespaces, &name, conditions::is_deleted(&uid));
    tokio::time::timeout(LONG, gone).await.expect("it is gone in time").unwrap();
    definitions.delete(&definition, &DeleteParams::default()).await.unwrap();
}
