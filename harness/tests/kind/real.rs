//! The real `kind`, as far as it goes without privileged containers: up to the node image,
//! of which it is given one that no registry has.

use std::process::{Command, Output};

use ringfence::cluster::Stages;
use ringfence::cluster::kind::{Action, Hands, Plan, Told, close, open};

use crate::block_on;
use crate::fakes::{Half, Recording, machine};
use crate::plans::{catalogue, options, plan};

/// The domain `invalid` has no hosts (RFC 2606).
const NO_IMAGE: &str = "registry.invalid/ringfence/node:none";

fn kind(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("kind").args(arguments).output()
}

/// Why the real program cannot be tried here.
pub(crate) fn lacking() -> Option<String> {
    match kind(&["get", "clusters"]) {
        Err(_) => Some("the program `kind` is not on the search path".to_owned()),
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let first = said.lines().next().unwrap_or_default();
            Some(format!("`kind get clusters` fails: {first}"))
        }
    }
}

fn clusters() -> String {
    String::from_utf8(kind(&["get", "clusters"]).unwrap().stdout).unwrap()
}

/// A plan whose node image cannot be had.
fn without_image(mut plan: Plan) -> Plan {
    for step in &mut plan.opening {
        if let Action::CreateCluster { image, .. } = &mut step.action {
            *image = Some(NO_IMAGE.to_owned());
        }
    }
    plan
}

/// What `kind create cluster` says of a plan's configuration, changed in this way.
async fn said(plan: Plan, change: fn(&str) -> String) -> String {
    for step in plan.opening {
        let action = match step.action {
            Action::WriteFile { file, text } => Action::WriteFile { file, text: change(&text) },
            create @ Action::CreateCluster { .. } => create,
            _ => continue,
        };
        if let Err(error) = machine().perform(&action, &Told::default()).await {
            return error.to_string();
        }
    }
    panic!("expected `kind` to find no image, found that it made a cluster")
}

/// The real `kind` reads a configuration before it wants the image, and refuses fields that
/// it does not know.
pub(crate) fn every_configuration_is_accepted() {
    let home = tempfile::tempdir().unwrap();
    let catalogue = catalogue();
    let chosen = catalogue.all().iter().filter_map(|cni| catalogue.choose(&cni.name).ok());
    let plans =
        chosen.map(|choice| without_image(plan(&choice, &home.path().join(&choice.cni.name))));
    let accepted = plans.map(|plan| said(plan, str::to_owned));
    let wrong = catalogue.choose("kindnet").unwrap();
    let wrong = without_image(plan(&wrong, &home.path().join("wrong")));
    let wrong = said(wrong, |text| text.replace("podSubnet", "podSubnets"));
    // Each tries to pull the image several times, with pauses.
    let (accepted, wrong) = block_on(async {
        futures_util::future::join(futures_util::future::join_all(accepted), wrong).await
    });
    assert!(accepted.len() >= 8);
    for error in accepted {
        assert!(error.contains(&format!("failed to pull image \"{NO_IMAGE}\"")), "{error}");
    }
    assert!(wrong.contains("podSubnets"), "{wrong}");
}

pub(crate) fn a_cluster_that_is_not_there_is_deleted() {
    let home = tempfile::tempdir().unwrap();
    let choice = catalogue().choose("kindnet").unwrap();
    let plan = plan(&choice, home.path());
    block_on(close(&plan, &machine())).unwrap();
}

pub(crate) fn a_plan_gets_as_far_as_the_node_image_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let choice = catalogue().choose("kindnet").unwrap();
    let folder = home.path().join("cluster");
    let plan = without_image(Plan::new(&choice, &options(&folder)).unwrap());
    let hands = Half { machine: machine(), notes: Recording::new(|_| None) };
    let error = block_on(open(&plan, &hands, &Stages::silent())).unwrap_err().to_string();
    assert!(error.contains("`kind create cluster --name ringfence-golden"), "{error}");
    block_on(close(&plan, &hands)).unwrap();
    assert!(!folder.exists() && !clusters().contains(&plan.name), "{}", clusters());
}
