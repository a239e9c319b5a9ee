//! One cluster for several processes: who makes it, who waits, and what they find.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use ringfence::cluster::kind::{KindOptions, KindSource, Tenure, check_name, close};
use ringfence::cluster::{ClusterError, Source, Stages};

use crate::block_on;
use crate::fakes::{Half, NoAgent, Programs, Recording, cni_file, machine};
use crate::plans::catalogue;

/// Set where this program plays a process of several: the folder of all clusters.
pub(crate) const ROLE: &str = "RINGFENCE_TEST_CLUSTERS";

/// `kind` that takes a while for a cluster, and says so where two are made at once.
const KIND: &str = r#"here=$(dirname "$0")
if [ "$1 $2" = "create cluster" ]; then
  mkdir "$here/making" || exit 1
  while [ $# -gt 0 ]; do
    case $1 in --kubeconfig) echo made > "$2";; esac
    shift
  done
  # A process that began meanwhile has time to look.
  head -c 4000000 /dev/urandom | cksum > /dev/null
  rmdir "$here/making"
fi"#;

fn options(all: &Path, cni: &str) -> KindOptions {
    let shipped = KindOptions::shipped(cni).unwrap();
    KindOptions { keep: true, all: all.to_owned(), agent: Arc::new(NoAgent), ..shipped }
}

/// Takes the cluster and makes it stand, with programs of the search path.
async fn stand(options: &KindOptions, hands: &Half) -> Result<Tenure, ClusterError> {
    let tenure = Tenure::take(options).await?;
    tenure.stand(hands, &Stages::silent()).await?;
    Ok(tenure)
}

fn half(path: String) -> Half {
    Half { machine: machine().with_path(path), notes: Recording::new(|_| None) }
}

/// What each of the processes does.
pub(crate) fn play(all: &str) -> ExitCode {
    let path = std::env::var("PATH").unwrap();
    let tenure = block_on(stand(&options(Path::new(all), "kindnet"), &half(path))).unwrap();
    let again = tenure.state().ready;
    assert!(tenure.stays() && tenure.plan().kubeconfig.exists());
    println!("{}", if again { "found it" } else { "made it" });
    ExitCode::SUCCESS
}

pub(crate) fn of_processes_at_once_one_makes_the_cluster_and_all_use_it() {
    let programs = Programs::new(&[("kind", KIND), ("docker", "")]);
    let home = tempfile::tempdir().unwrap();
    let start = || -> Child {
        let mut process = Command::new("/proc/self/exe");
        process.env(ROLE, home.path()).env("PATH", programs.path());
        process.stdout(Stdio::piped()).spawn().unwrap()
    };
    let processes: Vec<Child> = (0..4).map(|_| start()).collect();
    let mut said: Vec<String> = processes
        .into_iter()
        .map(|process| {
            let ended = process.wait_with_output().unwrap();
            assert!(ended.status.success(), "{}", ended.status);
            String::from_utf8(ended.stdout).unwrap()
        })
        .collect();
    said.sort();
    assert_eq!(said, ["found it\n", "found it\n", "found it\n", "made it\n"]);
    let calls = programs.calls(home.path());
    let made = "kind create cluster --name ringfence-kindnet --config FOLDER/kindnet/kind.yaml \
                --kubeconfig FOLDER/kindnet/kubeconfig ";
    let made = calls.iter().filter(|call| call.starts_with(made)).count();
    assert_eq!(made, 1, "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("kind delete")), "{calls:?}");
}

pub(crate) fn within_a_process_too() {
    let programs = Programs::new(&[("kind", KIND), ("docker", "")]);
    let home = tempfile::tempdir().unwrap();
    let (options, first) = (options(home.path(), "kindnet"), half(programs.path()));
    let second = half(programs.path());
    block_on(async {
        let used = async |hands: &Half| stand(&options, hands).await.unwrap().state().ready;
        let (first, second) = tokio::join!(used(&first), used(&second));
        assert!(first != second, "expected one of them to make it, found {first} and {second}");
    });
    let calls = programs.calls(home.path());
    assert_eq!(calls.iter().filter(|call| call.starts_with("kind create")).count(), 1);
}

pub(crate) fn a_cluster_that_never_got_ready_is_made_anew() {
    let failing = Programs::new(&[("kind", "exit 1"), ("docker", "")]);
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path(), "kindnet");
    block_on(async {
        let tenure = Tenure::take(&options).await.unwrap();
        let hands = half(failing.path());
        tenure.stand(&hands, &Stages::silent()).await.unwrap_err();
        assert!(!tenure.stays());
    });
    // As after a process that was killed: nobody has closed it.
    let programs = Programs::new(&[("kind", KIND), ("docker", "")]);
    block_on(async {
        let tenure = stand(&options, &half(programs.path())).await.unwrap();
        assert!(!tenure.state().ready && tenure.stays());
    });
}

pub(crate) fn another_cluster_under_the_name_is_told() {
    let programs = Programs::new(&[("kind", KIND), ("docker", "")]);
    let home = tempfile::tempdir().unwrap();
    // A file of the user's own may change under one version.
    let mine = |about: &str| {
        let text = format!(
            "name: mine\nabout: {about}\nlink: mine\nkind: {{ pod-subnets: [10.244.0.0/16], \
             service-subnets: [10.96.0.0/16] }}\ndefault: dev\nversions: {{ dev: {{}} }}\n\
             ready: [daemonset kube-system/mine]\n"
        );
        let file = cni_file(home.path(), &text, &[]);
        let mut catalogue = catalogue();
        let name = catalogue.add_file(&file).unwrap();
        let choice = catalogue.choose(&name).unwrap();
        let options = KindOptions::new(&name, choice, Some(&file)).unwrap();
        KindOptions {
            keep: true,
            all: home.path().join("clusters"),
            agent: Arc::new(NoAgent),
            ..options
        }
    };
    let (older, newer) = (mine("one"), mine("two"));
    block_on(async {
        drop(stand(&older, &half(programs.path())).await.unwrap());
        let error = Tenure::take(&newer).await.unwrap_err().to_string();
        assert!(older.noted.starts_with("mine@dev#"), "{}", older.noted);
        assert_eq!(
            error,
            format!(
                "expected no other cluster under the name `mine`, found `{}`: `ringfence clusters \
                 down mine` removes it",
                older.noted
            )
        );
        // One that is not to be kept gets a name of its own.
        let tenure = Tenure::take(&KindOptions { keep: false, ..newer }).await.unwrap();
        assert!(tenure.folder().name().starts_with("mine-") && !tenure.state().kept);
        check_name(tenure.folder().name()).unwrap();
        let hands = half(programs.path());
        tenure.stand(&hands, &Stages::silent()).await.unwrap();
        let folder: PathBuf = tenure.folder().path().to_owned();
        assert!(folder.exists() && !tenure.stays());
        close(tenure.plan(), &hands).await.unwrap();
        assert!(!folder.exists());
    });
}

/// As a test that is listed and not run.
pub(crate) fn what_is_not_prepared_makes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let options = options(&home.path().join("clusters"), "kindnet");
    let source = KindSource::new(options);
    assert_eq!((source.name(), source.stays()), ("kind:kindnet", None));
    assert!(source.standing().is_empty());
    block_on(source.close()).unwrap();
    assert!(!home.path().join("clusters").exists());
}
