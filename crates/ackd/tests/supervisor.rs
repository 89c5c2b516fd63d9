//! `ackd supervise` with real processes. The test is the worker: it hands the command's streams over, hears how it
//! ended, and goes away. That a process is dead is told by the end of a pipe which it held open.

#![allow(clippy::unwrap_used, reason = "this is a test, all of it")]

use std::fs::File;
use std::io::{self, BufRead, BufReader, IoSlice, PipeReader, PipeWriter, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// A supervisor, as a worker holds it.
struct Supervised {
    supervisor: Child,
    worker: UnixStream,
    stdin: PipeWriter,
    stdout: BufReader<PipeReader>,
    stderr: PipeReader,
}

impl Supervised {
    fn start(command: &[&str]) -> Supervised {
        let (worker, far) = UnixStream::pair().unwrap();
        let (stdin, to_stdin) = io::pipe().unwrap();
        let (from_stdout, stdout) = io::pipe().unwrap();
        let (from_stderr, stderr) = io::pipe().unwrap();
        let supervisor = Command::new(env!("CARGO_BIN_EXE_ackd"))
            .arg("supervise")
            .args(command)
            .stdin(Stdio::from(OwnedFd::from(far)))
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let streams = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&streams));
        sendmsg(&worker, &[IoSlice::new(&[0])], &mut control, SendFlags::empty()).unwrap();
        Supervised { supervisor, worker, stdin: to_stdin, stdout: BufReader::new(from_stdout), stderr: from_stderr }
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.supervisor)
    }

    /// The next line that the command writes.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What the worker is told.
    fn told(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(&self.worker).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Goes away as a worker that is killed does, and waits for the supervisor's own end.
    fn vanish(mut self) -> (BufReader<PipeReader>, PipeReader) {
        drop(self.worker);
        assert_eq!(self.supervisor.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
        (self.stdout, self.stderr)
    }
}

/// A pipe with a name, whose end tells that nobody holds it any more.
fn fifo(folder: &Path) -> (String, JoinHandle<String>) {
    let path = folder.join("alive");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let name = path.to_str().unwrap().to_owned();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        File::open(path).unwrap().read_to_string(&mut text).unwrap();
        text
    });
    (name, reader)
}

#[test]
fn how_the_command_ended_is_told() {
    for (script, expected) in [("exit 0", "exit 0"), ("exit 65", "exit 65"), ("kill -KILL $$", "signal 9")] {
        let mut supervised = Supervised::start(&["sh", "-c", script]);
        assert_eq!(supervised.told(), expected, "{script}");
        supervised.vanish();
    }
    let mut supervised = Supervised::start(&["/no/such/program"]);
    assert_eq!(supervised.told(), "unable No such file or directory (os error 2)");
    supervised.vanish();
}

#[test]
fn the_command_s_streams_are_its_own() {
    let mut supervised = Supervised::start(&["sh", "-c", "read word; echo $word $word; echo oops >&2; exec 1>&-; cat"]);
    supervised.stdin.write_all(b"hi\n").unwrap();
    assert_eq!(supervised.line(), "hi hi");
    // Nobody else holds the streams: what the command closes is at its end, and so is what the worker closes.
    assert_eq!(supervised.line(), "");
    supervised.stdin = io::pipe().unwrap().1;
    // `cat` has nowhere to write to, and nothing to.
    assert!(supervised.told().starts_with("exit "));
    let (_, mut stderr) = supervised.vanish();
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("oops\n"), "{text}");
}

#[test]
fn a_command_that_does_not_want_its_payload_closes_the_pipe() {
    let mut supervised = Supervised::start(&["sh", "-c", "exec <&-; echo closed; exec sleep 1000"]);
    assert_eq!(supervised.line(), "closed");
    // The supervisor may need a moment more than the command to let go of it.
    let error = loop {
        if let Err(error) = supervised.stdin.write_all(b"payload") {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    supervised.vanish();
}

#[test]
fn everything_dies_with_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let (alive, reader) = fifo(folder.path());
    // A child, an orphan that let go of every stream and heeds no hang-up, and the command itself.
    let script = "exec 9>$0; sleep 1000 & (trap '' TERM HUP; sleep 1000 </dev/null >/dev/null 2>&1 &); \
                  echo it >&9; echo up; sleep 1000";
    let mut supervised = Supervised::start(&["sh", "-c", script, &alive]);
    assert_eq!(supervised.line(), "up");
    supervised.vanish();
    assert_eq!(reader.join().unwrap(), "it\n");
}

#[test]
fn a_worker_that_is_gone_before_the_command_starts_leaves_nothing() {
    let (worker, far) = UnixStream::pair().unwrap();
    drop(worker);
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_ackd"))
        .args(["supervise", "sh", "-c", "echo started"])
        .stdin(Stdio::from(OwnedFd::from(far)))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(supervisor.wait().unwrap().code(), Some(2));
    let mut text = String::new();
    supervisor.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "");
}

#[test]
fn signals_to_the_group_reach_the_command_and_not_its_supervisor() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1] {
        let mut supervised = Supervised::start(&["sh", "-c", "echo up; exec sleep 1000"]);
        assert_eq!(supervised.line(), "up");
        kill_process_group(supervised.group(), signal).unwrap();
        assert_eq!(supervised.told(), format!("signal {}", signal.as_raw()));
        supervised.vanish();
    }
}

#[test]
fn the_end_of_the_command_does_not_wait_for_what_it_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (alive, reader) = fifo(folder.path());
    let mut supervised = Supervised::start(&["sh", "-c", "exec 9>$0; sleep 1000 & exit 3", &alive]);
    assert_eq!(supervised.told(), "exit 3");
    // The supervisor still leads the group, whose number can be nobody else's.
    test_kill_process_group(supervised.group()).unwrap();
    assert!(!reader.is_finished());
    kill_process_group(supervised.group(), Signal::KILL).unwrap();
    assert_eq!(reader.join().unwrap(), "");
    supervised.vanish();
}

#[test]
fn nobody_else_starts_it() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_ackd")).args(["supervise", "true"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("started by `ackd work`"));
}
