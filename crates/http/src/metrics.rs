//! What the server counts, as Prometheus reads it.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use ackd_domain::{ChangeKind, Status};
use ackd_engine::{Counts, Histogram};
use http::{HeaderValue, StatusCode};

use crate::answer;
use crate::call::{Call, Outcome};
use crate::routes::OPERATIONS;

/// The place of requests that lead to no operation.
pub(crate) const NO_OPERATION: usize = OPERATIONS.len();

/// The classes of statuses: 2xx to 5xx.
const CLASSES: usize = 4;

/// What is counted of HTTP; the engine counts the rest.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Answers by operation and class of status.
    requests: Vec<[AtomicU64; CLASSES]>,
    /// Open connections.
    pub(crate) connections: AtomicU64,
    /// Connections that were refused because there were too many.
    pub(crate) refused_connections: AtomicU64,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        Metrics {
            requests: (0..=NO_OPERATION).map(|_| Default::default()).collect(),
            connections: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
        }
    }

    /// Counts an answer.
    pub(crate) fn count(&self, operation: usize, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        self.requests[operation][class].fetch_add(1, Ordering::Relaxed);
    }
}

/// `GET /metrics`.
pub(crate) async fn show(mut call: Call) -> Outcome {
    call.no_body().await?;
    let counts = call.engine().counts().await?;
    let mut text = String::with_capacity(16 << 10);
    // Writing to a text does not fail.
    let _ = write(&mut text, &call, &counts);
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(answer::whole(StatusCode::OK, content_type, text.into()))
}

fn write(text: &mut String, call: &Call, counts: &[Counts]) -> fmt::Result {
    let stats = call.engine().stats();
    let metrics = &call.shared().metrics;
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);

    head(text, "ackd_info", "gauge", "The server's version.")?;
    writeln!(text, "ackd_info{{version=\"{}\"}} 1", escaped(&call.shared().version))?;

    head(text, "ackd_jobs", "gauge", "Jobs that are kept, by queue and status.")?;
    for counts in counts.iter().filter(|counts| !counts.queue.is_reserved()) {
        for status in Status::ALL {
            // A name holds nothing that would have to be escaped.
            writeln!(text, "ackd_jobs{{queue=\"{}\",status=\"{status}\"}} {}", counts.queue, counts.of(status))?;
        }
    }
    head(text, "ackd_changes_total", "counter", "Changes of jobs since the server was started, by kind.")?;
    for kind in ChangeKind::ALL {
        writeln!(text, "ackd_changes_total{{kind=\"{}\"}} {}", word(kind), stats.changes(kind))?;
    }
    histogram(text, "ackd_commit_seconds", "How long commits took, from deciding to durable.", &stats.commits)?;
    for (name, kind, help, value) in [
        ("ackd_failed_commits_total", "counter", "Commits that failed.", load(&stats.failed_commits)),
        ("ackd_refusals_total", "counter", "Commands that were refused.", load(&stats.refusals)),
        ("ackd_live_leases", "gauge", "Leases that workers hold.", load(&stats.live_leases)),
        ("ackd_waiting_workers", "gauge", "Workers of clients that wait for a job.", load(&stats.parked_asks)),
        ("ackd_waiting_jobs_in_memory", "gauge", "Waiting jobs that stand in memory.", load(&stats.in_memory)),
        ("ackd_followers", "gauge", "Clients that wait for or follow a job.", call.engine().followers() as u64),
        ("ackd_http_connections", "gauge", "Open connections.", load(&metrics.connections)),
        (
            "ackd_http_refused_connections_total",
            "counter",
            "Connections that were refused because there were too many.",
            load(&metrics.refused_connections),
        ),
    ] {
        head(text, name, kind, help)?;
        writeln!(text, "{name} {value}")?;
    }
    head(text, "ackd_http_requests_total", "counter", "Answered requests, by method, route and class of status.")?;
    for (at, classes) in metrics.requests.iter().enumerate() {
        let (method, route) = OPERATIONS.get(at).map_or(("", ""), |it| (it.method.as_str(), it.path));
        for (class, count) in classes.iter().enumerate() {
            let (class, count) = (class + 2, load(count));
            if count > 0 {
                let labels = format_args!("method=\"{method}\",route=\"{route}\",status=\"{class}xx\"");
                writeln!(text, "ackd_http_requests_total{{{labels}}} {count}")?;
            }
        }
    }
    Ok(())
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn histogram(text: &mut String, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
    head(text, name, "histogram", help)?;
    let mut sum = 0;
    for (bucket, count) in histogram.counts().into_iter().enumerate() {
        sum += count;
        if bucket + 1 < Histogram::BUCKETS {
            writeln!(text, "{name}_bucket{{le=\"{}\"}} {sum}", Histogram::bound(bucket).as_secs_f64())?;
        }
    }
    writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {sum}")?;
    writeln!(text, "{name}_sum {}\n{name}_count {sum}", histogram.sum().as_secs_f64())
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

const fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Submitted => "submitted",
        ChangeKind::Leased => "leased",
        ChangeKind::Progressed => "progress",
        ChangeKind::Checkpointed => "checkpoint",
        ChangeKind::Completed => "completed",
        ChangeKind::Failed => "failed",
        ChangeKind::Released => "released",
        ChangeKind::Lapsed => "lapsed",
        ChangeKind::CancelRequested => "cancel_requested",
        ChangeKind::Cancelled => "cancelled",
        ChangeKind::Expired => "expired",
        ChangeKind::Retried => "retried",
        ChangeKind::Redriven => "redriven",
        ChangeKind::Unblocked => "unblocked",
        ChangeKind::Blocked => "blocked",
        ChangeKind::Replaced => "replaced",
    }
}
