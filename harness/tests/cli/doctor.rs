//! What `ringfence doctor` says of kind clusters, with fakes of everything that they need but the
//! kernel.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use expect_test::expect_file;

use crate::process::{BINARY, Ended, command};

/// The row of the kernel's limits begins so.
const LIMITS: &str = "inotify ";

/// The folder's path has the same length everywhere, by which lines are wrapped.
const FOLDER: &str = "/FOLDER";

/// The rows about kind with this search path and Engine: those that depend on nothing but
/// them, and that of the kernel's limits, in one line each.
fn doctor(path: &Path, engine: &str) -> (String, String) {
    let mut doctor = command(BINARY);
    doctor.arg("doctor").env("PATH", path).env("DOCKER_HOST", engine);
    let ended = Ended::from(doctor.output().unwrap());
    assert_eq!(ended.err, "");
    let (_, rows) = ended.out.split_once("clusters that are made with kind also need\n").unwrap();
    let mut lines: Vec<String> = Vec::new();
    for line in rows.lines() {
        match lines.last_mut().filter(|_| line.starts_with(' ')) {
            Some(last) => *last = format!("{last} {}", line.trim()),
            None => lines.push(line.to_owned()),
        }
    }
    let (limits, rest): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line.contains(LIMITS));
    assert_eq!(limits.len(), 1, "{rows}");
    let shown = path.display().to_string();
    (rest.join("\n").replace(&shown, FOLDER) + "\n", limits.concat())
}

fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// An Engine that knows nothing but its version, whatever it is asked.
fn engine(socket: &Path, api: &'static str) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let version = format!(
            r#"{{"Version":"28.2.2","ApiVersion":"{api}","MinAPIVersion":"1.24","Os":"linux","Arch":"amd64"}}"#
        );
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{version}",
                version.len()
            );
            // Whoever asked may have gone.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

pub(crate) fn what_kind_needs_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let socket = |name: &str| folder.path().join(name);
    let host = |name: &str| format!("unix://{}", socket(name).display());

    let (nothing, limits) = doctor(folder.path(), &host("none.sock"));
    program(folder.path(), "kind", "echo 'kind v0.33.0 go1.25.4 linux/amd64'");
    program(folder.path(), "docker", "echo 'Docker version 28.2.2, build e6534b4'");
    program(folder.path(), "helm", "echo v3.19.2+g8766e71");
    engine(&socket("new.sock"), "1.50");
    let (everything, _) = doctor(folder.path(), &host("new.sock"));
    program(folder.path(), "kind", "echo 'kind: no such file' >&2; exit 126");
    program(folder.path(), "helm", "echo 'exec format error' >&2; exit 2");
    engine(&socket("old.sock"), "1.30");
    let (broken, _) = doctor(folder.path(), &host("old.sock"));
    expect_file!["../golden/cli/doctor-kind.txt"].assert_eq(&format!(
        "# nothing is there\n{nothing}\n# everything is there\n{everything}\n# what is there does not work\n{broken}"
    ));

    // The limits are the machine's own.
    let least = [("max_user_watches", 524_288), ("max_user_instances", 512)];
    let low = least.map(|(name, least)| {
        let found = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).unwrap();
        let found: u64 = found.trim().parse().unwrap();
        (found < least).then(|| format!("fs.inotify.{name} to be at least {least}, found {found}"))
    });
    let low: Vec<String> = low.into_iter().flatten().collect();
    if low.is_empty() {
        assert!(limits.starts_with("ok ") && limits.ends_with("the limits are high enough"));
    } else {
        assert!(limits.starts_with("missing ") && limits.contains("sudo sysctl"), "{limits}");
        assert!(low.iter().all(|low| limits.contains(low)), "{limits}");
    }
}
