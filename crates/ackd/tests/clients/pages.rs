//! The pages that a browser shows, and what they report.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::run::{Installed, Running};
use crate::seen::Seen;

/// A server of the pages in `scripts/`. It ends with the process.
pub(crate) struct Pages {
    origin: String,
    index: Arc<Mutex<String>>,
}

impl Pages {
    pub(crate) fn serve(seen: &Arc<Seen>) -> Pages {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let index = Arc::new(Mutex::new("<!doctype html>".to_owned()));
        let (seen, shown) = (Arc::clone(seen), Arc::clone(&index));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, index) = (Arc::clone(&seen), shown.lock().unwrap().clone());
                // A browser that goes away is none of our business.
                thread::spawn(move || answer(&stream, &seen, &index).unwrap_or_default());
            }
        });
        Pages { origin, index }
    }

    /// The origin of the pages.
    pub(crate) fn origin(&self) -> String {
        self.origin.clone()
    }

    /// Has the browser show `page` with `fragment`, once it is opened.
    pub(crate) fn show(&self, page: &str, fragment: &str) {
        let fragment = fragment.replace('%', "%25").replace('"', "%22");
        self.index.lock().unwrap().push_str(&format!("<iframe src=\"/{page}#{fragment}\"></iframe>\n"));
    }

    /// Opens a browser with all pages that are to be shown.
    pub(crate) fn open(&self, installed: &Installed, folder: &Path) -> Running {
        let mut command = Command::new(&installed.chromium);
        // The port keeps it from ending once the page is loaded. As root it has no sandbox.
        command.args(["--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--no-proxy-server"]);
        command.args(["--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]);
        command.arg(format!("--user-data-dir={}", folder.join("chromium").display())).arg(format!("{}/", self.origin));
        Running::start(command.env("HOME", folder), &folder.join("chromium.log"))
    }
}

/// Answers one request: for a page, or with a report.
fn answer(mut stream: &TcpStream, seen: &Seen, index: &str) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, kind, content) = match (&*method, path.strip_prefix("/report/")) {
        ("POST", Some(client)) => {
            seen.tell(client, &String::from_utf8_lossy(&body));
            ("200 OK", "text/plain", Vec::new())
        }
        ("GET", _) if path == "/" => ("200 OK", "text/html", index.as_bytes().to_vec()),
        _ => match script(&path) {
            Some(content) if path.ends_with(".html") => ("200 OK", "text/html", content),
            Some(content) => ("200 OK", "text/javascript", content),
            None => ("404 Not Found", "text/plain", Vec::new()),
        },
    };
    let length = content.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(&[head.as_bytes(), &content].concat())
}

/// A file of the scripts.
fn script(path: &str) -> Option<Vec<u8>> {
    let name = path.strip_prefix('/')?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    is_plain.then(|| fs::read(crate::client::scripts().join(name)).ok()).flatten()
}
