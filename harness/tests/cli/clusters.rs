//! Kind clusters on the command line, up to where something would be made.

use expect_test::{expect, expect_file};

use crate::process::{BINARY, Ended, command, ringfence, root};

/// With a folder for state of the test's own.
fn with_state(state: &std::path::Path, arguments: &[&str]) -> Ended {
    command(BINARY).args(arguments).env("XDG_STATE_HOME", state).output().unwrap().into()
}

pub(crate) fn a_dry_run_prints_every_action_and_makes_nothing() {
    let arguments = ["run", "--on", "kind:calico", "--on", "embedded", "--dry-run", "scenarios"];
    // A folder that nobody can make.
    let ended = with_state("/proc/state".as_ref(), &arguments);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    expect_file!["../golden/cli/dry-run.txt"].assert_eq(&ended.out);
    for cni in
        ["antrea", "cilium", "flannel", "kindnet", "kube-router", "ovn-kubernetes", "weave-net"]
    {
        let on = format!("kind:{cni}");
        let ended =
            with_state("/proc/state".as_ref(), &["run", "--on", &on, "--dry-run", "scenarios"]);
        assert!(ended.code == 0 && ended.out.contains("kind create cluster"), "{}", ended.err);
        let control = ended.out.contains("passes only if every deny is seen to fail");
        assert_eq!(control, cni == "flannel", "{}", ended.out);
    }
}

pub(crate) fn cnis_are_listed_and_shown() {
    expect_file!["../golden/cli/cni-list.txt"].assert_eq(&ringfence(&["cni", "list"]).out);
    expect_file!["../golden/cli/cni-show.txt"]
        .assert_eq(&ringfence(&["cni", "show", "cilium"]).out);
}

pub(crate) fn what_is_no_cni_ends_with_2() {
    let said = |arguments: &[&str]| {
        let ended = ringfence(arguments);
        assert_eq!(ended.code, 2, "{}", ended.err);
        ended.err
    };
    expect![[r#"
        error: expected a CNI, found `calicoo`: did you mean `calico`?
    "#]]
    .assert_eq(&said(&["run", "--on", "kind:calicoo", "--dry-run", "scenarios"]));
    assert!(said(&["cni", "show", "romana"]).contains("Kubernetes 1.16 and 1.22 removed"));
    assert!(said(&["cni", "fetch", "calico"]).contains("expected `--manifests DIR`"));
    let file = root().join("scenarios/tiered-database/scenario.yaml");
    let told = said(&["cni", "list", "--cni-file", file.to_str().unwrap()]);
    assert!(told.contains("error[unknown-field]") && told.contains("is no CNI file"), "{told}");
}

/// What is refused before anything is made, as a user sees it.
pub(crate) fn what_cannot_be_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(
        &kubeconfig,
        "current-context: staging\n\
         clusters: [{ name: here, cluster: { server: \"https://127.0.0.1:1\" } }]\n\
         users: [{ name: me, user: { token: t } }]\n\
         contexts: [{ name: staging, context: { cluster: here, user: me } }]\n",
    )
    .unwrap();
    let mut told = String::new();
    for line in REFUSED.lines().filter(|line| !line.is_empty()) {
        let mut refused = command(BINARY);
        refused.args(line.split(' ')).env("XDG_STATE_HOME", folder.path());
        // Neither Docker nor kind nor a cluster is there.
        refused.env("DOCKER_HOST", "unix:///nowhere/docker.sock").env("PATH", "/nowhere");
        let there = line.contains("kubeconfig:");
        refused.env("KUBECONFIG", if there { kubeconfig.as_path() } else { "/nowhere".as_ref() });
        let ended = Ended::from(refused.output().unwrap());
        let err = ended.err.replace(&root().display().to_string(), "ROOT");
        told += &format!("$ ringfence {line}\n{}{}exit {}\n\n", ended.out, err, ended.code);
    }
    expect_file!["../golden/cli/refused.txt"].assert_eq(&told);
}

const REFUSED: &str = "
run --on kubeconfig scenarios/default-deny
run --on kubeconfig --agent-image r/agent:1 scenarios/default-deny
run --on kubeconfig:prod --agent-image r/agent:1 scenarios/default-deny
run --on kubeconfig --agent-image r/agent:1 --agent-pull-secret a/b/c scenarios/default-deny
run --on kubeconfig --on kubeconfig --agent-image r/agent:1 scenarios/default-deny
run --on kubeconfig --agent-image r/agent:1 --cni calcio scenarios/default-deny
run --on kubeconfig --agent-image r/agent:1 --cni calico --cni cilium scenarios/default-deny
run --on kind:calico --cni calico --dry-run scenarios/default-deny
run --on kubernetes scenarios/default-deny
run --on kind:calico@v1 --dry-run scenarios/default-deny
run --on kind:romana --dry-run scenarios/default-deny
run --on kind:calico --cni-file nowhere.yaml --dry-run scenarios/default-deny
run --bundles Cargo.toml scenarios/default-deny
rbac --agent-pull-secret registry
cni show calcio
cni fetch calico
cni fetch calico --images images
image build
image build --agent-binary nowhere --output agent.tar
image build --agent-binary Cargo.toml --arch amd64 --output agent.tar
image push r/agent:1
clusters up calico
clusters up kubeconfig:staging
clusters up kind:calico --name Nightly_1
clusters up kind:calico
clusters down nightly
clusters prune --on embedded
clusters prune --on kubeconfig:prod
";

pub(crate) fn clusters_are_listed_and_removed() {
    let state = tempfile::tempdir().unwrap();
    let none = "no clusters: `ringfence clusters up kind:CNI` makes one\n";
    assert_eq!(with_state(state.path(), &["clusters", "list"]).out, none);
    let ended = with_state(state.path(), &["clusters", "down", "nightly"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (
            3,
            "error: expected a cluster `nightly`, found none: `ringfence clusters list` shows them\n"
        )
    );

    // What a run that was killed leaves: a folder whose lock nobody holds.
    let folder = state.path().join("ringfence/clusters/calico-x1y2z");
    std::fs::create_dir_all(&folder).unwrap();
    let note =
        r#"{ "name": "calico-x1y2z", "cni": "calico@v3.32.1", "kept": false, "ready": true }"#;
    std::fs::write(folder.join("state.json"), note).unwrap();
    let listed = with_state(state.path(), &["clusters", "list"]).out;
    assert!(
        listed.contains("calico-x1y2z  calico@v3.32.1  left by a run that was killed"),
        "{listed}"
    );

    // `kind` that says what it was called with.
    let bin = state.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(
        bin.join("kind"),
        "#!/bin/sh\necho kind \"$@\" >> \"$(dirname \"$0\")/calls\"\n",
    )
    .unwrap();
    std::fs::set_permissions(bin.join("kind"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let prune = || {
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let mut prune = command(BINARY);
        prune.args(["clusters", "prune"]).env("XDG_STATE_HOME", state.path()).env("PATH", path);
        // What others have in the machine's own Engine is no part of this.
        prune.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        Ended::from(prune.output().unwrap())
    };
    assert_eq!(prune().out, "removed `calico-x1y2z` (calico@v3.32.1)\n");
    assert!(!folder.exists());
    let calls = std::fs::read_to_string(bin.join("calls")).unwrap();
    assert!(
        calls.starts_with("kind delete cluster --name ringfence-calico-x1y2z --kubeconfig"),
        "{calls}"
    );
    assert_eq!(prune().out, "nothing was left behind\n");
}
