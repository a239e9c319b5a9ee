//! Many scenarios: all are told of, whatever befalls one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ringfence::cluster::{Cluster, ClusterError, Feature, Source};
use ringfence::model::Outcome;
use ringfence::run::record::{RecordWriter, read};
use ringfence::run::{
    Before, Counts, Event, EventSink, Line, Settings, Status, Stop, Suite, run_all, run_suite,
};
use ringfence::scenario::Scenario;

use crate::fake::Fake;
use crate::script::{fenced, shut_by_the_cluster};

fn scenarios(ids: &[&str]) -> Vec<Arc<Scenario>> {
    ids.iter().map(|id| Arc::new(Scenario { id: (*id).into(), ..fenced() })).collect()
}

/// A source of fake clusters.
struct Fakes<F>(F);

#[async_trait]
impl<F> Source for Fakes<F>
where
    F: Fn(&str) -> Result<Fake, ClusterError> + Send + Sync,
{
    fn name(&self) -> &str {
        "fake"
    }

    async fn cluster(&self, scenario: &Scenario) -> Result<Box<dyn Cluster>, ClusterError> {
        Ok(Box::new((self.0)(&scenario.id)?))
    }
}

async fn run(
    ids: &[&str],
    jobs: usize,
    stop: &Stop,
    make: impl Fn(&str) -> Result<Fake, ClusterError> + Send + Sync + 'static,
) -> (Counts, Vec<Line>) {
    let (sink, mut lines) = EventSink::channel();
    let source: Arc<dyn Source> = Arc::new(Fakes(make));
    let settings = Settings { seed: 7, ..Settings::default() };
    let ran = run_all(scenarios(ids), vec![source], jobs, &settings, &sink, stop).await;
    drop(sink);
    let mut all = vec![];
    while let Some(line) = lines.recv().await {
        all.push(line);
    }
    (ran.counts, all)
}

fn results(lines: &[Line]) -> Vec<(String, Status, String)> {
    let mut results: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.event {
            Event::ScenarioFinished { status, reason, .. } => {
                Some((line.scenario.clone(), *status, reason.clone().unwrap_or_default()))
            }
            _ => None,
        })
        .collect();
    results.sort_by(|a, b| a.0.cmp(&b.0));
    results
}

#[tokio::test(start_paused = true)]
async fn the_record_has_a_start_an_end_and_every_scenario() {
    let ids = ["a", "b", "c"];
    let (counts, lines) = run(&ids, 2, &Stop::never(), |_| Ok(Fake::honest())).await;
    assert_eq!(counts, Counts { passed: 3, ..Counts::default() });
    let Event::RunStarted { schema: 1, seed: 7, clusters, scenarios, .. } = &lines[0].event else {
        panic!("{:?}", lines[0])
    };
    assert_eq!(clusters, &["fake"]);
    assert_eq!(scenarios.iter().map(|info| &info.id).collect::<Vec<_>>(), ids.each_ref());
    let Event::RunFinished { exit_code: 0, .. } = lines.last().unwrap().event else {
        panic!("{:?}", lines.last())
    };
    for id in ids {
        let own: Vec<&Line> = lines.iter().filter(|line| line.scenario == id).collect();
        assert!(own.iter().all(|line| line.cluster == "fake"));
        assert!(matches!(own[0].event, Event::ScenarioStarted));
        assert!(matches!(own.last().unwrap().event, Event::ScenarioFinished { .. }));
        assert!(own.is_sorted_by_key(|line| line.at));
    }

    let file = tempfile::NamedTempFile::new().unwrap();
    let mut record = RecordWriter::create(file.path()).unwrap();
    for line in &lines {
        record.append(line).unwrap();
    }
    // Times are whole microseconds in the record, and the paused clock's are whole milliseconds.
    assert_eq!(read(file.path()).unwrap().lines, lines);
}

/// How long each scenario's first step took, in order, on one cluster that these fakes are;
/// and what was noticed of it.
async fn waited(
    ids: &[&str],
    make: impl Fn(&str) -> Result<Fake, ClusterError> + Send + Sync + 'static,
) -> (Counts, Vec<u64>, Vec<String>) {
    let (counts, lines) = run(ids, 1, &Stop::never(), make).await;
    let mut waits = vec![];
    let mut noticed = vec![];
    for line in lines {
        match line.event {
            Event::StepJudged { step: 0, timing, .. } => {
                waits.push(timing.total.unwrap().as_secs());
            }
            Event::Noticed { what } => {
                assert_eq!((&*line.cluster, &*line.scenario), ("fake", ""));
                noticed.push(what);
            }
            _ => {}
        }
    }
    (counts, waits, noticed)
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_enforces_nothing_is_waited_for_once() {
    let nothing = || Ok(Fake::honest().lie(|_| Some(Outcome::Connected)));
    let (counts, waits, noticed) = waited(&["a", "b", "c"], move |_| nothing()).await;
    assert_eq!(counts, Counts { failed: 3, ..Counts::default() });
    assert_eq!(waits, [30, 3, 3]);
    let [noticed] = &noticed[..] else { panic!("{noticed:?}") };
    for part in ["30000 ms", "3000 ms", "`--cni flannel`"] {
        assert!(noticed.contains(part), "no `{part}` in {noticed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_begins_to_enforce_is_given_its_time_again() {
    let make = |id: &str| {
        Ok(match id {
            "b" => Fake::honest(),
            _ => Fake::honest().lie(|_| Some(Outcome::Connected)),
        })
    };
    let (counts, waits, noticed) = waited(&["a", "b", "c"], make).await;
    assert_eq!(counts, Counts { passed: 1, failed: 2, ..Counts::default() });
    assert_eq!(waits, [30, 0, 30]);
    assert_eq!(noticed.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_breaks_takes_no_other_with_it() {
    let ids = ["fails", "lost", "panics", "passes", "unmade", "unsupported"];
    let (counts, lines) = run(&ids, 3, &Stop::never(), |id| match id {
        "fails" => Ok(Fake::honest()
            .lie(|scene| (scene.changes > 1 && !scene.sentinel).then_some(Outcome::Connected))),
        "lost" => Ok(Fake::honest().lost_at(3)),
        "panics" => panic!("no cluster here"),
        "unmade" => Err(ClusterError::Other(anyhow::anyhow!("no room"))),
        "unsupported" => Err(ClusterError::Unsupported("user namespaces are off".into())),
        _ => Ok(Fake::honest()),
    })
    .await;
    assert_eq!(counts, Counts { passed: 1, failed: 1, errored: 3, skipped: 1 });
    let results = results(&lines);
    let told: Vec<_> = results.iter().map(|(id, status, _)| (id.as_str(), *status)).collect();
    assert_eq!(
        told,
        [
            ("fails", Status::Failed),
            ("lost", Status::Errored),
            ("panics", Status::Errored),
            ("passes", Status::Passed),
            ("unmade", Status::Errored),
            ("unsupported", Status::Skipped),
        ]
    );
    assert!(results[2].2.contains("no cluster here"), "{}", results[2].2);
    assert_eq!(results[4].2, "no room");
    assert_eq!(results[5].2, "user namespaces are off");
    assert!(matches!(lines.last().unwrap().event, Event::RunFinished { exit_code: 1, .. }));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_jobs_run_at_a_time() {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(Mutex::new(0));
    let (count, seen) = (running.clone(), most.clone());
    let (counts, lines) = run(&["a", "b", "c", "d", "e"], 2, &Stop::never(), move |_| {
        let now = count.fetch_add(1, Ordering::SeqCst) + 1;
        let mut most = seen.lock().unwrap();
        *most = now.max(*most);
        let count = count.clone();
        Ok(Fake::honest().on_teardown(move || {
            count.fetch_sub(1, Ordering::SeqCst);
        }))
    })
    .await;
    assert_eq!(counts.passed, 5, "{:?}", results(&lines));
    assert_eq!(*most.lock().unwrap(), 2);
    assert_eq!(running.load(Ordering::SeqCst), 0);
}

/// As [`Fakes`], and keeps the order in which it was asked.
struct Keeping(bool, Mutex<Vec<String>>);

#[async_trait]
impl Source for Keeping {
    fn name(&self) -> &str {
        "keeping"
    }

    fn reuses(&self) -> bool {
        self.0
    }

    async fn cluster(&self, scenario: &Scenario) -> Result<Box<dyn Cluster>, ClusterError> {
        self.1.lock().unwrap().push(scenario.id.clone());
        Ok(Box::new(Fake::honest()))
    }
}

#[tokio::test(start_paused = true)]
async fn scenarios_of_one_topology_run_together_where_pods_are_kept() {
    for (reuses, order) in [(true, ["a", "c", "b", "e", "d"]), (false, ["a", "b", "c", "d", "e"])] {
        let mut given = scenarios(&["a", "b", "c", "d", "e"]);
        for (index, scenario) in given.iter_mut().enumerate() {
            let scenario = Arc::get_mut(scenario).unwrap();
            let namespace = scenario.topology.namespaces.values_mut().next().unwrap();
            // Where it was written does not matter; labels and the number of nodes do.
            namespace.origin.line = u32::try_from(index).unwrap();
            match scenario.id.as_str() {
                "b" | "e" => drop(namespace.labels.insert("env".into(), "dev".into())),
                "d" => scenario.nodes = 3,
                _ => {}
            }
        }
        let source = Arc::new(Keeping(reuses, Mutex::default()));
        let (sink, mut lines) = EventSink::channel();
        let sources: Vec<Arc<dyn Source>> = vec![source.clone()];
        let ran = run_all(given, sources, 1, &Settings::default(), &sink, &Stop::never()).await;
        assert_eq!(ran.counts.passed, 5);
        assert_eq!(*source.1.lock().unwrap(), order);
        let Some(Line { event: Event::RunStarted { scenarios, .. }, .. }) = lines.recv().await
        else {
            panic!("no start")
        };
        let listed: Vec<&str> = scenarios.iter().map(|info| info.id.as_str()).collect();
        assert_eq!(listed, ["a", "b", "c", "d", "e"]);
    }
}

/// As [`Fakes`], with or without one scope for all, and keeps how many others were running when
/// each was asked for.
struct Sharing {
    shares: bool,
    running: Arc<AtomicUsize>,
    seen: Mutex<Vec<(String, usize)>>,
}

#[async_trait]
impl Source for Sharing {
    fn name(&self) -> &str {
        "sharing"
    }

    fn shares_cluster_scope(&self) -> bool {
        self.shares
    }

    async fn cluster(&self, scenario: &Scenario) -> Result<Box<dyn Cluster>, ClusterError> {
        let others = self.running.fetch_add(1, Ordering::SeqCst);
        self.seen.lock().unwrap().push((scenario.id.clone(), others));
        let running = self.running.clone();
        let ended = move || {
            running.fetch_sub(1, Ordering::SeqCst);
        };
        Ok(Box::new(Fake::honest().declaring(Feature::ClusterNetworkPolicies).on_teardown(ended)))
    }
}

#[tokio::test(start_paused = true)]
async fn policies_of_the_cluster_have_a_shared_one_for_themselves() {
    for (shares, order, beside) in
        [(false, ["a", "b", "c", "d", "e"], 1), (true, ["b", "c", "e", "a", "d"], 0)]
    {
        let mut given = scenarios(&["a", "b", "c", "d", "e"]);
        for scenario in given.iter_mut().filter(|of| ["a", "d"].contains(&of.id.as_str())) {
            let id = scenario.id.clone();
            *scenario = Arc::new(Scenario { id, ..shut_by_the_cluster() });
        }
        let (running, seen) = (Arc::default(), Mutex::default());
        let source = Arc::new(Sharing { shares, running, seen });
        let (sink, mut lines) = EventSink::channel();
        let sources: Vec<Arc<dyn Source>> = vec![source.clone()];
        let ran = run_all(given, sources, 2, &Settings::default(), &sink, &Stop::never()).await;
        drop(sink);
        let mut told = vec![];
        while let Some(line) = lines.recv().await {
            told.push(line);
        }
        assert_eq!(ran.counts.passed, 5, "{:?}", results(&told));
        let seen = source.seen.lock().unwrap();
        let ids: Vec<&str> = seen.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, order);
        // What comes last and finds nobody there has met nobody else either.
        let met = |(id, others): &(String, usize)| (id == "d").then_some(*others);
        assert_eq!(seen.iter().find_map(met), Some(beside));
        assert!(seen.iter().any(|(_, others)| *others == 1), "two jobs: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_run_starts_nothing_more_and_has_not_passed() {
    let (stopper, stop) = Stop::new();
    let stopper = Arc::new(stopper);
    let (counts, lines) = run(&["a", "b", "c"], 1, &stop, move |id| {
        let stopper = stopper.clone();
        let second = id == "b";
        Ok(Fake::honest().lie(move |_| {
            if second {
                stopper.stop();
            }
            None
        }))
    })
    .await;
    assert_eq!(counts, Counts { passed: 1, errored: 2, ..Counts::default() });
    let results = results(&lines);
    assert_eq!(results[1].2, "interrupted");
    assert_eq!(results[2].2, "not started: the run was interrupted");
    assert!(matches!(lines.last().unwrap().event, Event::RunFinished { exit_code: 3, .. }));
}

/// What an earlier part of the run has done is neither done again nor lost, and its clock goes on.
#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_leaves_out_what_is_over() {
    let (sink, mut lines) = EventSink::channel();
    let source: Arc<dyn Source> = Arc::new(Fakes(|_: &str| Ok(Fake::honest())));
    let settings = Settings { seed: 7, ..Settings::default() };
    let key = |id: &str| (id.to_owned(), "fake".to_owned());
    let over = [(key("a"), Status::Passed), (key("b"), Status::Errored)].into();
    let ran = std::time::Duration::from_secs(100);
    let before = Some(Before { over, cut: true, ran, ..Before::default() });
    let suite = Suite { before, ..Suite::of(scenarios(&["a", "b", "c"])) };
    let stop = Stop::never();
    let ended = run_suite(suite, vec![source], 1, &settings, &sink, &stop).await;
    drop(sink);
    assert_eq!(ended.counts, Counts { passed: 2, errored: 1, ..Counts::default() });
    let mut all = vec![];
    while let Some(line) = lines.recv().await {
        all.push(line);
    }
    let Event::Resumed { over: 2, cut: true, .. } = all[0].event else { panic!("{:?}", all[0]) };
    assert!(all.iter().all(|line| line.at >= ran));
    assert_eq!(results(&all), [("c".to_owned(), Status::Passed, String::new())]);
    let Event::RunFinished { counts, exit_code: 3, took } = all.last().unwrap().event else {
        panic!("{:?}", all.last())
    };
    assert!(counts == ended.counts && took >= ran);
}
