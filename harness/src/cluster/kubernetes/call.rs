//! Calls of the API: retried within a deadline, and refused in one clear sentence.

use std::fmt;
use std::time::Duration;

use anyhow::anyhow;
use kube::core::Status;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::objects::namespace::ENFORCE;
use super::owner::RUN;
use crate::cluster::ClusterError;

/// How many calls are under way at the same time.
pub(super) const AT_ONCE: usize = 16;

/// The first pause before a call is tried again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause, unless the server asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// That the API server does not want what it was asked for. Trying again would not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Whoever runs this has no right to do it.
    #[error(
        "expected the right to {verb} {resource}, found none: {message}; `ringfence rbac` prints the least role"
    )]
    Rights {
        /// The verb of the API, such as `create`.
        verb: &'static str,
        /// The resource, such as `pods`.
        resource: String,
        /// What the server said.
        message: String,
    },
    /// A quota is used up.
    #[error(
        "expected to {verb} {resource}, found a quota in the way: {message}; raise it, or run fewer scenarios at the same time with `--jobs`"
    )]
    Quota {
        /// The verb of the API.
        verb: &'static str,
        /// The resource.
        resource: String,
        /// What the server said.
        message: String,
    },
    /// An admission plugin or webhook says no.
    #[error(
        "expected to {verb} {resource}, found that admission denies it: {message}; {}",
        remedy_of(message)
    )]
    Admission {
        /// The verb of the API.
        verb: &'static str,
        /// The resource.
        resource: String,
        /// What the server said.
        message: String,
    },
    /// The resource that the server has does not know a field.
    #[error(
        "expected to {verb} {resource}, found that the API server knows no such field: {message}; is the cluster's CustomResourceDefinition of the channel that has it?"
    )]
    Field {
        /// The verb of the API.
        verb: &'static str,
        /// The resource.
        resource: String,
        /// What the server said.
        message: String,
    },
    /// The object is not valid.
    #[error(
        "expected to {verb} {resource}, found that the API server does not accept it: {message}; does its version of Kubernetes have every field?"
    )]
    Invalid {
        /// The verb of the API.
        verb: &'static str,
        /// The resource.
        resource: String,
        /// What the server said.
        message: String,
    },
}

/// What to do where admission denies an object.
fn remedy_of(message: &str) -> String {
    if message.contains("violates PodSecurity") {
        format!("the run gives its namespaces the label `{ENFORCE}`: what changes it?")
    } else {
        format!("exempt what carries the label `{RUN}`, as every object of a run does")
    }
}

/// What is asked of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The verb, as roles have it.
    pub(super) verb: &'static str,
    /// The resource, as roles have it: `networkpolicies.networking.k8s.io`.
    pub(super) resource: &'static str,
    /// The object, where it is one.
    pub(super) object: String,
}

/// What is asked of the API.
pub(super) fn asked(
    verb: &'static str,
    resource: &'static str,
    object: impl fmt::Display,
) -> Asked {
    Asked { verb, resource, object: object.to_string() }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if self.object.is_empty() { Ok(()) } else { write!(f, " `{}`", self.object) }
    }
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// There is no such object.
    #[error("{0}: there is none")]
    Missing(Asked),
    /// There is one of that name already.
    #[error("{0}: there is one already")]
    Exists(Asked),
    /// Anything else.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl From<Failed> for ClusterError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Cluster(error) => error,
            other => Self::Other(other.into()),
        }
    }
}

/// What to do about an error.
enum Remedy {
    /// Try again, after this long where the server says so.
    Again(Option<Duration>),
    /// Give up.
    Never(Failed),
}

/// Makes calls, a bounded number at a time.
#[derive(Debug)]
pub(super) struct Calls {
    deadline: Duration,
    gate: Semaphore,
}

impl Calls {
    /// Calls that have this long, with all their retries.
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, gate: Semaphore::new(AT_ONCE) }
    }

    /// Makes a call, and again while the server or the way to it has a problem that may pass.
    pub(super) async fn call<T, F>(
        &self,
        asked: Asked,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = kube::Result<T>>,
    {
        let end = Instant::now() + self.deadline;
        let mut pause = FIRST_PAUSE;
        let mut trouble = String::new();
        loop {
            let made = async {
                // The gate is never closed.
                let _permit = self.gate.acquire().await.ok();
                attempt().await
            };
            let error = tokio::select! {
                made = made => match made {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                },
                () = sleep_until(end) => return Err(self.late(&asked, &trouble)),
            };
            let wanted = match remedy(&asked, error, &mut trouble) {
                Remedy::Never(failed) => return Err(failed),
                Remedy::Again(wanted) => wanted,
            };
            // Spread, so that calls that failed together do not come together again.
            let spread = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            let next = Instant::now() + wanted.unwrap_or(Duration::ZERO).max(spread);
            if next >= end {
                return Err(self.late(&asked, &trouble));
            }
            sleep_until(next).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn late(&self, asked: &Asked, trouble: &str) -> Failed {
        let what = if trouble.is_empty() {
            format!("the API server to {asked}")
        } else {
            format!("the API server to {asked}, which last failed with: {trouble};")
        };
        Failed::Cluster(ClusterError::Deadline { what, deadline: self.deadline })
    }
}

/// What to do about an error, which is put in words where trying again may help.
fn remedy(asked: &Asked, error: kube::Error, trouble: &mut String) -> Remedy {
    let status = match error {
        kube::Error::Api(status) => status,
        // The way to the server, or what came back over it.
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
            *trouble = words(&error);
            return Remedy::Again(None);
        }
        other => {
            let error = anyhow::Error::new(other).context(asked.to_string());
            return Remedy::Never(Failed::Cluster(ClusterError::Other(error)));
        }
    };
    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    let wanted = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
    match (status.code, status.reason.as_str()) {
        (409, "AlreadyExists") => Remedy::Never(Failed::Exists(asked.clone())),
        (404, _) => Remedy::Never(Failed::Missing(asked.clone())),
        // The object that was meant is gone: there is another one of its name. Two places
        // of the server say so, in words of their own.
        (409, "Conflict")
            if ["UID in precondition:", "UID in the precondition"]
                .iter()
                .any(|words| status.message.contains(words)) =>
        {
            Remedy::Never(Failed::Missing(asked.clone()))
        }
        // A namespace gets its service account, which every pod has, a moment after it is made.
        (403, _) if status.message.contains("error looking up service account") => {
            *trouble = said(&status);
            Remedy::Again(wanted)
        }
        // Server-side apply says so by the code of an error that might pass.
        (409 | 429 | 500 | 502 | 503 | 504, _) if !names_no_field(&status.message) => {
            *trouble = said(&status);
            Remedy::Again(wanted)
        }
        _ => {
            let error = refused(asked, &status).map_or_else(
                || anyhow!("expected the API server to {asked}, found: {}", said(&status)),
                anyhow::Error::from,
            );
            Remedy::Never(Failed::Cluster(ClusterError::Other(error)))
        }
    }
}

/// What the server said, and its code.
fn said(status: &Status) -> String {
    format!("{} ({})", status.message, status.code)
}

/// That the server does not want what it was asked for; `None` for other problems.
pub(super) fn refused(asked: &Asked, status: &Status) -> Option<Denied> {
    // What would be the reason may be empty.
    let message = status.message.trim_end().trim_end_matches(':').to_owned();
    let verb = asked.verb;
    let resource = match asked.object.as_str() {
        "" => format!("`{}`", asked.resource),
        object => format!("`{}` `{object}`", asked.resource),
    };
    Some(match status.code {
        _ if names_no_field(&message) => Denied::Field { verb, resource, message },
        403 if message.contains("exceeded quota") => Denied::Quota { verb, resource, message },
        // A policy says for itself by which code it denies; by 422, where it says nothing.
        400..=499 if message.contains("ValidatingAdmissionPolicy '") => {
            Denied::Admission { verb, resource, message }
        }
        403 if is_authorizers(&message) => Denied::Rights { verb, resource, message },
        400 if message.contains("denied the request") => {
            Denied::Admission { verb, resource, message }
        }
        403 => Denied::Admission { verb, resource, message },
        422 => Denied::Invalid { verb, resource, message },
        _ => return None,
    })
}

/// Whether an object was not taken for a field that its resource's schema does not have
/// (`sigs.k8s.io/structured-merge-diff`, `typed/validate.go`).
fn names_no_field(message: &str) -> bool {
    message.contains("field not declared in schema")
}

/// Whether a refusal is the authorizer's; everything else of its code comes from admission,
/// whose plugins and webhooks say "cannot" as well. The second question that is asked for
/// `pods/exec`, whether a WebSocket may `create` it, is answered without any reason.
fn is_authorizers(message: &str) -> bool {
    message.contains("User \"") && message.contains("\" cannot ")
        || message.ends_with("is forbidden")
}

/// An error with its causes, each once.
pub(super) fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use expect_test::expect_file;
    use futures_util::StreamExt;
    use futures_util::stream::FuturesOrdered;
    use kube::core::response::StatusDetails;

    use super::*;

    fn error(code: u16, reason: &str, message: &str, after: u32) -> kube::Error {
        let details = Some(StatusDetails { retry_after_seconds: after, ..details() });
        let status = Status { code, details, ..Status::failure(message, reason) };
        kube::Error::Api(Box::new(status))
    }

    fn details() -> StatusDetails {
        serde_json::from_str("{}").unwrap()
    }

    /// Makes a call that fails so often, and says how it ended and how often it was made.
    async fn call(failures: u32, fail: impl Fn() -> kube::Error) -> (Result<(), Failed>, u32) {
        let made = Cell::new(0);
        let calls = Calls::new(Duration::from_secs(10));
        let result = calls.call(asked("create", "pods", "a/b"), || {
            made.set(made.get() + 1);
            let failed = made.get() <= failures;
            let result = if failed { Err(fail()) } else { Ok(()) };
            async { result }
        });
        (result.await, made.get())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again() {
        for (code, reason, message) in [
            (409, "Conflict", "the object has been modified"),
            (429, "TooManyRequests", "slow down"),
            (500, "InternalError", "etcd"),
            (503, "ServiceUnavailable", "starting"),
            (504, "Timeout", "timeout"),
            (403, "Forbidden", "error looking up service account a/default: not found"),
        ] {
            let (result, made) = call(2, || error(code, reason, message, 0)).await;
            assert!(result.is_ok() && made == 3, "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_says_how_long_to_wait_and_the_deadline_ends_it() {
        let begun = Instant::now();
        let (result, made) = call(1, || error(429, "TooManyRequests", "slow down", 4)).await;
        assert!(result.is_ok() && made == 2 && begun.elapsed() >= Duration::from_secs(4));
        let (result, made) = call(9, || error(429, "TooManyRequests", "slow down", 4)).await;
        assert_eq!(made, 3);
        assert_eq!(
            result.unwrap_err().to_string(),
            "expected the API server to create pods `a/b`, which last failed with: slow down (429); within 10000 ms"
        );
    }

    /// The texts are those of Kubernetes 1.36.
    #[tokio::test(start_paused = true)]
    async fn what_is_denied_is_told_once() {
        let quota = "pods \"canary-0\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0";
        let rights = "secrets \"x\" is forbidden: User \"system:serviceaccount:ci:nobody\" cannot get resource \"secrets\" in API group \"\" in the namespace \"ci\"";
        let level = "pods \"canary-0\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true (pod or container \"agent\" must set securityContext.runAsNonRoot=true)";
        let range = "pods \"canary-0\" is forbidden: maximum memory usage per Container is 8Mi, but limit is 64Mi";
        let policy = "pods \"canary-0\" is forbidden: ValidatingAdmissionPolicy 'labels' with binding 'labels' denied request: every pod needs the label team";
        let least = "pods \"canary-0\" is forbidden: minimum cpu usage per Container is 100m, but request is 10m";
        let binding = "networkpolicies.networking.k8s.io \"deny-all\" is forbidden: ValidatingAdmissionPolicy 'owners' with binding 'owners' denied request: failed expression: object.metadata.labels.exists(l, l == 'owner')";
        let webhook = "admission webhook \"pods.example\" denied the request: pods cannot run here";
        let field = "failed to create typed patch object (/rf-k3x9q-0-web; policy.networking.k8s.io/v1alpha1, Kind=AdminNetworkPolicy): .spec.egress[0].ports[0].namedPort: field not declared in schema";
        let told: Vec<String> = [
            (403, "Forbidden", quota),
            (403, "Forbidden", rights),
            // What is said of an exec that may be opened with GET and not be made.
            (403, "Forbidden", "pods \"canary-0\" is forbidden: "),
            (403, "Forbidden", level),
            (403, "Forbidden", range),
            (403, "Forbidden", least),
            (422, "Invalid", policy),
            (403, "Forbidden", binding),
            (403, "Forbidden", webhook),
            // A webhook that gives no code denies by this one.
            (400, "BadRequest", webhook),
            (422, "Invalid", "Pod \"canary-0\" is invalid: spec: Forbidden: no"),
            (500, "", field),
        ]
        .map(async |(code, reason, message)| {
            let (result, made) = call(9, || error(code, reason, message, 0)).await;
            assert_eq!(made, 1, "{message}");
            result.unwrap_err().to_string()
        })
        .into_iter()
        .collect::<FuturesOrdered<_>>()
        .collect()
        .await;
        expect_file!["golden/denied.txt"].assert_eq(&(told.join("\n") + "\n"));
    }
}
