//! `cargo xtask chaos api`: schemathesis reads `/openapi.json` of a running server, asks for all that it describes and for
//! what it does not, and holds each answer against it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::process::{self, Done, Failure, Killed, cargo, not_started, release_binary, root, target};
use crate::{clients, install};

/// How many requests of each kind are made up for each operation, where nothing is said.
const EXAMPLES: &str = "200";

/// Runs the command; what it does not know is schemathesis's to know.
pub(crate) fn run(args: &[String]) -> Done {
    let asked = root().join("crates/fuzz/api");
    let folder = target().join("fuzz/api");
    install::program("python3", "python3")?;
    std::fs::create_dir_all(&folder)?;
    clients::python(&asked.join("requirements.txt"), &folder)?;
    process::run(cargo().args(["build", "--release", "--locked", "-p", "ackd"]))?;
    let data = folder.join("data");
    // One that is left is of a run that was ended.
    let _ = std::fs::remove_dir_all(&data);
    let mut serve = Command::new(release_binary("ackd"));
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data).current_dir(&folder);
    let mut server =
        serve.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(|error| not_started(&serve, &error))?;
    let stdout = server.stdout.take();
    let _killed = Killed(server);
    let mut line = String::new();
    if let Some(stdout) = stdout {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let Some(url) = line.trim().strip_prefix("listening on ") else {
        return Err(Failure::Failed(format!("the server does not start: it says {line:?}")));
    };
    let mut st = Command::new(folder.join("venv/bin/st"));
    st.arg("--config-file").arg(asked.join("schemathesis.toml")).arg("run").arg(format!("{url}/openapi.json"));
    if !args.iter().any(|arg| arg == "--max-examples" || arg.starts_with("--max-examples=") || arg == "-n") {
        st.args(["--max-examples", EXAMPLES]);
    }
    // The hooks are a module there.
    process::run(st.args(args).env("PYTHONPATH", &asked).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(&folder))
}
