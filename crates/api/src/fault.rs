//! What is wrong with a request, field by field.

use std::fmt::Display;
use std::time::Duration as StdDuration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Duration, Problem, name, raw};

/// One field at fault: an entry of a problem's `errors` (RFC 9457, section 3.1's example).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Where: a JSON pointer (RFC 6901) into the request's body; for NDJSON it begins with the number of the line,
    /// counted from 1, as in `/3/priority`; for a query parameter it is `/` and the parameter's name.
    pub pointer: String,
    /// What is wrong there and what would be right.
    pub detail: String,
}

/// The faults found in a request so far; it allocates nothing while there are none.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// The most faults that are told at once.
    pub const MAX: usize = 20;

    /// No faults.
    #[must_use]
    pub const fn new() -> Faults {
        Faults(Vec::new())
    }

    /// Notes a fault, unless there are [`Faults::MAX`] already.
    pub fn add(&mut self, pointer: &str, detail: impl Display) {
        if self.0.len() < Faults::MAX {
            self.0.push(Fault { pointer: pointer.to_owned(), detail: detail.to_string() });
        }
    }

    /// Whether a fault was noted there.
    pub(crate) fn is_at(&self, pointer: &str) -> bool {
        self.0.iter().any(|fault| fault.pointer == pointer)
    }

    /// Lets `check` look at a part of the document and puts where that part is in front of what it finds.
    pub fn within(&mut self, at: impl FnOnce() -> String, check: impl FnOnce(&mut Faults)) {
        let known = self.0.len();
        check(self);
        if self.0.len() > known {
            let at = at();
            for fault in &mut self.0[known..] {
                fault.pointer.insert_str(0, &at);
            }
        }
    }

    /// What the faults come to.
    ///
    /// # Errors
    /// An `invalid-request` with all of them, where there are any.
    pub fn into_result(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }

    /// A name follows [`name::check_name`].
    pub(crate) fn name(&mut self, pointer: &str, text: &str) {
        if let Err(error) = name::check_name(text) {
            self.add(pointer, error);
        }
    }

    /// A text has 1 to `most` bytes and no control characters.
    pub(crate) fn text(&mut self, pointer: &str, text: &str, most: usize) {
        if text.is_empty() || text.len() > most {
            self.add(pointer, format_args!("has {} bytes; 1 to {most} are allowed", text.len()));
        } else if text.bytes().any(|byte| byte.is_ascii_control()) {
            self.add(pointer, "holds a control character");
        }
    }

    /// A list has at most `most` entries.
    pub(crate) fn count(&mut self, pointer: &str, count: usize, most: usize) {
        if count > most {
            self.add(pointer, format_args!("has {count} entries; at most {most} are allowed"));
        }
    }

    /// A number lies in a range, both ends included.
    pub(crate) fn range<N: PartialOrd + Display + Copy>(
        &mut self,
        pointer: &str,
        number: Option<N>,
        least: N,
        most: N,
    ) {
        // Negated, so that a NaN is out of range.
        if number.is_some_and(|number| !(number >= least && number <= most)) {
            self.add(pointer, format_args!("must be {least} to {most}"));
        }
    }

    /// A duration lies in a range, both ends included.
    pub(crate) fn span(&mut self, pointer: &str, span: Option<Duration>, least: StdDuration, most: StdDuration) {
        self.range(pointer, span, Duration::new(least), Duration::new(most));
    }

    /// A duration is more than nothing.
    pub(crate) fn positive(&mut self, pointer: &str, span: Option<Duration>) {
        if span.is_some_and(Duration::is_zero) {
            self.add(pointer, "must be longer than 0s");
        }
    }

    /// JSON can be read by whoever it is handed to.
    pub(crate) fn readable(&mut self, pointer: &str, json: Option<&RawValue>) {
        if let Some(Err(error)) = json.map(raw::check) {
            self.add(pointer, error);
        }
    }

    /// JSON has at most `most` bytes and can be read by whoever it is handed to.
    pub(crate) fn small(&mut self, pointer: &str, json: Option<&RawValue>, most: usize) {
        match json.map(|json| json.get().len()) {
            Some(size) if size > most => {
                self.add(pointer, format_args!("has {size} bytes; at most {most} are allowed"))
            }
            _ => self.readable(pointer, json),
        }
    }

    /// Of two fields at most one is given.
    pub(crate) fn not_both(&mut self, pointer: &str, one: bool, other_name: &str, other: bool) {
        if one && other {
            self.add(pointer, format_args!("cannot be given together with `{other_name}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_s_faults_say_where_the_part_is() {
        let mut faults = Faults::new();
        faults.add("/queue", "is bad");
        faults.within(|| "/then/0".into(), |faults| faults.name("/queue", ""));
        let pointers: Vec<_> = faults.0.into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/queue", "/then/0/queue"]);
    }

    #[test]
    fn faults_are_counted_up_to_a_limit() {
        let mut faults = Faults::new();
        for _ in 0..=Faults::MAX {
            faults.add("", "x");
        }
        assert_eq!(faults.0.len(), Faults::MAX);
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let mut faults = Faults::new();
        faults.text("", "x", 2);
        faults.text("", "xx", 2);
        faults.count("", 3, 3);
        faults.range("", Some(0u8), 0, 9);
        faults.range("", Some(9u8), 0, 9);
        faults.range::<u8>("", None, 1, 9);
        faults.span("", Some(Duration::ZERO), StdDuration::ZERO, StdDuration::MAX);
        faults.positive("", None);
        assert!(faults.0.is_empty(), "{faults:?}");
        faults.text("", "", 2);
        faults.text("", "xxx", 2);
        faults.text("", "x\n", 2);
        faults.count("", 4, 3);
        faults.range("", Some(10u8), 0, 9);
        faults.range("", Some(f64::NAN), 0.0, 1.0);
        faults.positive("", Some(Duration::ZERO));
        assert_eq!(faults.0.len(), 7);
    }
}
