//! Removing what runs have made in Docker, by label alone.

use std::collections::{BTreeSet, HashMap};

use bollard::models::NetworkDisconnectRequest;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    RemoveImageOptionsBuilder,
};
use futures_util::future::join_all;

use super::engine::{Engine, EngineError, refused, status};
use super::{KIND, RUN};

/// Whose objects are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of one run.
    Run(String),
    /// Those of every run, also of one that is under way.
    All,
}

/// What was removed, and what could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The names of containers.
    pub containers: BTreeSet<String>,
    /// The names of networks.
    pub networks: BTreeSet<String>,
    /// The names of images.
    pub images: BTreeSet<String>,
    /// What remains, and why: a sentence each.
    pub left: Vec<String>,
}

/// Removes the containers and networks of one run, or of all, and with `images` the agent's
/// images too, which no run is the owner of. Everything is tried.
///
/// A container that somebody else connected to a run's network is disconnected and stays.
///
/// # Errors
/// Where the Engine does not list them.
pub async fn prune(engine: &Engine, scope: &Scope, images: bool) -> Result<Pruned, EngineError> {
    let mut pruned = Pruned::default();
    let label = match scope {
        Scope::Run(run) => format!("{RUN}={run}"),
        Scope::All => RUN.to_owned(),
    };
    let containers = engine.containers("label", &label).await?;
    let removed = join_all(
        containers
            .into_iter()
            .map(async |(id, name)| engine.remove_container(&id).await.map(|()| name)),
    );
    sort(removed.await, &mut pruned.containers, &mut pruned.left);

    let options = ListNetworksOptionsBuilder::default().filters(&filter("label", &label)).build();
    let networks = engine.api.list_networks(Some(options)).await;
    let networks = networks.map_err(refused("list networks"))?;
    let removed = join_all(
        networks
            .into_iter()
            .filter_map(|network| network.name)
            .map(async |name| engine.remove_network(&name).await.map(|()| name)),
    );
    sort(removed.await, &mut pruned.networks, &mut pruned.left);

    if images {
        let label = format!("{KIND}=agent-image");
        let options = ListImagesOptionsBuilder::default().filters(&filter("label", &label)).build();
        let images = engine.api.list_images(Some(options)).await;
        let names = images.map_err(refused("list images"))?.into_iter().flat_map(|image| {
            if image.repo_tags.is_empty() { vec![image.id] } else { image.repo_tags }
        });
        let removed = join_all(names.map(async |name| {
            let options = RemoveImageOptionsBuilder::default().build();
            let removed = engine.api.remove_image(&name, Some(options), None).await;
            removed.map_err(refused(format!("remove the image `{name}`"))).map(|_| name)
        }));
        sort(removed.await, &mut pruned.images, &mut pruned.left);
    }
    Ok(pruned)
}

/// The runs of which there are containers or networks, also of those that are under way.
///
/// # Errors
/// Where the Engine does not list them.
pub async fn runs(engine: &Engine) -> Result<BTreeSet<String>, EngineError> {
    let filters = filter("label", RUN);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let containers = engine.api.list_containers(Some(options)).await;
    let containers = containers.map_err(refused("list containers"))?;
    let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
    let networks = engine.api.list_networks(Some(options)).await;
    let networks = networks.map_err(refused("list networks"))?;
    let labels = containers.into_iter().map(|container| container.labels);
    let labels = labels.chain(networks.into_iter().map(|network| network.labels));
    Ok(labels.flatten().filter_map(|mut labels| labels.remove(RUN)).collect())
}

fn sort(
    results: Vec<Result<String, EngineError>>,
    removed: &mut BTreeSet<String>,
    left: &mut Vec<String>,
) {
    for result in results {
        match result {
            Ok(name) => {
                removed.insert(name);
            }
            Err(error) => left.push(format!("{:#}", anyhow::Error::from(error))),
        }
    }
}

fn filter(key: &str, value: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([(key.to_owned(), vec![value.to_owned()])])
}

impl Engine {
    /// The containers that a filter lets through, running or not: identifiers and names.
    async fn containers(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<(String, String)>, EngineError> {
        let options =
            ListContainersOptionsBuilder::default().all(true).filters(&filter(key, value)).build();
        let found = self.api.list_containers(Some(options)).await;
        let found = found.map_err(refused("list containers"))?;
        let entry = |container: bollard::models::ContainerSummary| {
            let id = container.id?;
            let name = container.names.into_iter().flatten().next();
            let name = name.map_or_else(|| id.clone(), |name| name.trim_start_matches('/').into());
            Some((id, name))
        };
        Ok(found.into_iter().filter_map(entry).collect())
    }

    /// The identifiers of a run's own containers on a network.
    pub(super) async fn containers_on(&self, network: &str) -> Result<Vec<String>, EngineError> {
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&HashMap::from([
                ("network".to_owned(), vec![network.to_owned()]),
                ("label".to_owned(), vec![format!("{KIND}=external-host")]),
            ]))
            .build();
        let found = self.api.list_containers(Some(options)).await;
        let found = found.map_err(refused("list containers"))?;
        Ok(found.into_iter().filter_map(|container| container.id).collect())
    }

    /// Removes a network, after whatever is still on it was disconnected.
    pub(super) async fn remove_network(&self, network: &str) -> Result<(), EngineError> {
        let what = format!("remove the network `{network}`");
        let found = match self.api.inspect_network(network, None).await {
            Err(error) if status(&error) == Some(404) => return Ok(()),
            found => found.map_err(refused(what.clone()))?,
        };
        for container in found.containers.unwrap_or_default().into_keys() {
            let request = NetworkDisconnectRequest { container, force: Some(true) };
            match self.api.disconnect_network(network, request).await {
                Err(error) if status(&error) != Some(404) => return Err(refused(what)(error)),
                _ => {}
            }
        }
        match self.api.remove_network(network).await {
            Err(error) if status(&error) != Some(404) => Err(refused(what)(error)),
            _ => Ok(()),
        }
    }
}
