//! Files: uploaded, worked on, downloaded and deleted.

use crate::ackd::Server;

#[test]
fn a_file_goes_up_is_a_payload_and_comes_back() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cat.mp4");
    let bytes: Vec<u8> = (0..5_000_000u32).map(|at| at.to_le_bytes()[(at % 3) as usize]).collect();
    std::fs::write(&path, &bytes).unwrap();
    let path = path.to_str().unwrap();
    let put = ["file", "put", path, "--content-type", "video/mp4", "--expires-in", "7d", "--json"];
    let document = server.run(&put).documents().remove(0);
    assert_eq!((document["file"].as_str(), document["size"].as_u64()), (Some("cat.mp4"), Some(5_000_000)));
    assert_eq!(document["content_type"], "video/mp4");
    assert!(server.run(&["file", "get", "cat.mp4"]).stdout == bytes);

    let id = server.submit(&["q", "--payload-file", "cat.mp4"]);
    assert_eq!(server.run(&["file", "delete", "cat.mp4"]).fine(), "cat.mp4 deleted\n");
    assert!(server.run(&["file", "get", "cat.mp4"]).failed(1).contains("no file"));
    let _worker = server.work(&[], "wc -c");
    assert_eq!(server.run(&["result", &id, "--wait", "1m"]).fine().trim(), "5000000");
}

#[test]
fn a_file_comes_from_stdin_under_a_name() {
    let server = Server::start();
    assert_eq!(server.run_with(&["file", "put", "-", "note"], b"hello").fine(), "note\n");
    assert_eq!(server.run(&["file", "get", "note"]).fine(), "hello");
    assert_eq!(server.run_with(&["file", "put", "-", "note"], b"").fine(), "note\n");
    assert_eq!(server.run(&["file", "get", "note"]).fine(), "");
}

#[test]
fn what_cannot_be_uploaded_is_said_and_nothing_is_kept() {
    let server = Server::with(&["--max-file", "1000"]);
    for (args, code, text) in [
        (&["file", "put", "-"][..], 2, "NAME"),
        (&["file", "put", "/no/such/file"], 1, "cannot read /no/such/file"),
        (&["file", "put", "/", "f"], 1, "cannot read"),
        (&["file", "put", "-", "../f"], 1, "not valid"),
        (&["file", "delete", "f"], 1, "no file"),
        (&["submit", "q", "--payload-file", "f"], 1, "f"),
        (&["submit", "q", "1", "--payload-file", "f"], 2, "cannot be used with"),
    ] {
        let said = server.run(args).failed(code);
        assert!(said.contains(text), "{args:?}: {said}");
    }
    let refused = server.run_with(&["file", "put", "-", "f"], &[0; 1001]).failed(1);
    assert!(refused.contains("too large"), "{refused}");
    assert!(server.run(&["file", "get", "f"]).failed(1).contains("no file"));
}
