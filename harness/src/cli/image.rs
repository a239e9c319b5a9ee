//! `ringfence image`.

use std::path::Path;

use anyhow::{Context, anyhow};

use super::args::{Image, ImageBuild, ImagePush, ImageSource};
use super::failure::Failure;
use super::screen;
use crate::cluster::docker::{AgentImage, AgentSource, Architecture, Engine, Loaded, SIZE_TARGET};
use crate::exit::ExitCode;

/// Carries out `ringfence image …`.
pub(super) fn image(command: Image) -> Result<ExitCode, Failure> {
    let runtime = super::runtime()?;
    let done = match command {
        Image::Build(args) => runtime.block_on(build(&args)),
        Image::Push(args) => runtime.block_on(push(&args)),
    };
    done.map_err(Failure::untold)?;
    Ok(ExitCode::Passed)
}

async fn build(args: &ImageBuild) -> anyhow::Result<()> {
    if let Some(path) = &args.output {
        let wanted = args.source.arch.or_else(Architecture::here);
        let image = made(&args.source, wanted, args.tag.as_deref()).await?;
        let written = tokio::fs::write(path, &image.archive).await;
        written.with_context(|| format!("cannot write the image to `{}`", path.display()))?;
        return say(&image, wanted, &format!("written to `{}`", path.display()));
    }
    let engine = Engine::connect().await?;
    let wanted = args.source.arch.or_else(|| engine.architecture());
    let mut image = made(&args.source, wanted, None).await?;
    let what = match engine.load(&image).await? {
        Loaded::New => "loaded into",
        Loaded::Already => "already in",
    };
    if let Some(tag) = &args.tag {
        engine.tag(&image.reference, tag).await?;
        image.reference.clone_from(tag);
    }
    say(&image, wanted, &format!("{what} Docker {}", engine.version()))
}

async fn push(args: &ImagePush) -> anyhow::Result<()> {
    let engine = Engine::connect().await?;
    let wanted = args.source.arch.or_else(|| engine.architecture());
    let image = made(&args.source, wanted, None).await?;
    engine.load(&image).await?;
    engine.tag(&image.reference, &args.reference).await?;
    engine.push(&args.reference).await?;
    say(&image, wanted, &format!("pushed as `{}`", args.reference))
}

/// Makes the image, and shows the command where the agent has to be built.
async fn made(
    source: &ImageSource,
    architecture: Option<Architecture>,
    tag: Option<&str>,
) -> anyhow::Result<AgentImage> {
    let architecture = architecture.ok_or_else(|| {
        anyhow!("there are agents for `amd64` and `arm64`, and this machine is neither: choose by `--arch`")
    })?;
    let given = source.agent_binary.as_deref().map(Path::new);
    let source = AgentSource::find(given)?;
    if let Some(command) = source.command(architecture) {
        screen::note(&format!("building the agent: {command}"));
    }
    let agent = source.agent(architecture).await?;
    let image = match tag {
        Some(tag) => AgentImage::named(&agent, tag)?,
        None => AgentImage::new(&agent)?,
    };
    if !image.is_small() {
        let target = mebibytes(SIZE_TARGET);
        screen::warn(&format!("the image holds more than {target}: is the agent stripped?"));
    }
    Ok(image)
}

fn say(image: &AgentImage, architecture: Option<Architecture>, what: &str) -> anyhow::Result<()> {
    let architecture = architecture.map(|it| it.to_string()).unwrap_or_default();
    let size = mebibytes(image.size);
    let line = format!("{}  {size}  {architecture}  {what}\n", image.reference);
    screen::print(line.as_bytes()).context("the output cannot be written")
}

fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
