//! The agent's image.

use bollard::Docker;
use ringfence::cluster::docker::{AgentImage, Loaded, SIZE_TARGET};

use crate::{Place, agent, loaded};

pub(crate) async fn small_and_loaded_once(place: Place) {
    let image = loaded(&place.engine).await;
    assert_eq!(place.engine.load(&image).await.unwrap(), Loaded::Already);
    println!("agent image: {} bytes, archive {} bytes", image.size, image.archive.len());
    assert!(image.is_small(), "expected at most {SIZE_TARGET} bytes, found {}", image.size);
    assert_eq!(AgentImage::new(agent()).unwrap(), image, "the same agent makes the same image");

    let docker = Docker::connect_with_defaults().unwrap();
    let found = docker.inspect_image(&image.reference).await.unwrap();
    assert_eq!(found.architecture.as_deref(), Some(agent().architecture.to_string().as_str()));
    let config = found.config.unwrap();
    assert_eq!(config.user.as_deref(), Some("65532:65532"));
    assert_eq!(config.entrypoint, Some(vec!["/ringfence-agent".to_owned()]));
}
