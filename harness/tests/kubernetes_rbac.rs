//! The printed role on a real cluster: an account with it may do everything that a run
//! does, and without any one right of it may not do that one thing, which the check
//! before a run names.
//!
//! | variable | meaning |
//! |---|---|
//! | `RINGFENCE_TEST_KUBECONFIG` | the kubeconfig of a cluster on which roles may be made; without it the test is ignored |
//! | `RINGFENCE_REQUIRE` | with `kubernetes`, a machine without that cluster fails |
//! | `RINGFENCE_TEST_AGENT_IMAGE` | the agent's image that its nodes have; without it no scenario is run |
//! | `RINGFENCE_TEST_ENFORCES` | set where it enforces policies |
//!
//! The calls are real: what the API server answers counts, not only what it says it would.

mod requirement;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{
    AttachParams, DeleteParams, DynamicObject, ListParams, LogParams, Patch, PostParams,
    WatchParams,
};
use kube::client::UpgradeConnectionError;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config, Error};
use libtest_mimic::{Arguments, Completion, Trial};
use ringfence::cluster::kubernetes::access::missing;
use ringfence::cluster::kubernetes::owner::RunId;
use ringfence::cluster::kubernetes::rbac::{Extent, Grant, Need, READ_PULL_SECRET, grants};
use ringfence::cluster::kubernetes::role::{binding, cluster_role, rule, service_account};
use ringfence::cluster::kubernetes::{KubernetesSource, Options, PullSecret, under_way};
use ringfence::cluster::{Source, Stages};
use ringfence::exit::ExitCode as RunExit;
use ringfence::run::{Event, EventSink, Settings, Stop, run_all};
use ringfence::scenario::{LoadOptions, parse_scenario};
use serde_json::json;
use tokio::time::{Instant, interval};

use requirement::required;

const VARIABLE: &str = "RINGFENCE_TEST_KUBECONFIG";

/// How long the authorizer may take to see a role that was changed.
const DEADLINE: Duration = Duration::from_secs(30);

/// The name of objects that are not there.
const NOTHING: &str = "ringfence-nothing";

fn main() -> ExitCode {
    let trial = Trial::ignorable_test("every_right_of_the_role_is_needed_and_no_other", || {
        let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
            if required("kubernetes") {
                return Err(format!("RINGFENCE_REQUIRE=kubernetes, and no {VARIABLE}").into());
            }
            return Ok(Completion::ignored_with(format!("no {VARIABLE}")));
        };
        let runtime = tokio::runtime::Runtime::new()?;
        let kubeconfig = Kubeconfig::read_from(path)?;
        runtime.block_on(with_account(kubeconfig)).map_err(|error| format!("{error:?}"))?;
        Ok(Completion::Completed)
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// An account of the test's own, and the role that is changed under it.
struct Account {
    client: Client,
    roles: Api<ClusterRole>,
    name: String,
}

async fn with_account(kubeconfig: Kubeconfig) -> Result<()> {
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let admin = Client::try_from(config.clone())?;
    let name = format!("ringfence-rbac-{}", RunId::random());
    let ended = prepared(&admin, config, &name).await;
    // Everything goes, whatever happened.
    let params = DeleteParams::default();
    let bindings: Api<ClusterRoleBinding> = Api::all(admin.clone());
    let roles: Api<ClusterRole> = Api::all(admin.clone());
    let namespaces: Api<Namespace> = Api::all(admin);
    let gone = (
        bindings.delete(&name, &params).await.map(drop),
        roles.delete(&name, &params).await.map(drop),
        namespaces.delete(&name, &params).await.map(drop),
    );
    ended?;
    gone.0.and(gone.1).and(gone.2).with_context(|| format!("expected `{name}` to be removed"))
}

async fn prepared(admin: &Client, mut config: Config, name: &str) -> Result<()> {
    let params = PostParams::default();
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
    Api::all(admin.clone()).create(&params, &namespace).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), name);
    accounts.create(&params, &service_account(name, name)).await?;
    let roles: Api<ClusterRole> = Api::all(admin.clone());
    roles.create(&params, &cluster_role(name, Vec::new())).await?;
    Api::all(admin.clone()).create(&params, &binding(name, name)).await?;
    let request =
        TokenRequest { spec: Some(TokenRequestSpec::default()), ..TokenRequest::default() };
    let token = accounts.create_token_request(name, &params, &request).await?;
    let token = token.status.context("expected a token, found none")?.token;
    config.auth_info = serde_json::from_value(json!({ "token": token }))?;
    let client = Client::try_from(config)?;
    let account = Account { client, roles, name: name.to_owned() };
    every_right_is_needed(&account).await
}

async fn every_right_is_needed(account: &Account) -> Result<()> {
    let all: Vec<Grant> = grants(Extent::ALL).collect();
    let rights = || all.iter().flat_map(|grant| grant.verbs.iter().map(move |verb| (grant, *verb)));
    // Without a role everything is missing that a run cannot do without.
    let needed = rights().filter(|(grant, _)| grant.need != Need::Diagnosis).count();
    // The pull secret's own is asked for where it is.
    let secret: PullSecret = "default/registry".parse()?;
    let secret = Some(&secret);
    let lacking = missing(&account.client, secret, true).await?;
    ensure!(lacking.len() == needed + 1);
    let last = lacking.last().and_then(|right| right.object.as_deref());
    ensure!(last == Some("default/registry"), "{lacking:?}");
    for (grant, verb) in rights() {
        let refusal = account.refusal(grant, verb).await?;
        ensure!(refusal.is_some(), "{verb} {} without a role", grant.full_name());
    }

    account.have(&all).await?;
    for (grant, verb) in rights() {
        account.until(grant, verb, true).await?;
    }
    ensure!(missing(&account.client, secret, true).await?.is_empty());
    // What no run does stays out of reach.
    let nodes = all.iter().find(|grant| grant.resource == "nodes").context("nodes")?;
    let refusal = account.refusal(nodes, "delete").await?;
    ensure!(refusal.is_some(), "the role lets nodes be deleted");

    let image = env::var("RINGFENCE_TEST_AGENT_IMAGE").unwrap_or_default();
    if !image.is_empty() {
        a_scenario_runs(account, &image).await?;
    }

    for (grant, verb) in rights() {
        let mut less = all.clone();
        for other in less.iter_mut().filter(|other| *other == grant) {
            let verbs: Vec<&str> = other.verbs.iter().copied().filter(|v| *v != verb).collect();
            other.verbs = verbs.leak();
        }
        less.retain(|grant| !grant.verbs.is_empty());
        // From the whole role on, so that the refusal is of what is missing now.
        account.have(&all).await?;
        for (grant, verb) in rights() {
            account.until(grant, verb, true).await?;
        }
        account.have(&less).await?;
        let refusal = account.until(grant, verb, false).await?.unwrap_or_default();
        // Kubernetes asks for the second right of exec by itself, and tells nobody which
        // it is: `pods "db" is forbidden: `. The check before a run names it all the same.
        if (grant.resource, verb) != ("pods/exec", "create") {
            let words = [format!("cannot {verb} resource"), format!("\"{}\"", grant.resource)];
            ensure!(words.iter().all(|words| refusal.contains(words)), "{refusal}");
        }
        if grant.need == Need::Diagnosis {
            ensure!(missing(&account.client, secret, true).await?.is_empty());
            continue;
        }
        let mut options = Options::new("kubeconfig", "ringfence-agent");
        options.pull_secret = Some("default/registry".parse()?);
        options.allow_cluster_scoped = true;
        let source = KubernetesSource::new(account.client.clone(), options);
        let prepared = source.prepare(&Stages::silent()).await;
        let told = prepared.err().context("expected the run to end, found it prepared")?;
        let told = told.to_string();
        let line = format!("\n  {verb} `{}`: ", grant.full_name());
        ensure!(told.contains(&line) && told.matches("\n  ").count() == 1, "{told}");
    }
    Ok(())
}

const SCENARIO: &str = r#"
name: fence
about: One pod is fenced, and its labels and its neighbours change.
topology:
  namespaces:
    prod: { pods: { web: { ports: [80] }, db: { labels: { role: db }, ports: [3306] } } }
steps:
  - name: open
    expect: ["allow * -> *"]
  - name: fenced
    apply: [deny.yaml]
    expect: ["deny * -> prod/db", "allow * -> *"]
  - name: no longer
    delete: [prod/deny]
    expect: ["allow * -> *"]
"#;

const DENY: &str = r#"
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny, namespace: prod }
spec: { podSelector: { matchLabels: { role: db } }, policyTypes: [Ingress] }
"#;

/// Runs a scenario as the account.
async fn a_scenario_runs(account: &Account, image: &str) -> Result<()> {
    let manifests = [("deny.yaml".to_owned(), DENY.to_owned())].into();
    let (scenario, found) =
        parse_scenario("scenario.yaml", SCENARIO, &manifests, &LoadOptions::default());
    let scenario = scenario.with_context(|| format!("{found:?}"))?;
    let mut options = Options::new("kubeconfig", image);
    options.dataplane.enforces = env::var_os("RINGFENCE_TEST_ENFORCES").is_some();
    let source = Arc::new(KubernetesSource::new(account.client.clone(), options));
    let (sink, mut lines) = EventSink::channel();
    let settings = Settings::default();
    let scenarios = vec![Arc::new(scenario)];
    let ran = run_all(scenarios, vec![source], 1, &settings, &sink, &Stop::never()).await;
    drop(sink);
    let mut told = Vec::new();
    while let Ok(line) = lines.try_recv() {
        if matches!(line.event, Event::ScenarioFinished { .. } | Event::LeftBehind { .. }) {
            told.push(format!("{:?}", line.event));
        }
    }
    ensure!(ran.exit_code == RunExit::Passed, "{told:#?}");
    // `prune` asks for no more.
    under_way(&account.client).await?;
    Ok(())
}

impl Account {
    /// Gives the account these rights, that to read the pull secret, and no others.
    async fn have(&self, grants: &[Grant]) -> Result<()> {
        let role =
            cluster_role(&self.name, grants.iter().chain([&READ_PULL_SECRET]).map(rule).collect());
        let patch = Patch::Merge(json!({ "rules": role.rules }));
        self.roles.patch(&self.name, &Default::default(), &patch).await?;
        Ok(())
    }

    /// Waits until a call is let through, or is not; returns the refusal.
    async fn until(&self, grant: &Grant, verb: &str, wanted: bool) -> Result<Option<String>> {
        let end = Instant::now() + DEADLINE;
        let mut turns = interval(Duration::from_millis(20));
        loop {
            let refusal = self.refusal(grant, verb).await?;
            if refusal.is_none() == wanted {
                return Ok(refusal);
            }
            let name = grant.full_name();
            ensure!(
                Instant::now() < end,
                "expected `{verb}` of `{name}` to be {} within {} s",
                if wanted { "allowed" } else { "forbidden" },
                DEADLINE.as_secs()
            );
            turns.tick().await;
        }
    }

    /// Makes the call that a right is for, of something that is not there or not valid:
    /// whoever may not do it does not get to hear that, but the refusal that is returned.
    async fn refusal(&self, grant: &Grant, verb: &str) -> Result<Option<String>> {
        let client = self.client.clone();
        let answer = match grant.resource {
            "pods/log" => {
                let pods: Api<Pod> = Api::namespaced(client, &self.name);
                pods.logs(NOTHING, &LogParams::default()).await.map(drop)
            }
            "pods/exec" => {
                let pods: Api<Pod> = Api::namespaced(client, &self.name);
                let params = AttachParams::default();
                pods.exec(NOTHING, ["ringfence-agent"], &params).await.map(drop)
            }
            _ => self.call(grant, verb).await?,
        };
        match answer {
            Err(Error::Api(status)) if status.code == 403 => Ok(Some(status.message)),
            Err(Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(code))) => {
                let told = || format!("the upgrade was answered with {code}");
                Ok((code.as_u16() == 403).then(told))
            }
            Err(Error::Api(status)) if matches!(status.code, 400 | 404 | 422) => Ok(None),
            Ok(()) => Ok(None),
            Err(other) => Err(other).with_context(|| format!("{verb} {}", grant.full_name())),
        }
    }

    async fn call(&self, grant: &Grant, verb: &str) -> Result<Result<(), Error>> {
        let version = match (grant.need, grant.resource) {
            (Need::ClusterScoped, "clusternetworkpolicies") => "v1alpha2",
            (Need::ClusterScoped, _) => "v1alpha1",
            _ => "v1",
        };
        let kind = GroupVersionKind::gvk(grant.group, version, "Any");
        let resource = ApiResource::from_gvk_with_plural(&kind, grant.resource);
        let client = self.client.clone();
        let api: Api<DynamicObject> = match grant.resource {
            "namespaces" | "nodes" => Api::all_with(client, &resource),
            _ if grant.need == Need::ClusterScoped => Api::all_with(client, &resource),
            _ if matches!(verb, "list" | "watch") => Api::all_with(client, &resource),
            _ => Api::namespaced_with(client, &self.name, &resource),
        };
        Ok(match verb {
            "create" => {
                let nothing = serde_json::from_value(json!({"metadata": {}}))?;
                api.create(&PostParams::default(), &nothing).await.map(drop)
            }
            "delete" => api.delete(NOTHING, &DeleteParams::default()).await.map(drop),
            "get" => api.get(NOTHING).await.map(drop),
            "list" => api.list(&ListParams::default().limit(1)).await.map(drop),
            "patch" => {
                let patch = Patch::Merge(json!({}));
                api.patch(NOTHING, &Default::default(), &patch).await.map(drop)
            }
            "watch" => api.watch(&WatchParams::default().timeout(1), "0").await.map(drop),
            other => bail!("expected a verb that this test knows, found `{other}`"),
        })
    }
}
