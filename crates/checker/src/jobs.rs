/// A job by the order in which the history names it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Job(pub(crate) usize);

/// Something of each job.
#[derive(Debug)]
pub(crate) struct Jobs<T>(Vec<T>);

impl<T> Default for Jobs<T> {
    fn default() -> Jobs<T> {
        Jobs(Vec::new())
    }
}

impl<T: Default> Jobs<T> {
    pub(crate) fn at(&mut self, job: Job) -> &mut T {
        if self.0.len() <= job.0 {
            self.0.resize_with(job.0 + 1, T::default);
        }
        &mut self.0[job.0]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Job, &T)> {
        self.0.iter().enumerate().map(|(job, it)| (Job(job), it))
    }
}
