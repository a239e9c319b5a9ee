//! A cluster that enforces nothing, which is said of it: the negative control.

use std::path::PathBuf;
use std::sync::Arc;

use ringfence::cluster::ClusterError;
use ringfence::run::{Event, EventSink, Settings, Status, Stop, run_all};
use ringfence::scenario::{LoadOptions, Scenario, load_scenarios};

use crate::Outcome;
use crate::bed::Bed;

/// A folder of scenarios; by default some of the library.
const SCENARIOS: &str = "RINGFENCE_TEST_SCENARIOS";

/// Every scenario passes in which a deny was judged, for every one was seen to fail. Where
/// there is none nothing is shown, and it is skipped.
pub(crate) async fn every_deny_is_seen_to_fail(bed: Bed) -> Outcome {
    if bed.enforces {
        let why = "it needs a cluster that enforces no policies";
        return Err(ClusterError::Unsupported(why.to_owned()));
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = std::env::var_os(SCENARIOS)
        .map_or_else(|| root.join("scenarios/three-tier-application"), PathBuf::from);
    let loaded = load_scenarios(&[folder], &LoadOptions::default());
    let scenarios: Vec<Arc<Scenario>> = loaded.scenarios.into_iter().map(Arc::new).collect();
    assert!(!scenarios.is_empty());
    let mut options = bed.options();
    options.slots = std::num::NonZeroUsize::new(4).expect("four is not zero");
    options.dataplane.enforces = false;
    let source = Arc::new(bed.source(options).await?);
    let (sink, mut lines) = EventSink::channel();
    let settings = Settings::default();
    run_all(scenarios, vec![source.clone()], 4, &settings, &sink, &Stop::never()).await;
    drop(sink);
    let mut passed = 0;
    while let Some(line) = lines.recv().await {
        let Event::ScenarioFinished { status, reason, .. } = line.event else {
            assert!(!matches!(line.event, Event::LeftBehind { .. }), "{:?}", line.event);
            continue;
        };
        println!("{status:?} {} {}", line.scenario, reason.as_deref().unwrap_or_default());
        assert!(matches!(status, Status::Passed | Status::Skipped), "{}", line.scenario);
        passed += usize::from(status == Status::Passed);
    }
    assert!(passed > 0);
    assert!(bed.left_of(source.run()).await.is_empty());
    Ok(())
}
