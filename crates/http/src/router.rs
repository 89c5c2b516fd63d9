//! Which operation a request is for.

use std::ops::Range;

use ackd_api::Code;
use http::Method;
use http::header::{self, HeaderValue};

use crate::problem::Rejection;
use crate::routes::{OPERATIONS, Operation};

/// What a path and a method lead to.
pub(crate) enum Found {
    /// An operation, its place in the table, and where in the path its parameter stands.
    Operation(&'static Operation, usize, Range<usize>),
    /// `OPTIONS` of a path, with the methods that fit it.
    Options(HeaderValue),
}

/// Looks through the table. It is short, and what is asked most stands first.
pub(crate) fn find(method: &Method, path: &str) -> Result<Found, Rejection> {
    let first = OPERATIONS
        .iter()
        .enumerate()
        .find_map(|(at, operation)| parameter(operation.path, path).map(|parameter| (at, parameter)));
    let Some((first, parameter)) = first else {
        return Err(Rejection::new(
            Code::NotFound,
            "there is nothing at this address; /openapi.json says what there is",
        ));
    };
    let pattern = OPERATIONS[first].path;
    // A server that answers GET answers HEAD too: hyper leaves the body out.
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let of_path = || OPERATIONS.iter().enumerate().skip(first).take_while(|(_, operation)| operation.path == pattern);
    if let Some((at, operation)) = of_path().find(|(_, operation)| operation.method == *wanted) {
        return Ok(Found::Operation(operation, at, parameter));
    }
    let mut allowed: Vec<&str> = of_path().map(|(_, operation)| operation.method.as_str()).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    let allowed = allowed.join(", ");
    let header = HeaderValue::try_from(&allowed).unwrap_or_else(|_| HeaderValue::from_static(""));
    if *method == Method::OPTIONS {
        return Ok(Found::Options(header));
    }
    let detail = format!("{method} does not fit {pattern}; {allowed} do");
    Err(Rejection::new(Code::MethodNotAllowed, detail).with(header::ALLOW, header))
}

/// Where the parameter of `pattern` stands in `path`, if the path fits; nowhere, if the pattern has none.
fn parameter(pattern: &str, path: &str) -> Option<Range<usize>> {
    let Some((prefix, rest)) = pattern.split_once('{') else {
        return (pattern == path).then_some(0..0);
    };
    let suffix = rest.split_once('}')?.1;
    let value = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
    let fits = !value.is_empty() && !value.contains('/');
    fits.then(|| prefix.len()..prefix.len() + value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> Result<(&'static str, String), u16> {
        match find(method, path) {
            Ok(Found::Operation(operation, _, range)) => Ok((operation.path, path[range].to_owned())),
            Ok(Found::Options(allowed)) => Ok(("OPTIONS", allowed.to_str().unwrap().to_owned())),
            Err(rejection) => Err(rejection.problem.status),
        }
    }

    #[test]
    fn a_path_leads_to_its_operation() {
        let job = Ok(("/v1/jobs/{id}", "a%2Fb".to_owned()));
        assert_eq!(found(&Method::GET, "/v1/jobs/a%2Fb"), job);
        assert_eq!(found(&Method::HEAD, "/v1/jobs/a%2Fb"), job);
        assert_eq!(found(&Method::GET, "/v1/jobs/x/result"), Ok(("/v1/jobs/{id}/result", "x".to_owned())));
        assert_eq!(found(&Method::POST, "/v1/leases/settle"), Ok(("/v1/leases/settle", String::new())));
        assert_eq!(found(&Method::OPTIONS, "/v1/leases"), Ok(("OPTIONS", "POST, OPTIONS".to_owned())));
    }

    #[test]
    fn other_paths_and_methods_lead_nowhere() {
        for path in
            ["", "/", "*", "/v1", "/v1/jobs/", "/v1/jobs//result", "/v1/jobs/a/b/result", "/v1/jobs/a/", "/V1/jobs"]
        {
            assert_eq!(found(&Method::GET, path), Err(404), "{path}");
        }
        assert_eq!(found(&Method::DELETE, "/v1/jobs"), Err(405));
        assert_eq!(found(&Method::HEAD, "/v1/leases"), Err(405));
    }

    #[test]
    fn the_operations_of_a_path_stand_together() {
        let mut paths: Vec<&str> = OPERATIONS.iter().map(|operation| operation.path).collect();
        paths.dedup();
        let together = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), together);
    }
}
