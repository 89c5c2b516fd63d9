//! A bucket keeps files as every store must. The server of S3 is moto's, a project of others: `cargo xtask test` installs it and
//! names its folder in `TEST_CLIENTS`; without, this is left out.
#![cfg(feature = "s3")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ackd_conformance as conformance;
use ackd_domain::FileId;
use ackd_files::{S3Address, Store};
use ackd_ports::{FileStore, FileStoreError};

/// A running server of S3 with the bucket `files`. It is killed when dropped.
struct Moto {
    child: Child,
    address: String,
}

impl Moto {
    fn start() -> Option<Moto> {
        let program = std::path::Path::new(&std::env::var_os("TEST_CLIENTS")?).join("venv/bin/python");
        let mut child = Command::new(program)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("moto's server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its stderr is piped")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("Running on http://")?.1.trim().to_owned()));
        // What it says on is taken from it, so that it does not wait for that.
        std::thread::spawn(move || lines.for_each(drop));
        let moto = Moto { child, address: address.expect("moto's server says where it listens") };
        assert_eq!(moto.ask("PUT", "/files").0, 200, "the bucket is made");
        Some(moto)
    }

    /// A request that needs no signature, and its answer.
    fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("moto's server listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).expect("a request is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer comes");
        (answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default(), answer)
    }

    fn open(&self, bucket: &str) -> Store {
        let address: S3Address = bucket.parse().expect("the address of a bucket");
        let variables = [
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true"),
            ("PATH", "/bin"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Store::on_s3(&address, "server-1", variables).expect("the store opens")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_bucket_is_a_store_of_files() {
    let Some(moto) = Moto::start() else { return };
    let open = || -> Box<dyn FileStore> { Box::new(moto.open("s3://files/a/prefix")) };
    conformance::files::exercise(&*open(), open).await;
    // What others have in the bucket is none of ours.
    assert_eq!(moto.ask("PUT", "/files/other/00000000000000000000000000000007").0, 200);
    assert!(open().list().next_page().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_link_gives_the_file_as_what_it_is_and_to_be_saved() {
    let Some(moto) = Moto::start() else { return };
    let store = moto.open("s3://files");
    let mut upload = store.create(FileId::new(7), "text/html");
    upload.write("<script>".into()).await.unwrap();
    upload.finish().await.unwrap();
    let link = store.link(FileId::new(7), Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(link.contains("X-Amz-Expires=60") && link.contains("X-Amz-Signature="), "{link}");
    let path = link.strip_prefix(&format!("http://{}", moto.address)).unwrap();
    let (status, answer) = moto.ask("GET", path);
    let head = answer.to_ascii_lowercase();
    assert!(status == 200 && answer.ends_with("<script>"), "{answer}");
    assert!(head.contains("content-type: text/html") && head.contains("content-disposition: attachment"), "{head}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_so() {
    let Some(moto) = Moto::start() else { return };
    let store = moto.open("s3://nowhere");
    let mut upload = store.create(FileId::new(7), "text/plain");
    upload.write("x".into()).await.unwrap();
    let refused = upload.finish().await.unwrap_err();
    assert!(!matches!(refused, FileStoreError::Full(_)), "{refused}");
    assert!(store.list().next_page().await.is_err());
}
