//! The use of a cluster: its folder, what is noted of it and its plan, which one process has at
//! a time.

use anyhow::{Context, bail};

use super::execute::{Hands, open};
use super::options::KindOptions;
use super::plan::Plan;
use super::state::{ClusterFolder, State};
use crate::cluster::{ClusterError, Stages};

/// A cluster that nobody else uses while this exists, whether or not it stands yet.
#[derive(Debug)]
pub struct Tenure {
    folder: ClusterFolder,
    plan: Plan,
    state: State,
}

impl Tenure {
    /// Takes the cluster that was kept under the CNI's name if it is the same and nobody uses
    /// it, or else a new one. With [`KindOptions::keep`] it waits for whoever uses the kept one,
    /// and takes the name where none was kept: of processes that begin at the same time the
    /// first makes the cluster, and the others use it one after the other.
    ///
    /// # Errors
    /// Where another cluster was kept under its name, or there is no room for folders.
    pub async fn take(options: &KindOptions) -> anyhow::Result<Self> {
        let name = options.kept_name().to_owned();
        let taken = if options.keep {
            let (all, name) = (options.all.clone(), name.clone());
            Some(tokio::task::spawn_blocking(move || ClusterFolder::wait(&all, &name)).await??)
        } else {
            ClusterFolder::take(&options.all, &name)?
        };
        let kept = match &taken {
            Some(folder) => folder.state()?.filter(|state| state.kept && state.ready),
            None => None,
        };
        let new = |name: &str, kept| State {
            name: name.to_owned(),
            cni: options.noted.clone(),
            kept,
            ready: false,
            run: None,
        };
        let (folder, state) = match (taken, kept) {
            (Some(folder), Some(state)) if state.cni == options.noted => (folder, state),
            (Some(_), Some(state)) if options.keep => bail!(
                "expected no other cluster under the name `{name}`, found `{}`: `ringfence clusters down {name}` removes it",
                state.cni
            ),
            (Some(folder), _) if options.keep => (folder, new(&name, true)),
            _ => {
                let name = options.random_name();
                let folder = ClusterFolder::take(&options.all, &name)?;
                let folder = folder.with_context(|| format!("the folder of `{name}` is in use"))?;
                (folder, new(&name, false))
            }
        };
        let plan = options.plan(folder.name(), folder.path())?;
        let plan = if state.ready { plan.again() } else { plan };
        Ok(Self { folder, plan, state })
    }

    /// Makes the cluster, or what one that stands needs for another run; notes that it is ready.
    ///
    /// # Errors
    /// Those of the plan's steps. What was made by then is for [`super::close`] to remove.
    pub async fn stand(&self, hands: &dyn Hands, stages: &Stages) -> Result<(), ClusterError> {
        self.folder.note(&self.state)?;
        open(&self.plan, hands, stages).await?;
        Ok(self.folder.note(&State { ready: true, ..self.state.clone() })?)
    }

    /// Notes which run uses the cluster now.
    pub(super) fn used_by(&self, run: &str) -> anyhow::Result<()> {
        self.folder.note(&State { ready: true, run: Some(run.to_owned()), ..self.state.clone() })
    }

    /// Whether the cluster outlives this process: it is to be kept, and was made to its end.
    pub fn stays(&self) -> bool {
        self.state.kept && self.folder.state().ok().flatten().is_some_and(|state| state.ready)
    }

    /// Its folder.
    pub fn folder(&self) -> &ClusterFolder {
        &self.folder
    }

    /// What makes it, as far as it is still to be made, and what removes it.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What was noted of it when it was taken, or is going to be.
    pub fn state(&self) -> &State {
        &self.state
    }
}
