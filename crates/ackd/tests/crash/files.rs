//! Uploads that are large, that a kill ends, and that stall.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::Server;

/// Of a large upload, in MiB, and what the server may need for it and all else: it has one MiB of each upload in memory.
const LARGE: usize = 200;
const MEMORY: usize = 96 << 20;

/// A connection over which an upload of so many bytes has begun.
fn upload(server: &Server, name: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&server.addr).unwrap();
    // No answer takes longer; a test that hangs tells nobody why.
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "PUT /v1/files/{name} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// All that is answered, until the connection is closed.
fn answer(stream: &mut TcpStream) -> io::Result<String> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// How many files there are under a directory, and how many bytes they have.
fn stored(directory: &std::path::Path) -> (usize, u64) {
    let Ok(entries) = fs::read_dir(directory) else { return (0, 0) };
    entries.fold((0, 0), |(count, bytes), entry| {
        let entry = entry.unwrap();
        // What is deleted meanwhile is not there.
        let (more, size) = match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => stored(&entry.path()),
            Ok(metadata) => (1, metadata.len()),
            Err(_) => (0, 0),
        };
        (count + more, bytes + size)
    })
}

#[test]
fn a_large_upload_and_download_need_little_memory() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let mut stream = upload(&server, "large", LARGE << 20);
    let piece: Vec<u8> = (0..1u32 << 20).map(|at| at.to_le_bytes()[(at % 3) as usize]).collect();
    for _ in 0..LARGE {
        stream.write_all(&piece).unwrap();
    }
    let answer = answer(&mut stream).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");

    let mut stream = TcpStream::connect(&server.addr).unwrap();
    stream.write_all(b"GET /v1/files/large HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let bytes = io::copy(&mut stream, &mut io::sink()).unwrap();
    assert!(bytes > (LARGE << 20) as u64, "{bytes}");
    let peak = server.peak();
    assert!(peak < MEMORY, "{peak} bytes");
}

#[test]
fn a_kill_in_the_middle_of_an_upload_leaves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    assert!(answer(&mut { upload(&server, "kept", 0) }).unwrap().starts_with("HTTP/1.1 201"));
    let whole = stored(&data.path().join("files"));
    let mut stream = upload(&server, "half", 64 << 20);
    stream.write_all(&vec![b'x'; 32 << 20]).unwrap();
    // What the kernel had no room for was read by the server, and more than it keeps in memory: some is on disk.
    assert!(stored(&data.path().join("files")).1 > whole.1, "nothing of the upload is there to be left behind");
    server.kill();
    // No answer ever said that it was taken.
    assert!(answer(&mut stream).map_or(true, |answer| answer.is_empty()));

    let server = Server::start(data.path());
    assert_eq!(stored(&data.path().join("files")), whole);
    assert_eq!(server.get("/v1/files/half").status, 404);
    assert_eq!(server.get("/v1/files/kept").status, 200);
    let mut stream = upload(&server, "half", 5);
    stream.write_all(b"hello").unwrap();
    assert!(answer(&mut stream).unwrap().starts_with("HTTP/1.1 201"));
    assert_eq!(server.get("/v1/files/half").body, b"hello");
}

#[test]
fn an_upload_that_stalls_is_ended() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let mut stream = upload(&server, "stalled", 100);
    stream.write_all(b"only this").unwrap();
    // The server's deadline, and not this test's, ends it.
    let answer = answer(&mut stream).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(server.get("/v1/files/stalled").status, 404);
}
