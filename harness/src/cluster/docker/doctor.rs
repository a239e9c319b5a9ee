//! Whether there is a Docker Engine.

use super::engine::{Engine, EngineError};
use crate::cluster::embedded::doctor::{Check, CheckState};

/// Looks for the Engine as a run on kind would. The embedded cluster does not need it.
pub async fn check() -> Check {
    let missing = |found: String, remedy: Option<String>| Check {
        name: "Docker".to_owned(),
        state: CheckState::Missing,
        found,
        remedy,
    };
    match Engine::connect().await {
        Ok(engine) => Check {
            name: "Docker".to_owned(),
            state: CheckState::Ok,
            found: format!("{} at `{}`", engine.version(), engine.host()),
            remedy: None,
        },
        Err(EngineError::Unreachable { host, remedy, source }) => missing(
            format!("expected an Engine at `{host}`, found none ({source})"),
            Some(remedy.to_owned()),
        ),
        Err(error) => missing(error.to_string(), None),
    }
}
