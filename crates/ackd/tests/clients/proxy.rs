//! nginx in front of the server, with nothing set but where the server is.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::run::{Installed, Port, Running};

pub(crate) struct Proxy {
    port: Port,
    _running: Running,
}

impl Proxy {
    /// Starts nginx over `folder` before the server at `server`, and waits until it listens.
    pub(crate) fn start(installed: &Installed, folder: &Path, server: &str) -> Proxy {
        let port = Port::free();
        let config = folder.join("nginx.conf");
        fs::write(&config, configured(folder, &port, server)).unwrap();
        let mut command = Command::new(&installed.nginx);
        command.arg("-p").arg(folder).arg("-c").arg(&config).arg("-e").arg(folder.join("nginx.error"));
        let running = Running::start(&mut command, &folder.join("nginx.log"));
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(port.address).is_err() {
            assert!(Instant::now() < until, "nginx does not start: {}", running.said());
            std::thread::yield_now();
        }
        Proxy { port, _running: running }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address)
    }
}

/// The first lines keep it to this test's folder and processes. Of proxying only what has no default is set, and for
/// WebSocket what nginx's documentation says (<https://nginx.org/en/docs/http/websocket.html>).
fn configured(folder: &Path, port: &Port, server: &str) -> String {
    let (folder, address) = (folder.display(), port.address);
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.iter().map(|kind| format!("{kind}_temp_path {folder}/{kind};\n")).collect();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.error;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}\
         map $http_upgrade $connection_upgrade {{\ndefault upgrade;\n'' close;\n}}\n\
         server {{\nlisten {address};\n\
         location / {{\nproxy_pass {server};\n}}\n\
         location /v1/ws {{\nproxy_pass {server};\nproxy_http_version 1.1;\n\
         proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection $connection_upgrade;\n}}\n\
         }}\n}}\n"
    )
}
