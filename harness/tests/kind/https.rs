//! Files from an HTTPS server: one on this machine, with a certificate of these tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::fakes::cni_file;

const BODY: &str = "abc";
/// FIPS 180-2, appendix B.1.
const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Self-signed for `localhost`; nobody else trusts it.
fn tls(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kind/tls").join(name)
}

/// Serves until the tests end; returns its port.
fn serve() -> u16 {
    let certificate = CertificateDer::from_pem_file(tls("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let config = config.clone();
            // A client that does not trust the certificate ends the stream.
            std::thread::spawn(move || drop(answer(stream.unwrap(), config)));
        }
    });
    port
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut asked = String::new();
    stream.read_line(&mut asked)?;
    let mut line = String::new();
    while stream.read_line(&mut line)? > 2 {
        line.clear();
    }
    let text = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
    };
    let response = match asked.split(' ').nth(1) {
        Some("/whole.yaml") => text("200 OK", BODY.len(), "") + BODY,
        Some("/cut.yaml") => text("200 OK", 1000, "") + BODY,
        Some("/elsewhere.yaml") => text("302 Found", 0, "Location: /whole.yaml\r\n"),
        Some("/open.yaml") => text("302 Found", 0, "Location: http://localhost/whole.yaml\r\n"),
        _ => text("404 Not Found", 0, ""),
    };
    let stream = stream.get_mut();
    stream.write_all(response.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.read(&mut [0]).map(drop)
}

/// What `ringfence cni fetch` says of a file: how it ended, and its output.
fn fetched(port: u16, file: &str, sum: &str, trusted: Option<&Path>) -> (bool, String, PathBuf) {
    let home = tempfile::tempdir().unwrap().keep();
    let text = format!(
        "name: mine\nabout: mine\nlink: mine\nkind: {{ pod-subnets: [10.244.0.0/16], \
         service-subnets: [10.96.0.0/16] }}\ndefault: dev\nversions:\n  dev:\n    manifests: \
         [{{ url: 'https://localhost:{port}/{file}', sha256: {sum} }}]\nready: [daemonset a/b]\n"
    );
    let own = cni_file(&home, &text, &[]);
    let mut fetch = Command::new(env!("CARGO_BIN_EXE_ringfence"));
    fetch.args(["cni", "fetch", "mine", "--cni-file"]).arg(own).arg("--manifests").arg(&home);
    fetch.env("NO_PROXY", "localhost").env_remove("SSL_CERT_DIR").env_remove("SSL_CERT_FILE");
    if let Some(trusted) = trusted {
        fetch.env("SSL_CERT_FILE", trusted);
    }
    let output = fetch.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap(), home)
}

pub(crate) fn a_file_comes_by_https_and_is_the_one_that_was_pinned() {
    let port = serve();
    let trusted = tls("cert.pem");
    let get = |file: &str, sum: &str| {
        let (whole, said, home) = fetched(port, file, sum, Some(&trusted));
        let kept = std::fs::read_to_string(home.join("mine/dev").join(file)).ok();
        std::fs::remove_dir_all(home).unwrap();
        assert_eq!(whole, kept.is_some(), "{said}");
        (kept, said)
    };
    let (kept, said) = get("whole.yaml", SUM);
    assert_eq!(kept.as_deref(), Some(BODY), "{said}");
    assert!(said.starts_with(&format!("sha256 {SUM} (as pinned)")), "{said}");
    assert_eq!(get("elsewhere.yaml", SUM).0.as_deref(), Some(BODY));

    let (kept, said) = get("whole.yaml", &SUM.replace('b', "c"));
    assert!(kept.is_none() && said.contains(&format!("found {SUM}")), "{said}");
    for (file, why) in
        [("cut.yaml", "cannot be fetched"), ("none.yaml", "404"), ("open.yaml", "URL")]
    {
        let (kept, said) = get(file, SUM);
        let url = format!("https://localhost:{port}/{file}");
        assert!(kept.is_none() && said.contains(&url) && said.contains(why), "{file}: {said}");
    }
    // A server that nobody vouches for.
    let (whole, said, home) = fetched(port, "whole.yaml", SUM, None);
    std::fs::remove_dir_all(home).unwrap();
    assert!(!whole && said.contains("certificate"), "{said}");
}
