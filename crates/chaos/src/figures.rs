use std::fmt;
use std::time::Duration;

/// What a run of a row came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Jobs that were acknowledged.
    pub acknowledged: usize,
    /// Of these, those that are not there any more.
    pub lost: usize,
    /// Jobs that have ended.
    pub done: usize,
    /// What the row did, and how often.
    pub faults: Vec<(&'static str, u64)>,
    /// How long it took.
    pub took: Duration,
}

impl Figures {
    /// The fault `what` happened once more.
    pub(crate) fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// The fault `what` happened `times` more.
    pub(crate) fn add(&mut self, what: &'static str, times: u64) {
        match self.faults.iter_mut().find(|(name, _)| *name == what) {
            Some((_, count)) => *count += times,
            None => self.faults.push((what, times)),
        }
    }

    /// Takes in what another part of the row came to.
    pub(crate) fn merge(&mut self, other: Figures) {
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.done += other.done;
        other.faults.into_iter().for_each(|(what, times)| self.add(what, times));
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} acknowledged, {} lost, {} done", self.acknowledged, self.lost, self.done)?;
        for (what, times) in &self.faults {
            write!(f, ", {times} {what}")?;
        }
        write!(f, ", {:.1} s", self.took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up_and_are_one_line() {
        let mut figures = Figures { acknowledged: 3, done: 2, took: Duration::from_millis(1500), ..Figures::default() };
        figures.count("kills");
        figures.merge(Figures {
            acknowledged: 1,
            lost: 1,
            faults: vec![("kills", 2), ("cuts", 1)],
            ..Figures::default()
        });
        assert_eq!(figures.to_string(), "4 acknowledged, 1 lost, 2 done, 3 kills, 1 cuts, 1.5 s");
    }
}
