//! The machine's own hands, with programs on the search path that are fakes.

use std::path::Path;

use ringfence::cluster::cni::CniChoice;
use ringfence::cluster::kind::{Action, Hands, Plan, Program, Told, close, open};
use ringfence::cluster::{ClusterError, Stages};

use crate::block_on;
use crate::fakes::{Half, Programs, Recording, cni_file, machine};
use crate::plans::{catalogue, options};

const KIND: &str = r#"while [ $# -gt 0 ]; do
  case $1 in --kubeconfig) echo made > "$2";; esac
  shift
done"#;

const HELM: &str = r#"for file; do
  case $file in */values.json) cp "$file" "$(dirname "$0")/values";; esac
done"#;

fn mine(folder: &Path, version: &str, files: &[(&str, &[u8])]) -> CniChoice {
    let text = format!(
        "name: mine\nabout: mine\nlink: mine\nkind: {{ pod-subnets: [10.244.0.0/16], \
         service-subnets: [10.96.0.0/16] }}\ndefault: dev\nversions:\n  dev:\n{version}\n\
         ready: [daemonset kube-system/mine]\n"
    );
    let file = cni_file(folder, &text, files);
    let mut catalogue = catalogue();
    let name = catalogue.add_file(&file).unwrap();
    catalogue.choose(&name).unwrap()
}

fn half(programs: &Programs) -> Half {
    Half { machine: machine().with_path(programs.path()), notes: Recording::new(|_| None) }
}

pub(crate) fn the_executor_does_what_the_plan_says_and_tears_down_on_failure() {
    let programs = Programs::new(&[("kind", KIND), ("docker", "")]);
    let home = tempfile::tempdir().unwrap();
    let choice = mine(home.path(), "    manifests: [{ file: m.yaml }]", &[("m.yaml", b"kind: A")]);
    let folder = home.path().join("cluster");
    let plan = Plan::new(&choice, &options(&folder)).unwrap();
    let hands = half(&programs);
    block_on(open(&plan, &hands, &Stages::silent())).unwrap();
    assert_eq!(std::fs::read_to_string(&plan.kubeconfig).unwrap(), "made\n");
    assert_eq!(std::fs::read_to_string(folder.join("files/m.yaml")).unwrap(), "kind: A");
    let mut calls = programs.calls(&folder);
    calls[..2].sort();
    assert_eq!(
        calls,
        [
            "docker --version",
            "kind version",
            "kind create cluster --name ringfence-golden --config FOLDER/kind.yaml --kubeconfig FOLDER/kubeconfig",
        ]
    );
    assert!(hands.notes.at("end load the agent's image") < hands.notes.notes.lock().unwrap().len());

    // A rollout that fails: what was made goes all the same.
    let hands = Half {
        notes: Recording::new(|action| {
            let failed = matches!(action, Action::AwaitRollout { .. });
            failed.then(|| ClusterError::Lost("the daemonset never came".to_owned()))
        }),
        ..hands
    };
    let error = block_on(open(&plan, &hands, &Stages::silent())).unwrap_err();
    assert!(error.to_string().contains("the daemonset never came"), "{error}");
    block_on(close(&plan, &hands)).unwrap();
    assert_eq!(
        programs.calls(&folder).last().unwrap(),
        "kind delete cluster --name ringfence-golden --kubeconfig FOLDER/kubeconfig"
    );
    assert!(!folder.exists());
}

fn tar_gz(path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, path, bytes).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

pub(crate) fn a_chart_is_installed_with_its_values() {
    let programs = Programs::new(&[("kind", KIND), ("docker", ""), ("helm", HELM)]);
    let home = tempfile::tempdir().unwrap();
    let chart = "    chart: { file: mine.tgz, release: mine, namespace: kube-system, \
                 values: { host: '${CONTROL_PLANE}' } }";
    let choice = mine(home.path(), chart, &[("mine.tgz", &tar_gz("mine/Chart.yaml", b""))]);
    let folder = home.path().join("cluster");
    let plan = Plan::new(&choice, &options(&folder)).unwrap();
    block_on(open(&plan, &half(&programs), &Stages::silent())).unwrap();
    assert_eq!(
        programs.calls(&folder).last().unwrap(),
        "helm upgrade --install mine FOLDER/files/mine.tgz --namespace kube-system \
         --create-namespace --kubeconfig FOLDER/kubeconfig --values FOLDER/files/values.json"
    );
    let values = std::fs::read_to_string(programs.folder.path().join("values")).unwrap();
    assert_eq!(values, "{\n  \"host\": \"ringfence-golden-control-plane\"\n}");
}

pub(crate) fn a_chart_in_a_folder_of_an_archive_is_unpacked() {
    let programs = Programs::new(&[("kind", KIND), ("docker", ""), ("helm", HELM)]);
    let home = tempfile::tempdir().unwrap();
    let chart = "    chart: { file: all.tgz, path: all/chart, values-file: v.yaml, release: r, namespace: ns }";
    let archive = tar_gz("all/chart/Chart.yaml", b"name: r");
    let choice = mine(home.path(), chart, &[("all.tgz", &archive)]);
    let folder = home.path().join("cluster");
    let plan = Plan::new(&choice, &options(&folder)).unwrap();
    block_on(open(&plan, &half(&programs), &Stages::silent())).unwrap();
    assert_eq!(
        programs.calls(&folder).last().unwrap(),
        "helm upgrade --install r FOLDER/files/unpacked/all/chart --namespace ns --create-namespace \
         --kubeconfig FOLDER/kubeconfig --values FOLDER/files/unpacked/all/chart/v.yaml \
         --values FOLDER/files/values.json"
    );

    let lacking = mine(home.path(), &chart.replace("all/chart", "all/other"), &[]);
    let plan = Plan::new(&lacking, &options(&folder)).unwrap();
    let error = block_on(open(&plan, &half(&programs), &Stages::silent())).unwrap_err();
    assert!(error.to_string().starts_with("expected a chart at `all/other` in"), "{error}");
}

fn perform(programs: &Programs, action: &Action) -> Result<(), ClusterError> {
    block_on(machine().with_path(programs.path()).perform(action, &Told::default()))
}

pub(crate) fn what_kind_says_is_shown() {
    let programs = Programs::new(&[(
        "kind",
        "echo 'ERROR: failed to create cluster: could not find a log line that matches' >&2; exit 1",
    )]);
    let delete = Action::DeleteCluster { name: "n".into(), kubeconfig: "k".into() };
    expect_test::expect![[r#"
        `kind delete cluster --name n --kubeconfig k` failed (exit status: 1); its nodes are privileged containers with systemd, which Docker must be able to run:
          | ERROR: failed to create cluster: could not find a log line that matches"#]]
    .assert_eq(&perform(&programs, &delete).unwrap_err().to_string());
}

pub(crate) fn a_missing_program_comes_with_the_remedy() {
    let programs = Programs::new(&[("helm", "echo broken >&2; exit 3")]);
    let error = |program| {
        let empty = machine().with_path(programs.folder.path().display().to_string());
        block_on(empty.perform(&Action::FindProgram(program), &Told::default())).unwrap_err()
    };
    assert!(matches!(error(Program::Kind), ClusterError::Unsupported(_)));
    let said: Vec<String> = [Program::Kind, Program::Docker, Program::Helm]
        .map(|program| error(program).to_string())
        .into();
    expect_test::expect![[r#"
        expected the program `kind`, found none on the search path: install it as https://kind.sigs.k8s.io/docs/user/quick-start/#installation says
        expected the program `docker`, found none on the search path: install Docker Engine, whose client `kind` calls
        expected the program `helm`, found one that fails (exit status: 3): broken: install it as https://helm.sh/docs/intro/install/ says: this CNI is a chart"#]]
    .assert_eq(&said.join("\n"));
}

pub(crate) fn a_file_at_hand_that_is_another_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let choice = catalogue().choose("calico").unwrap();
    let at_hand = home.path().join("calico/v3.32.1");
    std::fs::create_dir_all(&at_hand).unwrap();
    std::fs::write(at_hand.join("calico.yaml"), "kind: Other").unwrap();
    let mut options = options(&home.path().join("cluster"));
    options.manifests = Some(home.path().to_owned());
    let plan = Plan::new(&choice, &options).unwrap();
    let programs = Programs::new(&[("kind", KIND), ("docker", "")]);
    let error = block_on(open(&plan, &half(&programs), &Stages::silent())).unwrap_err().to_string();
    assert!(error.starts_with("expected sha256 a1df919d9721cf66"), "{error}");
    assert!(error.contains("it is not the file that was pinned"), "{error}");
}
