//! The executor: order, overlap, errors, deadlines.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ringfence::cluster::kind::{Action, Hands, Plan, Told, close, open};
use ringfence::cluster::{ClusterError, StageState, Stages};

use crate::block_on;
use crate::fakes::Recording;
use crate::plans::{catalogue, plan};

fn antrea() -> Plan {
    plan(&catalogue().choose("antrea").unwrap(), Path::new("clusters/golden"))
}

fn broken(what: &str) -> ClusterError {
    ClusterError::Lost(what.to_owned())
}

pub(crate) fn steps_wait_for_those_before_them_and_for_no_others() {
    let (plan, hands) = (antrea(), Recording::new(|_| None));
    block_on(open(&plan, &hands, &Stages::silent())).unwrap();
    assert_eq!(hands.notes.lock().unwrap().len(), 2 * plan.opening.len());
    for step in &plan.opening {
        let line = |step: &ringfence::cluster::kind::Step| {
            step.action.to_string().lines().next().unwrap().to_owned()
        };
        let begun = hands.at(&format!("begin {}", line(step)));
        for number in &step.after {
            let before = hands.at(&format!("end {}", line(&plan.opening[number - 1])));
            assert!(before < begun, "step {} before {number}", step.number);
        }
    }
    // The agent's image and the files come while the nodes start, and rollouts are awaited together.
    assert!(hands.at("begin build the agent's image") < hands.at("end make the Docker network"));
    assert!(hands.at("begin fetch") < hands.at("end make the Docker network"));
    assert!(hands.at("begin wait until deployment") < hands.at("end wait until daemonset"));
}

pub(crate) fn the_first_error_ends_it() {
    let plan = antrea();
    let hands = Recording::new(|action| {
        matches!(action, Action::CreateCluster { .. }).then(|| broken("no node"))
    });
    let error = block_on(open(&plan, &hands, &Stages::silent())).unwrap_err();
    assert_eq!(error.to_string(), "the cluster is gone: no node");
    let notes = hands.notes.lock().unwrap();
    assert!(!notes.iter().any(|note| note.contains("apply") || note.contains("load the agent")));
}

/// Says what it saw, and never ends.
struct Stuck;

#[async_trait]
impl Hands for Stuck {
    async fn perform(&self, action: &Action, told: &Told) -> Result<(), ClusterError> {
        if let Action::AwaitRollout { .. } = action {
            told.tell("`antrea-agent`: 1 of 3 pods are available");
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

pub(crate) fn a_deadline_names_the_step_and_what_was_seen_last() {
    let mut plan = antrea();
    for step in &mut plan.opening {
        step.deadline = Duration::from_millis(50);
    }
    let error = block_on(open(&plan, &Stuck, &Stages::silent())).unwrap_err().to_string();
    assert!(
        error.contains("(`wait until daemonset kube-system/antrea-agent has rolled out`)"),
        "{error}"
    );
    assert!(
        error
            .ends_with("to end, seen last: `antrea-agent`: 1 of 3 pods are available within 50 ms"),
        "{error}"
    );
}

pub(crate) fn what_cannot_be_removed_is_told_and_found_again() {
    let plan = antrea();
    let hands = Recording::new(|action| {
        matches!(action, Action::DeleteCluster { .. }).then(|| broken("no Docker"))
    });
    let error = block_on(close(&plan, &hands)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "teardown left something behind: the cluster `ringfence-golden`: the cluster is gone: no Docker"
    );
    // The folder stays, by which `prune` finds the cluster.
    assert_eq!(hands.notes.lock().unwrap().len(), 2);
    let all = Recording::new(|_| None);
    block_on(close(&plan, &all)).unwrap();
    assert!(all.at("end kind delete cluster") < all.at("begin remove clusters/golden"));
}

pub(crate) fn every_slow_part_is_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let stages = Stages::new(move |stage| {
        if matches!(stage.state, StageState::Done { .. }) {
            listener.lock().unwrap().push(stage.name);
        }
    });
    block_on(open(&antrea(), &Recording::new(|_| None), &stages)).unwrap();
    let told = told.lock().unwrap();
    for name in ["check", "fetch", "image", "nodes", "load", "cni"] {
        assert!(told.iter().any(|n| n == name), "{name} in {told:?}");
    }
}
