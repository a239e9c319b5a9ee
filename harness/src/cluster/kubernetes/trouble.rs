//! Why a pod does not start, read from its status.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// What keeps a pod from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// In words.
    pub(super) what: String,
    /// Whether it may still pass by itself.
    pub(super) may_pass: bool,
}

/// Reasons of a waiting container that do not pass by themselves.
const STUCK: [&str; 6] = [
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// What keeps a pod from starting; `None` where nothing is known to.
pub(super) fn trouble(pod: &Pod) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    let words = |reason: &Option<String>, message: &Option<String>| {
        let parts: Vec<&str> =
            [reason, message].into_iter().flatten().map(String::as_str).collect();
        parts.join(": ")
    };
    if has_ended(pod) {
        let what = format!("it has ended ({})", words(&status.reason, &status.message));
        return Some(Trouble { what, may_pass: false });
    }
    let mut conditions = status.conditions.iter().flatten();
    let unscheduled = conditions.find(|c| c.type_ == "PodScheduled" && c.status == "False");
    if let Some(condition) = unscheduled {
        let what = format!("no node takes it ({})", words(&condition.reason, &condition.message));
        return Some(Trouble { what, may_pass: true });
    }
    status.container_statuses.iter().flatten().find_map(waiting)
}

/// Whether a pod will never run again.
pub(super) fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

fn waiting(container: &ContainerStatus) -> Option<Trouble> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref()?;
        let message = waiting.message.as_deref().unwrap_or_default();
        // A kubelet that waits before it pulls again says the image's name, then what went wrong.
        let message = message.split_once(": ErrImagePull: ").map_or(message, |(_, cause)| cause);
        let may_pass = match reason {
            "CrashLoopBackOff" | "ErrImagePull" => true,
            reason if STUCK.contains(&reason) => false,
            _ => return None,
        };
        let remedy = match reason {
            "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" => {
                "; name one that the nodes have or can pull with `--agent-image`, and what they pull it with by `--agent-pull-secret`: `ringfence image push REF` puts one into a registry"
            }
            _ => "",
        };
        let what = format!(
            "its container `{}` with the image `{}` does not start ({reason}: {message}){remedy}",
            container.name, container.image
        );
        return Some(Trouble { what, may_pass });
    }
    let ended = state.terminated.as_ref()?;
    Some(Trouble {
        what: format!(
            "its container `{}` has ended with the code {} ({})",
            container.name,
            ended.exit_code,
            ended.reason.as_deref().unwrap_or("no reason given")
        ),
        may_pass: true,
    })
}

/// Whether every container runs.
pub(super) fn runs(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let wanted = pod.spec.as_ref().map_or(1, |spec| spec.containers.len());
    pod.metadata.deletion_timestamp.is_none()
        && status.phase.as_deref() == Some("Running")
        && containers.len() == wanted
        && containers.iter().all(|c| c.state.as_ref().is_some_and(|state| state.running.is_some()))
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({
            "spec": {"containers": [{"name": "agent"}]},
            "status": status,
        }))
        .unwrap()
    }

    fn container(state: Value) -> Pod {
        pod(json!({"phase": "Pending", "containerStatuses": [{
            "name": "agent", "image": "agent:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": state,
        }]}))
    }

    /// The texts are those of Kubernetes 1.36 and containerd.
    #[test]
    fn what_keeps_a_pod_from_starting_is_told() {
        let waiting = |reason: &str, message: &str| {
            container(json!({"waiting": {"reason": reason, "message": message}}))
        };
        let pull = "failed to pull and unpack image \"docker.io/library/agent:1\": failed to resolve reference \"docker.io/library/agent:1\": docker.io/library/agent:1: not found";
        let unscheduled = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
             "message": "0/2 nodes are available: 2 Insufficient memory."},
        ]});
        let evicted = json!({"phase": "Failed", "reason": "Evicted",
            "message": "The node was low on resource: memory."});
        let back_off = format!("Back-off pulling image \"agent:1\": ErrImagePull: {pull}");
        let told: Vec<String> = [
            (waiting("ErrImagePull", pull), true),
            (waiting("ImagePullBackOff", &back_off), false),
            (
                waiting(
                    "ErrImageNeverPull",
                    "Container image \"agent:1\" is not present with pull policy of Never",
                ),
                false,
            ),
            (
                waiting(
                    "InvalidImageName",
                    "Failed to apply default image tag \"Agent:1\": couldn't parse image name \"Agent:1\": invalid reference format: repository name (library/Agent) must be lowercase",
                ),
                false,
            ),
            (
                waiting(
                    "CreateContainerConfigError",
                    "container has runAsNonRoot and image will run as root",
                ),
                false,
            ),
            (
                waiting(
                    "CrashLoopBackOff",
                    "back-off 10s restarting failed container=agent pod=canary-0",
                ),
                true,
            ),
            (container(json!({"terminated": {"exitCode": 2, "reason": "Error"}})), true),
            (pod(unscheduled), true),
            (pod(evicted), false),
        ]
        .into_iter()
        .map(|(pod, may_pass)| {
            assert!(!runs(&pod));
            let trouble = trouble(&pod).unwrap();
            assert_eq!(trouble.may_pass, may_pass, "{}", trouble.what);
            trouble.what + "\n"
        })
        .collect();
        expect_file!["golden/trouble.txt"].assert_eq(&told.concat());
    }

    #[test]
    fn a_pod_on_its_way_is_in_no_trouble() {
        for waits in ["ContainerCreating", "PodInitializing"] {
            assert_eq!(trouble(&container(json!({"waiting": {"reason": waits}}))), None);
        }
        let mut running = container(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        assert!(!runs(&running));
        running.status.as_mut().unwrap().phase = Some("Running".into());
        assert!(runs(&running) && trouble(&running).is_none());
    }
}
