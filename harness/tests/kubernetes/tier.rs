//! Policies of the cluster's scope: whose they are, whom they reach, and when none is made.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::expect;
use hyper::Method;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use ringfence::cluster::kubernetes::{KubernetesSource, Options, Scope, owner, prune};
use ringfence::cluster::{Cluster, ClusterError, Source, Stages};
use ringfence::model::{Change, ClusterPolicy, ClusterPolicyApi, ClusterPolicyName};
use ringfence::scenario::{LoadOptions, Scenario, parse_manifests, parse_scenario};
use serde_json::{Value, json};

use crate::Outcome;
use crate::bed::{Bed, close, ended, leave};
use crate::double::{Failure, Fault};
use crate::town::{settles, town};

/// How long the run may take to see what others do.
const LONG: Duration = Duration::from_secs(10);

const SCENARIO: &str = "name: tier
about: Policies of the cluster.
topology:
  namespaces:
    a: { pods: { one: {}, two: { ports: [80] } } }
steps:
  - { name: shut, apply: [policy.yaml], expect: [ \"any * -> *\" ] }
";

const ADMIN: &str = "apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: shut }
spec:
  priority: 10
  subject: { namespaces: { matchLabels: { kubernetes.io/metadata.name: a } } }
  ingress: [{ action: Deny, from: [{ namespaces: {} }] }]
";

const BASELINE: &str = "apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: { name: default }
spec:
  subject: { namespaces: {} }
  ingress: [{ action: Deny, from: [{ namespaces: {} }] }]
";

const CLUSTER: &str = "apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: open }
spec:
  tier: Admin
  priority: 5
  subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { role: server } } } }
  ingress: [{ action: Accept, from: [{ namespaces: {} }] }]
";

const NAMED_PORT: &str = "apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: named }
spec:
  priority: 10
  subject: { namespaces: {} }
  ingress: [{ action: Deny, from: [{ namespaces: {} }], ports: [{ namedPort: http }] }]
";

fn scenario(manifest: &str) -> Scenario {
    let manifests = [("policy.yaml".to_owned(), manifest.to_owned())].into();
    let (scenario, found) =
        parse_scenario("scenario.yaml", SCENARIO, &manifests, &LoadOptions::default());
    scenario.unwrap_or_else(|| panic!("expected a scenario, found {found:?}"))
}

fn policy(manifest: &str) -> Arc<ClusterPolicy> {
    let bundle = parse_manifests("policy.yaml", manifest, &LoadOptions::default());
    bundle.cluster_policies.first().unwrap_or_else(|| panic!("{:?}", bundle.diagnostics)).clone()
}

fn apply(manifest: &str) -> Change {
    Change::ApplyClusterPolicy(policy(manifest))
}

fn options(bed: &Bed) -> Options {
    Options { allow_cluster_scoped: true, ..bed.options() }
}

async fn ready(bed: &Bed) -> Result<KubernetesSource, ClusterError> {
    let source = bed.source(options(bed)).await?;
    source.prepare(&Stages::silent()).await?;
    Ok(source)
}

/// The objects of a kind, whosever they are.
fn kind(bed: &Bed, api: ClusterPolicyApi) -> Api<DynamicObject> {
    let kind = api.kind().as_str();
    let resource = ApiResource {
        group: "policy.networking.k8s.io".to_owned(),
        version: api.version().as_str().to_owned(),
        api_version: format!("policy.networking.k8s.io/{}", api.version().as_str()),
        kind: kind.to_owned(),
        plural: kind.to_lowercase().replace("policy", "policies"),
    };
    Api::all_with(bed.client.clone(), &resource)
}

async fn there(bed: &Bed, api: ClusterPolicyApi) -> Vec<DynamicObject> {
    let found = kind(bed, api).list(&ListParams::default()).await;
    found.expect("policies can be listed").items
}

/// Makes a policy as somebody else does, with these labels.
async fn make(bed: &Bed, api: ClusterPolicyApi, manifest: &str, labels: Value) -> DynamicObject {
    let mut object = policy(manifest).manifest.clone();
    object["metadata"]["labels"] = labels;
    let object = serde_json::from_value(object).expect("it is an object");
    kind(bed, api).create(&PostParams::default(), &object).await.expect("it can be made")
}

async fn unmake(bed: &Bed, api: ClusterPolicyApi, name: &str) {
    kind(bed, api).delete(name, &DeleteParams::default()).await.expect("it can be deleted");
}

/// Ends a scenario, and lets the next one be alone.
async fn end(mut cluster: Box<dyn Cluster>) -> Outcome {
    cluster.teardown().await.map_err(ended)
}

pub(crate) async fn subjects_are_the_runs_own(bed: Bed) -> Outcome {
    let source = ready(&bed).await?;
    let mut cluster = source.cluster(&scenario(ADMIN)).await?;
    cluster.deploy(&town(), 2, &[]).await?;
    let ways = [("a/one", "a/two"), ("a/two", "b/three")];
    cluster.change(&[apply(ADMIN)]).await?;
    settles(&mut *cluster, &ways, &["shut", "open"]).await?;
    let run = source.run();
    let found = there(&bed, ClusterPolicyApi::AdminV1alpha1).await;
    let [object] = found.as_slice() else { panic!("expected one policy, found {found:?}") };
    assert_eq!(object.metadata.name, Some(format!("rf-{run}-0-shut")));
    let asked = json!({
        "kubernetes.io/metadata.name": format!("rf-{run}-0-a"),
        owner::RUN: run.as_str(), owner::SLOT: "0",
    });
    assert_eq!(object.data["spec"]["subject"]["namespaces"]["matchLabels"], asked);
    assert_eq!(object.data["spec"]["ingress"][0]["from"], json!([{ "namespaces": {} }]));
    assert_eq!(cluster.rewritten().len(), 3, "its name, its namespace's, and its subject");

    // A policy of another kind above it, and one below all NetworkPolicies.
    cluster.change(&[apply(CLUSTER), apply(BASELINE)]).await?;
    settles(&mut *cluster, &ways, &["open", "shut"]).await?;
    let gone = |text: &str| Change::DeleteClusterPolicy(policy(text).name.clone());
    cluster.change(&[gone(CLUSTER), gone(BASELINE)]).await?;
    settles(&mut *cluster, &ways, &["shut", "open"]).await?;
    let paths: Vec<String> = cluster.artifacts().await.into_iter().map(|it| it.path).collect();
    let path = format!("cluster-policies/rf-{run}-0-shut.json");
    assert!(paths.contains(&path), "{paths:?}");

    cluster.teardown().await.map_err(ended)?;
    for api in bed_kinds() {
        assert!(there(&bed, api).await.is_empty(), "the scenario is over");
    }
    close(&bed, &source).await
}

/// What the double serves.
fn bed_kinds() -> BTreeSet<ClusterPolicyApi> {
    let newest = ClusterPolicyApi::ClusterV1beta1;
    ClusterPolicyApi::ALL.into_iter().filter(|api| *api != newest).collect()
}

pub(crate) async fn what_cannot_be_given_is_told(bed: Bed) -> Outcome {
    let told = |cluster: &dyn Cluster| -> String {
        let can = cluster.capabilities();
        let missing = can.missing.iter();
        let tier = missing.filter(|it| it.contains("polic") || it.contains("NetworkPolicy"));
        tier.map(|sentence| format!("{sentence}\n")).collect()
    };
    let source = bed.ready().await?;
    let cluster = source.cluster(&scenario(ADMIN)).await?;
    assert!(cluster.capabilities().cluster_policies.is_empty());
    let mut text = told(&*cluster);
    leave(&bed, &source, cluster).await?;

    let source = ready(&bed).await?;
    let cluster = source.cluster(&scenario(ADMIN)).await?;
    assert_eq!(cluster.capabilities().cluster_policies, bed_kinds());
    text += &told(&*cluster);
    leave(&bed, &source, cluster).await?;

    bed.fake().uninstall();
    let source = ready(&bed).await?;
    let cluster = source.cluster(&scenario(ADMIN)).await?;
    assert!(cluster.capabilities().cluster_policies.is_empty());
    text += &told(&*cluster);
    expect![[r#"
        no policies of the cluster: making any needs `--allow-cluster-scoped`
        no ClusterNetworkPolicy v1beta1: of `policy.networking.k8s.io` the API server serves `AdminNetworkPolicy v1alpha1`, `BaselineAdminNetworkPolicy v1alpha1`, `ClusterNetworkPolicy v1alpha2`
        no policies of the cluster: the API server serves no `policy.networking.k8s.io`, whose CustomResourceDefinitions come with a network plugin or from https://network-policy-api.sigs.k8s.io/getting-started/
    "#]].assert_eq(&text);
    leave(&bed, &source, cluster).await
}

/// A scenario whose pods stand, on a cluster from which others' policies have just gone: the run
/// sees that a moment later.
async fn begun(
    source: &KubernetesSource,
    manifest: &str,
) -> Result<Box<dyn Cluster>, ClusterError> {
    let begun = Instant::now();
    loop {
        let mut cluster = source.cluster(&scenario(manifest)).await?;
        match cluster.deploy(&town(), 1, &[]).await {
            Err(ClusterError::Unsupported(_)) if begun.elapsed() < LONG => end(cluster).await?,
            deployed => return deployed.map(|_| cluster),
        }
    }
}

pub(crate) async fn others_policies_are_told_and_left_alone(bed: Bed) -> Outcome {
    let admin = ClusterPolicyApi::AdminV1alpha1;
    let theirs = make(&bed, admin, ADMIN, json!({ "team": "red" })).await;
    let source = ready(&bed).await?;
    let mut cluster = source.cluster(&scenario(CLUSTER)).await?;
    let before = bed.fake().objects("pods");
    let refused = cluster.deploy(&town(), 1, &[]).await.expect_err("others' policies stand");
    assert!(matches!(refused, ClusterError::Unsupported(_)), "{refused:?}");
    assert_eq!(bed.fake().objects("pods"), before, "nothing was made for it");
    expect!["expected no policies of the cluster on `kubeconfig` but the run's own, found `AdminNetworkPolicy/shut`, which this run did not make: they may decide its connections, and are left alone; delete them if nobody needs them, or run on a cluster without them"].assert_eq(&refused.to_string());
    let doubt =
        "others' policies: `AdminNetworkPolicy/shut` may decide connections of every scenario";
    assert!(cluster.capabilities().missing.iter().any(|it| it == doubt));
    end(cluster).await?;
    let found = there(&bed, admin).await;
    assert_eq!(found[0].metadata.resource_version, theirs.metadata.resource_version);
    unmake(&bed, admin, "shut").await;

    // One that comes while a scenario is under way makes all that was seen doubtful.
    let mut cluster = begun(&source, CLUSTER).await?;
    settles(&mut *cluster, &[("a/one", "a/two")], &["open"]).await?;
    make(&bed, admin, ADMIN, json!(null)).await;
    let disturbed = loop {
        // Until the run has seen it.
        if let Err(error) = settles(&mut *cluster, &[("a/one", "b/three")], &["open"]).await {
            break error.to_string();
        }
    };
    let came = "(it came while the scenario was under way)";
    assert!(
        disturbed.contains("`AdminNetworkPolicy/shut`") && disturbed.ends_with(came),
        "{disturbed}"
    );
    end(cluster).await?;
    unmake(&bed, admin, "shut").await;

    // Another run's have that run's subjects; but there is one BaselineAdminNetworkPolicy.
    let baseline = ClusterPolicyApi::BaselineV1alpha1;
    let run = json!({ owner::RUN: "x7k2p", owner::SLOT: "0" });
    make(&bed, admin, ADMIN, run.clone()).await;
    make(&bed, baseline, BASELINE, run).await;
    let cluster = begun(&source, CLUSTER).await?;
    end(cluster).await?;
    let mut cluster = source.cluster(&scenario(BASELINE)).await?;
    let begun = Instant::now();
    let refused = loop {
        // Until the run has seen it.
        match cluster.deploy(&town(), 1, &[]).await {
            Err(error) => break error,
            Ok(_) => assert!(begun.elapsed() < LONG, "there is one alone"),
        }
    };
    expect!["expected no `BaselineAdminNetworkPolicy/default` on `kubeconfig`, of which there can be one alone, found that of the run `x7k2p`: run again when that is over, or remove what it left with `ringfence clusters prune --on kubeconfig`"].assert_eq(&refused.to_string());
    leave(&bed, &source, cluster).await?;
    assert_eq!((there(&bed, admin).await.len(), there(&bed, baseline).await.len()), (1, 1));
    Ok(())
}

pub(crate) async fn a_field_that_the_schema_lacks_is_told(bed: Bed) -> Outcome {
    let source = ready(&bed).await?;
    let mut cluster = source.cluster(&scenario(NAMED_PORT)).await?;
    let before = bed.fake().objects("pods");
    let refused = cluster.deploy(&town(), 1, &[]).await.expect_err("it is not in the schema");
    assert!(matches!(refused, ClusterError::Unsupported(_)), "{refused:?}");
    assert_eq!(bed.fake().objects("pods"), before, "nothing was made for it");
    expect!["the AdminNetworkPolicy v1alpha1 that `kubeconfig` serves has no field `namedPort`: the CustomResourceDefinition of the experimental channel may have it"].assert_eq(&refused.to_string());
    leave(&bed, &source, cluster).await
}

pub(crate) async fn what_is_left_of_policies_is_removed(bed: Bed) -> Outcome {
    let admin = ClusterPolicyApi::AdminV1alpha1;
    // A scenario that was lost.
    let source = ready(&bed).await?;
    let mut cluster = source.cluster(&scenario(ADMIN)).await?;
    cluster.deploy(&town(), 1, &[]).await?;
    cluster.change(&[apply(ADMIN), apply(BASELINE)]).await?;
    drop(cluster);
    // The next one finds nothing of it.
    let mut cluster = source.cluster(&scenario(BASELINE)).await?;
    for api in bed_kinds() {
        assert!(there(&bed, api).await.is_empty());
    }
    cluster.deploy(&town(), 1, &[]).await?;
    cluster.change(&[apply(ADMIN), apply(BASELINE)]).await?;
    drop(cluster);
    close(&bed, &source).await?;
    for api in bed_kinds() {
        assert!(there(&bed, api).await.is_empty());
    }

    // A run that was killed.
    let killed = ready(&bed).await?;
    let run = killed.run().clone();
    let mut cluster = killed.cluster(&scenario(ADMIN)).await?;
    cluster.deploy(&town(), 1, &[]).await?;
    cluster.change(&[apply(ADMIN), apply(BASELINE), apply(CLUSTER)]).await?;
    std::mem::forget((cluster, killed));
    make(&bed, admin, ADMIN, json!({ "team": "red" })).await;
    let client = bed.own_client().await?;
    // An account that may not see them removes what it may.
    let why = "adminnetworkpolicies.policy.networking.k8s.io is forbidden: User \"ci\" cannot list resource \"adminnetworkpolicies\" in API group \"policy.networking.k8s.io\" at the cluster scope";
    bed.fake().fault(Fault::answer(Method::GET, "/adminnetworkpolicies", Failure::forbidden(why)));
    let pruned = prune(&client, &Scope::Run(run.clone())).await?;
    assert!(!pruned.removed.is_empty() && pruned.policies.is_empty(), "{pruned:?}");
    assert!(pruned.unseen.is_some_and(|unseen| unseen.contains("expected the right to list")));
    bed.fake().heal();
    let pruned = prune(&client, &Scope::Ended).await?;
    let names = |name: &str| format!("rf-{run}-0-{name}");
    let own = [
        format!("AdminNetworkPolicy/{}", names("shut")),
        "BaselineAdminNetworkPolicy/default".to_owned(),
        format!("ClusterNetworkPolicy/{}", names("open")),
    ];
    assert_eq!((pruned.policies.as_slice(), pruned.unseen), (own.as_slice(), None));
    let found: Vec<ClusterPolicyName> = there(&bed, admin)
        .await
        .iter()
        .map(|it| ClusterPolicyName::new(admin.kind(), it.metadata.name.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(found, [policy(ADMIN).name.clone()], "somebody else's is left alone");
    Ok(())
}

pub(crate) async fn a_right_that_is_missing_is_told(bed: Bed) -> Outcome {
    let why = "adminnetworkpolicies.policy.networking.k8s.io is forbidden: User \"ci\" cannot list resource \"adminnetworkpolicies\" in API group \"policy.networking.k8s.io\" at the cluster scope";
    bed.fake().fault(Fault::answer(Method::GET, "/adminnetworkpolicies", Failure::forbidden(why)));
    let source = bed.source(options(&bed)).await?;
    let error = source.prepare(&Stages::silent()).await.expect_err("it may not list them");
    let said = error.to_string();
    assert!(said.starts_with("expected the right to watch") && said.contains(why), "{said}");
    // Without the flag nobody asks.
    let source = bed.ready().await?;
    close(&bed, &source).await
}
