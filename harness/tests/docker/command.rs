//! `ringfence image`.

use std::process::Command;

use ringfence::cluster::docker::AgentImage;

use crate::{Place, agent};

pub(crate) async fn build(_: Place) {
    let folder = tempfile::tempdir().unwrap();
    let (binary, archive) = (folder.path().join("agent"), folder.path().join("image.tar"));
    std::fs::write(&binary, &agent().bytes).unwrap();
    let image = AgentImage::new(agent()).unwrap();
    let size = format!("{:.1} MiB", image.size as f64 / f64::from(1 << 20));

    let run = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args(["image", "build", "--agent-binary"])
            .arg(&binary)
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        String::from_utf8(output.stdout).unwrap()
    };
    let told = run(&["--output".as_ref(), archive.as_os_str()]);
    let expected = format!(
        "{}  {size}  {}  written to `{}`\n",
        image.reference,
        agent().architecture,
        archive.display()
    );
    assert_eq!(told, expected);
    assert!(std::fs::read(&archive).unwrap() == image.archive, "the archive is the image");

    let told = run(&[]);
    let expected = format!("{}  {size}  {}  ", image.reference, agent().architecture);
    assert!(told.starts_with(&expected) && told.contains("Docker"), "{told}");
}
