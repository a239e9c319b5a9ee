//! What manifests mean, without a cluster.

use expect_test::expect_file;

use crate::process::{ringfence, ringfence_in};

const APP: &str = "\
apiVersion: v1
kind: Pod
metadata: { name: api, namespace: prod, labels: { app: api } }
spec: { containers: [{ name: api, image: api, ports: [{ containerPort: 5000 }] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: db, namespace: prod, labels: { app: db } }
spec: { containers: [{ name: db, image: db, ports: [{ containerPort: 3306, name: mysql }] }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: prod }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress, Egress]
  ingress:
    - from: [{ podSelector: { matchLabels: { app: api } } }]
      ports: [{ port: mysql }]
  egress:
    - to: [{ ipBlock: { cidr: 192.168.5.0/24 } }]
";

pub(crate) fn the_specified_matrix_needs_no_cluster() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.yaml"), APP).unwrap();
    for form in ["table", "json", "csv"] {
        let ended = ringfence_in(folder.path(), &["matrix", "-f", "app.yaml", "--output", form]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
        expect_file![format!("../golden/cli/matrix-{form}.txt")].assert_eq(&ended.out);
    }
}

pub(crate) fn a_pod_without_a_row_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ended_pod = "---\napiVersion: v1\nkind: Pod\nmetadata: { name: done, namespace: prod }\n\
        spec: { containers: [{ name: c, image: i, ports: [{ containerPort: 80 }] }] }\n\
        status: { phase: Succeeded }\n";
    std::fs::write(folder.path().join("app.yaml"), format!("{APP}{ended_pod}")).unwrap();
    let ended = ringfence_in(folder.path(), &["matrix", "-f", "app.yaml"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.err, "warning: `prod/done` has no row: its phase is Succeeded\n");
}

pub(crate) fn an_explanation_names_every_rule_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.yaml"), APP).unwrap();
    let mut all = String::new();
    for (from, to) in [
        ("prod/api", "prod/db:mysql"),
        ("prod/db", "prod/api:5000/TCP"),
        ("prod/db", "192.168.5.10:80"),
        ("203.0.113.7", "prod/db:3306"),
    ] {
        let arguments = ["explain", "-f", "app.yaml", "--from", from, "--to", to];
        let ended = ringfence_in(folder.path(), &arguments);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
        all += &format!("$ ringfence {}\n{}\n", arguments.join(" "), ended.out);
    }
    expect_file!["../golden/cli/explain.txt"].assert_eq(&all);
}

/// The text itself is held beside the code; whoever pipes it gets nothing else.
pub(crate) fn the_role_is_printed_for_kubectl() {
    let ended = ringfence(&["rbac", "--name", "probing", "--namespace", "testing"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    for kind in ["ClusterRole", "ServiceAccount", "ClusterRoleBinding"] {
        let object = format!("\nkind: {kind}\nmetadata:\n  name: probing\n");
        assert_eq!(ended.out.matches(&object).count(), 1, "{kind} in:\n{}", ended.out);
    }
}
