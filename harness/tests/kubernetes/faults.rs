//! What goes wrong on the way to a cluster and in it: on the double alone.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hyper::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringfence::cluster::kubernetes::KubernetesSource;
use ringfence::cluster::{Cluster, ClusterError, Source, Stages};
use ringfence::model::{Cell, Change, PodName, PolicyName, Via};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::Outcome;
use crate::bed::{Bed, close, ended, share, tagged};
use crate::double::{Failure, Fault, IMAGE};
use crate::town::*;

/// A deployed town.
async fn deployed(bed: &Bed) -> Result<(KubernetesSource, Box<dyn Cluster>), ClusterError> {
    let source = bed.ready().await?;
    let mut cluster = share(&source).await?;
    cluster.deploy(&town(), 2, &[]).await?;
    Ok((source, cluster))
}

async fn over(bed: &Bed, source: &KubernetesSource, mut cluster: Box<dyn Cluster>) -> Outcome {
    cluster.teardown().await.map_err(ended)?;
    close(bed, source).await
}

/// The text of an error, without what differs from run to run.
fn said(error: &dyn std::fmt::Display, source: &KubernetesSource) -> String {
    error.to_string().replace(source.run().as_str(), "RUN")
}

pub(crate) async fn passing_errors_are_tried_again(bed: Bed) -> Outcome {
    let double = bed.fake();
    let post = |path, failure| Fault::answer(Method::POST, path, failure);
    double.fault(post("/pods", Failure::too_many_requests(1)).times(1));
    double.fault(post("/pods", Failure::internal()).times(2).after(2));
    double.fault(post("/namespaces", Failure::unavailable()).times(2));
    double.fault(Fault::answer(Method::GET, "/version", Failure::unavailable()).times(1));
    double.fault(Fault::answer(Method::PATCH, "/networkpolicies", Failure::conflict()).times(1));
    double.fault(Fault::answer(Method::DELETE, "/", Failure::internal()).times(2));
    double.fault(Fault::answer(Method::GET, "/exec", Failure::internal()).times(2));
    let begun = Instant::now();
    let (source, mut cluster) = deployed(&bed).await?;
    assert!(begun.elapsed() >= Duration::from_secs(1), "`Retry-After` says how long to wait");
    cluster.change(&[deny_all("b")]).await?;
    let ways = [("a/one", "a/two"), ("a/one", "b/three")];
    settles(&mut *cluster, &ways, &["open", "shut"]).await?;
    over(&bed, &source, cluster).await?;
    assert_eq!(double.met(), 11, "every fault was met");
    Ok(())
}

pub(crate) async fn a_server_that_stays_busy_is_named(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    bed.fake().fault(Fault::answer(Method::PATCH, "/networkpolicies", Failure::unavailable()));
    let begun = Instant::now();
    let error = cluster.change(&[deny_all("b")]).await.expect_err("it stays busy");
    let took = begun.elapsed();
    assert!(took <= bed.options().deadlines.call + Duration::from_secs(1), "it took {took:?}");
    assert!(matches!(error, ClusterError::Deadline { .. }), "{error:?}");
    assert_eq!(
        said(&error, &source),
        "expected the API server to patch networkpolicies.networking.k8s.io \
         `rf-RUN-0-b/deny-all`, which last failed with: the server is currently unable to handle \
         the request (503); within 5000 ms"
    );
    bed.fake().heal();
    // One that does not answer at all is given up as well.
    bed.fake().fault(Fault::delay("/networkpolicies", bed.options().deadlines.call * 4));
    let error = cluster.change(&[deny_all("b")]).await.expect_err("it does not answer");
    assert!(matches!(error, ClusterError::Deadline { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("networkpolicies") && text.contains("within 5000 ms"), "{text}");
    bed.fake().heal();
    over(&bed, &source, cluster).await
}

pub(crate) async fn a_lost_answer_makes_nothing_twice(bed: Bed) -> Outcome {
    let double = bed.fake();
    for path in ["/namespaces", "/pods", "/networkpolicies"] {
        for method in [Method::POST, Method::PATCH, Method::DELETE] {
            double.fault(Fault::hang_up(method, path).times(1));
        }
    }
    let (source, mut cluster) = deployed(&bed).await?;
    cluster.change(&[deny_all("b")]).await?;
    cluster.change(&[Change::DeletePolicy(PolicyName::new("b", "deny-all"))]).await?;
    settles(&mut *cluster, &[("a/one", "b/three")], &["open"]).await?;
    over(&bed, &source, cluster).await
}

pub(crate) async fn watches_begin_anew(bed: Bed) -> Outcome {
    let double = bed.fake();
    double.fault(Fault::close_watch("/").times(6));
    let (source, mut cluster) = deployed(&bed).await?;
    for _ in 0..2 {
        double.forget();
        cluster.change(&[deny_all("b")]).await?;
        double.forget();
        let gone = Change::DeletePolicy(PolicyName::new("b", "deny-all"));
        cluster.change(&[gone, Change::RemovePod(PodName::new("a", "two"))]).await?;
        double.forget();
        cluster.change(&[Change::AddPod(pod("a", "two", &[]))]).await?;
    }
    settles(&mut *cluster, &[("a/one", "a/two")], &["open"]).await?;
    over(&bed, &source, cluster).await
}

pub(crate) async fn a_session_cut_in_a_frame_is_resumed(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    let town = cluster.change(&[]).await?;
    // After a greeting, in the greeting, in a frame's head.
    for bytes in [300, 60, 3, 1] {
        bed.fake().fault(Fault::cut_exec(bytes).times(3));
        bed.fake().cut_sessions();
        all_open(&mut *cluster, &town).await?;
    }
    assert!(bed.fake().met() >= 6, "found {} cuts", bed.fake().met());
    bed.fake().heal();
    over(&bed, &source, cluster).await
}

pub(crate) async fn sessions_that_are_cut_are_resumed(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    cluster.change(&[deny_all("b")]).await?;
    settles(&mut *cluster, &[("a/one", "b/three")], &["shut"]).await?;
    // An attempt that meets silence is under way while its session is cut.
    let ways = [("a/one", "b/three"), ("a/one", "a/two")];
    let (seen, ()) = tokio::join!(look(&mut *cluster, &ways), async {
        // Both destinations are asked what has arrived, and then the source for its attempts.
        bed.fake().asked(3).await;
        bed.fake().cut_sessions();
    });
    assert_eq!(seen?, ["shut", "open"]);
    over(&bed, &source, cluster).await
}

pub(crate) async fn a_server_that_comes_back_is_waited_for(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    bed.fake().stop().await;
    let denied = [deny_all("b")];
    let (changed, ()) = tokio::join!(cluster.change(&denied), async {
        // Whether there is such a policy is asked first.
        bed.fake().turn_away("GET /apis/networking.k8s.io/v1/namespaces/").await;
        bed.fake().resume();
    });
    changed?;
    settles(&mut *cluster, &[("a/one", "a/two"), ("a/one", "b/three")], &["open", "shut"]).await?;
    over(&bed, &source, cluster).await
}

pub(crate) async fn a_server_that_stays_away_is_given_up(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    bed.fake().stop().await;
    let deadlines = bed.options().deadlines;
    let begun = Instant::now();
    let error = cluster.change(&[deny_all("b")]).await.expect_err("nobody answers");
    assert!(matches!(error, ClusterError::Deadline { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("networkpolicies") && text.contains("Connection refused"), "{text}");
    let error = cluster.teardown().await.expect_err("nobody answers");
    assert!(said(&error, &source).contains("`rf-RUN-0-`"), "{error}");
    let error = source.close().await.expect_err("nobody answers");
    assert!(said(&error, &source).contains("ringfence.dev/run=RUN"), "{error}");
    let most = deadlines.call * 3 + deadlines.gone + Duration::from_secs(2);
    assert!(begun.elapsed() < most, "expected it within {most:?}, found {:?}", begun.elapsed());
    bed.fake().resume();
    // Whoever prunes later still finds everything.
    close(&bed, &source).await
}

pub(crate) async fn an_evicted_pod_says_nothing(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    let home = cluster.names()[&name("a")].to_string();
    bed.fake().evict(&home, "two");
    let ways = [("a/one", "a/two"), ("a/two", "a/one"), ("a/one", "b/three")];
    // Seen before a round or by one that is under way, the reason is the same.
    let noticed = |seen: &[String]| seen[..2].iter().all(|seen| seen != "open");
    let seen = until(&mut *cluster, &ways, "of no use", noticed).await?;
    let why = "it has ended (Evicted: The node was low on resource: memory. )";
    assert!(seen[..2].iter().all(|seen| seen.contains(why)), "{seen:?}");
    assert_eq!(seen[2], "open");
    over(&bed, &source, cluster).await
}

pub(crate) async fn a_node_that_is_gone_says_nothing(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    let town = cluster.change(&[]).await?;
    let lost = town.pods[&PodName::new("b", "three")].node.clone().expect("it has one");
    let stays = town.pods.values().find(|pod| pod.node.as_ref() != Some(&lost));
    let stays = stays.expect("pods are on both nodes").name.to_string();
    bed.fake().remove_node(&lost);
    let why = "the pod `b/three` is gone: evicted, or its node with it?";
    settles(&mut *cluster, &[(&stays, "b/three"), ("b/three", &stays)], &[why, why]).await?;
    over(&bed, &source, cluster).await
}

pub(crate) async fn an_agent_that_starts_anew_is_found(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    let home = cluster.names()[&name("a")].to_string();
    bed.fake().crash(&home, "two");
    let ways = [("a/one", "a/two"), ("a/two", "b/three")];
    settles(&mut *cluster, &ways, &["open", "open"]).await?;
    over(&bed, &source, cluster).await
}

pub(crate) async fn a_pod_whose_network_is_made_anew_denies_nothing(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    let home = cluster.names()[&name("a")].to_string();
    cluster.change(&[deny_all("b")]).await?;
    settles(&mut *cluster, &[("a/one", "b/three")], &["shut"]).await?;
    // What is shut makes the round last while the other pod moves.
    let ways = [("a/one", "a/two"), ("a/two", "a/one"), ("a/one", "b/three")];
    for during in [true, false] {
        let (seen, ()) = tokio::join!(look(&mut *cluster, &ways), async {
            if during {
                // All are asked what has arrived, and both sources for their attempts.
                bed.fake().asked(5).await;
                bed.fake().remake(&home, "two");
            }
        });
        let seen = seen?;
        let useless = |seen: &String| seen != "open" && seen != "shut";
        assert!(seen[..2].iter().all(useless), "{seen:?}");
        assert_eq!(seen[2], "shut");
    }
    cluster.teardown().await.map_err(ended)?;
    // The next scenario gets another pod in its place.
    let mut cluster = share(&source).await?;
    let town = cluster.deploy(&town(), 2, &[]).await?;
    all_open(&mut *cluster, &town).await?;
    over(&bed, &source, cluster).await
}

/// The double's Services lead nowhere, as those do that no node's proxy knows yet.
pub(crate) async fn a_service_that_leads_nowhere_denies_nothing(bed: Bed) -> Outcome {
    let (source, mut cluster) = deployed(&bed).await?;
    let direct = cells(cluster.capabilities(), &[("a/one", "b/three")]);
    let by_service = direct.iter().map(|cell| Cell { via: Via::Service, ..cell.clone() });
    let both: Vec<Cell> = direct.iter().cloned().chain(by_service).collect();
    let seen = probe(&mut *cluster, &both).await?;
    assert_eq!(word(&seen[0].outcome), "open");
    let said = word(&seen[1].outcome);
    assert!(said.contains("at the Service of `b/three`, by which nothing has come"), "{said}");
    // Where the pod does not answer by itself either, the Service says no more and no less.
    cluster.change(&[deny_all("b")]).await?;
    settles(&mut *cluster, &[("a/one", "b/three")], &["shut"]).await?;
    let seen = probe(&mut *cluster, &both).await?;
    assert_eq!(seen.iter().map(|seen| word(&seen.outcome)).collect::<Vec<_>>(), ["shut", "shut"]);
    over(&bed, &source, cluster).await
}

pub(crate) async fn a_service_that_is_not_served_is_named(bed: Bed) -> Outcome {
    let source = bed.ready().await?;
    let mut cluster = share(&source).await?;
    let mut witnessed = town();
    for name in ["source", "target"] {
        witnessed.pods.extend(topology([pod("ringfence-witness", name, &[])]).pods);
    }
    witnessed.namespaces.insert(name("ringfence-witness"), namespace("ringfence-witness"));
    cluster.deploy(&witnessed, 2, &[]).await?;
    let mut cells = cells(cluster.capabilities(), &[("a/one", "b/three")]);
    cells[0].via = Via::Service;
    let begun = Instant::now();
    let error = probe(&mut *cluster, &cells).await.expect_err("its Services lead nowhere");
    let most = bed.options().deadlines.call * 2;
    assert!(begun.elapsed() < most, "it took {:?}", begun.elapsed());
    assert!(matches!(error, ClusterError::Deadline { .. }), "{error:?}");
    let said = error.to_string();
    for words in [
        "expected a Service at `",
        "` to lead from `ringfence-witness/",
        "`, which no policy selects (",
        ") within 5000 ms",
    ] {
        assert!(said.contains(words), "{said}");
    }
    over(&bed, &source, cluster).await
}

pub(crate) async fn a_share_that_was_dropped_is_in_nobodys_way(bed: Bed) -> Outcome {
    let mut options = bed.options();
    options.ephemeral = true;
    let source = bed.source(options).await?;
    source.prepare(&Stages::silent()).await?;
    let home = bed.own_name();
    for _ in 0..2 {
        let mut cluster = tagged(&source, "exact-names").await?;
        let deployed = cluster.deploy(&topology([pod(&home, "one", &[])]), 1, &[]).await?;
        assert_eq!(deployed.pods.len(), 1);
        cluster.change(&[deny_all(&home)]).await?;
        // Without a teardown.
        drop(cluster);
    }
    close(&bed, &source).await
}

pub(crate) async fn denials_are_one_clear_error(bed: Bed) -> Outcome {
    let quota = "pods \"canary-0\" is forbidden: exceeded quota: small, requested: pods=1, used: \
                 pods=0, limited: pods=0";
    let rights = "pods is forbidden: User \"anyone\" cannot create resource \"pods\" in API group \
                  \"\" in the namespace \"x\"";
    let security = "pods \"canary-0\" is forbidden: violates PodSecurity \"restricted:latest\": \
                    runAsNonRoot != true (pod or container \"agent\" must set \
                    securityContext.runAsNonRoot=true)";
    for (words, wanted) in [
        (quota, "found a quota in the way: "),
        (rights, "expected the right to create `pods`"),
        (security, "found that admission denies it: "),
        // Asked whether an exec may also be made, an authorizer gives no reason.
        (
            "pods \"canary-0\" is forbidden: ",
            "expected the right to create `pods/exec` `rf-RUN-0-ringfence-canary/canary-0`, found none: ",
        ),
    ] {
        let exec = words.ends_with(": ");
        let told = words.trim_end_matches(": ");
        let call = if exec { (Method::GET, "/exec") } else { (Method::POST, "/pods") };
        let source = bed.source(bed.options()).await?;
        bed.fake().fault(Fault::answer(call.0, call.1, Failure::forbidden(words)));
        let begun = Instant::now();
        let error = source.prepare(&Stages::silent()).await.expect_err("it is denied");
        assert!(begun.elapsed() < bed.options().deadlines.call, "nothing is tried again");
        let text = format!("{:#}", anyhow::Error::new(error));
        let text = said(&text, &source);
        assert!(text.contains(wanted), "{text}");
        let agents = if exec { 2 } else { 1 };
        assert_eq!(text.matches(told).count(), agents, "{text}");
        bed.fake().heal();
        close(&bed, &source).await?;
    }
    Ok(())
}

pub(crate) async fn a_second_interrupt_says_what_is_left(bed: Bed) -> Outcome {
    let kubeconfig = tempfile::NamedTempFile::new().expect("a file can be made");
    serde_json::to_writer(&kubeconfig, &bed.fake().kubeconfig()).expect("it can be written");
    // Neither do pods come nor do namespaces go.
    bed.fake().fault(Fault::delay("/namespaces/rf-", Duration::from_secs(60)));
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/default-deny");
    let mut run = Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(["run", scenario, "--on", "kubeconfig", "--agent-image", IMAGE])
        .env("KUBECONFIG", kubeconfig.path())
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program can be started");
    let number = run.id().expect("it runs").try_into().expect("a number of a process");
    let interrupt = || kill(Pid::from_raw(number), Signal::SIGINT).expect("it can be signalled");
    let mut out = BufReader::new(run.stdout.take().expect("it is piped")).lines();
    let mut err = BufReader::new(run.stderr.take().expect("it is piped")).lines();
    while let Some(line) = out.next_line().await.expect("it can be read") {
        if line.contains("agents: start") {
            break;
        }
    }
    interrupt();
    let said = err.next_line().await.expect("it can be read");
    assert_eq!(said.as_deref(), Some("interrupted: tearing down; again to end without"));
    interrupt();
    let mut left = Vec::new();
    while let Some(line) = err.next_line().await.expect("it can be read") {
        left.push(line);
    }
    let ended = run.wait().await.expect("it ends");
    assert_eq!(ended.code(), Some(3), "{left:?}");
    let [told, what] = &left[..] else { panic!("expected two lines, found {left:?}") };
    assert!(told.ends_with("ended without teardown, and this is left:"), "{told}");
    assert!(what.contains("namespaces `rf-") && what.contains("with the label"), "{what}");
    assert!(what.contains("`ringfence clusters prune --on kubeconfig --run "), "{what}");
    Ok(())
}
