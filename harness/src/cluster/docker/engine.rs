//! The Docker Engine: finding it, and whether it is new enough.

use std::env;
use std::io;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as ApiError;

use super::architecture::Architecture;
use crate::cluster::ClusterError;

/// Where the Engine listens if `DOCKER_HOST` does not say.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// The oldest API that has everything needed here: Docker 20.10.
const OLDEST: (usize, usize) = (1, 41);

/// How long one request may take. Loading an image is the slowest.
const REQUEST: Duration = Duration::from_secs(120);

/// How long it may take to find out whether there is an Engine.
const GREETING: Duration = Duration::from_secs(10);

/// Why the Docker Engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It cannot be spoken with.
    #[error("expected a Docker Engine at `{host}`; {remedy}")]
    Unreachable {
        /// Where it was looked for.
        host: String,
        /// What to do.
        remedy: &'static str,
        /// Why not.
        source: ApiError,
    },
    /// It says nothing.
    #[error("expected the Docker Engine at `{host}` to answer within {} s", GREETING.as_secs())]
    Silent {
        /// Where it is.
        host: String,
    },
    /// It is too old.
    #[error(
        "expected a Docker Engine with API {}.{} or later (Docker 20.10) at `{host}`, found {found}; update it",
        OLDEST.0,
        OLDEST.1
    )]
    TooOld {
        /// Where it is.
        host: String,
        /// Its API's version.
        found: String,
    },
    /// It refused a request.
    #[error("docker could not {what}")]
    Refused {
        /// What was to be done.
        what: String,
        /// Its answer.
        source: ApiError,
    },
    /// A process in a container failed.
    #[error("expected `{command}` in a container to succeed, found exit code {code}: {said}")]
    Failed {
        /// What was run.
        command: String,
        /// How it ended.
        code: i64,
        /// What it said on standard error.
        said: String,
    },
}

impl EngineError {
    /// Whether it refused because the object is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { source, .. } if status(source) == Some(404))
    }

    /// Whether it refused because of the state that something is in.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { source, .. } if status(source) == Some(409))
    }
}

impl From<EngineError> for ClusterError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Unreachable { ref source, .. } => {
                Self::Unsupported(format!("{error} ({source})"))
            }
            EngineError::Silent { .. } | EngineError::TooOld { .. } => {
                Self::Unsupported(error.to_string())
            }
            EngineError::Refused { .. } | EngineError::Failed { .. } => Self::Other(error.into()),
        }
    }
}

/// The HTTP status of a refusal.
pub(super) fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Gives a refusal the words for what was to be done.
pub(super) fn refused(what: impl Into<String>) -> impl FnOnce(ApiError) -> EngineError {
    let what = what.into();
    |source| EngineError::Refused { what, source }
}

/// A Docker Engine that answers. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) api: Docker,
    host: String,
    version: String,
    architecture: String,
}

impl Engine {
    /// Finds the Engine that `DOCKER_HOST` names (`unix://`, `tcp://` or `http://`), or the one
    /// at `/var/run/docker.sock`.
    ///
    /// # Errors
    /// Where none answers, or one that is older than Docker 20.10.
    pub async fn connect() -> Result<Self, EngineError> {
        let named = env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        Self::connect_to(named.as_deref().unwrap_or(DEFAULT_HOST)).await
    }

    /// As [`Engine::connect`], with the address itself.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn connect_to(host: &str) -> Result<Self, EngineError> {
        let unreachable = |source| EngineError::Unreachable {
            remedy: remedy(&source),
            host: host.to_owned(),
            source,
        };
        let greet = async {
            let api = Docker::connect_with_host(host).map_err(unreachable)?;
            let api = api.with_timeout(REQUEST).negotiate_version().await.map_err(unreachable)?;
            let version = api.version().await.map_err(unreachable)?;
            Ok((api, version))
        };
        let (api, version) = tokio::time::timeout(GREETING, greet)
            .await
            .map_err(|_| EngineError::Silent { host: host.to_owned() })??;
        let spoken = api.client_version();
        if (spoken.major_version, spoken.minor_version) < OLDEST {
            let found = format!("{}.{}", spoken.major_version, spoken.minor_version);
            return Err(EngineError::TooOld { host: host.to_owned(), found });
        }
        Ok(Self {
            api,
            host: host.to_owned(),
            version: version.version.unwrap_or_else(|| "of an unknown version".to_owned()),
            architecture: version.arch.unwrap_or_default(),
        })
    }

    /// Where it is, such as `unix:///var/run/docker.sock`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its version, such as `20.10.24`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What its containers run on; `None` where there is no agent for it.
    pub fn architecture(&self) -> Option<Architecture> {
        self.architecture.parse().ok()
    }
}

/// What to do about an Engine that does not answer.
fn remedy(error: &ApiError) -> &'static str {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let refused = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if refused == Some(io::ErrorKind::PermissionDenied) {
            return "this user may not use it: join the group `docker`, or run as root";
        }
        cause = error.source();
    }
    match error {
        ApiError::UnsupportedURISchemeError { .. } => {
            "`DOCKER_HOST` may be `unix://PATH`, `tcp://HOST:PORT` or `http://HOST:PORT`"
        }
        _ => "start it (`systemctl start docker`, or `dockerd`), or name another by `DOCKER_HOST`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_named_with_what_to_do() {
        let error = Engine::connect_to("unix:///nowhere/docker.sock").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a Docker Engine at `unix:///nowhere/docker.sock`; start it (`systemctl start docker`, or `dockerd`), or name another by `DOCKER_HOST`"
        );
        assert!(matches!(ClusterError::from(error), ClusterError::Unsupported(_)));
        let error = Engine::connect_to("ssh://there").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a Docker Engine at `ssh://there`; `DOCKER_HOST` may be `unix://PATH`, `tcp://HOST:PORT` or `http://HOST:PORT`"
        );
    }
}
