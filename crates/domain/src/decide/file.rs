use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{
    Answer, Decision, File, FileId, Job, Name, NewFile, PayloadFile, Refusal, Submission, Timestamp, View, Write,
};

/// A new file under a name. What had the name before goes when the last job that refers to it does.
pub(super) fn put(
    view: &View,
    name: Name,
    new: NewFile,
    expires_at: Timestamp,
    replace: bool,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let known = named(view, &name, now);
    if known.is_some() && !replace {
        return Err(Refusal::FileExists);
    }
    let created = known.is_none();
    let before = view.named_files.get(&name).map(|file| Write::File(unnamed(file, now)));
    let file = Arc::new(File { name: Some(name), expires_at, references: 0, ..noted(new, now) });
    let writes = before.into_iter().chain([Write::File(Arc::clone(&file))]).collect();
    Ok(Decision { writes, ..Decision::answer(Answer::File { file, created }) })
}

pub(super) fn delete(view: &View, name: &Name, now: Timestamp) -> Result<Decision, Refusal> {
    let file = unnamed(named(view, name, now).ok_or(Refusal::NotFound)?, now);
    Ok(written(file))
}

/// Its bytes are deleted only once this is durable: a crash in between leaves a condemned file, which is deleted again, and
/// never a job without its file.
pub(super) fn condemn(view: &View, id: FileId, now: Timestamp) -> Result<Decision, Refusal> {
    let file = view.files.get(&id).ok_or(Refusal::NotFound)?;
    if file.condemned {
        return Ok(Decision::answer(Answer::File { file: Arc::clone(file), created: false }));
    }
    if !file.is_unused(now) {
        return Err(Refusal::FileNeeded);
    }
    Ok(written(Arc::new(File { name: None, condemned: true, ..(**file).clone() })))
}

pub(super) fn forget(view: &View, id: FileId) -> Result<Decision, Refusal> {
    let file = view.files.get(&id).ok_or(Refusal::NotFound)?;
    if !file.condemned {
        return Err(Refusal::FileNeeded);
    }
    let answer = Answer::File { file: Arc::clone(file), created: false };
    Ok(Decision { writes: vec![Write::NoFile(id)], ..Decision::answer(answer) })
}

/// The file of this name, unless its time is over.
fn named<'a>(view: &'a View, name: &Name, now: Timestamp) -> Option<&'a Arc<File>> {
    view.named_files.get(name).filter(|file| !file.is_unused(now))
}

fn unnamed(file: &File, now: Timestamp) -> Arc<File> {
    Arc::new(File { name: None, expires_at: now, ..file.clone() })
}

fn written(file: Arc<File>) -> Decision {
    Decision { writes: vec![Write::File(Arc::clone(&file))], ..Decision::answer(Answer::File { file, created: false }) }
}

/// The file of a payload or a result: it goes with the last job that refers to it.
pub(super) fn noted(new: NewFile, now: Timestamp) -> File {
    let NewFile { id, content_type, size, sum, digest: _ } = new;
    File { id, name: None, content_type, size, sum, created_at: now, expires_at: now, references: 1, condemned: false }
}

/// The writes by which `job` refers to its files no longer.
pub(super) fn released(view: &View, job: &Job) -> impl Iterator<Item = Write> {
    let mut files: BTreeMap<FileId, File> = BTreeMap::new();
    for id in job.files() {
        if let Some(file) = view.files.get(&id) {
            let file = files.entry(id).or_insert_with(|| (**file).clone());
            file.references = file.references.saturating_sub(1);
        }
    }
    files.into_values().map(|file| Write::File(Arc::new(file)))
}

/// Looks for files that are to be payloads and are not there.
pub(super) fn refuse_missing<'s>(
    view: &View,
    submissions: impl Iterator<Item = (usize, &'s Submission)>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let missing_to = |submission: &'s Submission| match submission.payload_file.as_deref() {
        Some(PayloadFile::Named(name)) if named(view, name, now).is_none() => Some(name),
        _ => None,
    };
    let mut missing = Vec::new();
    for (line, submission) in submissions {
        // Where it stands is found out only where one is missing.
        if submission.with_all_after().any(|it| missing_to(it).is_some()) {
            submission.with_places(line, &mut |place, it| {
                missing.extend(missing_to(it).map(|name| (place.clone(), name.clone())));
            });
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Refusal::NoFile(missing)) }
}

/// The files that a command's jobs have for payloads.
#[derive(Default)]
pub(super) struct Payloads(BTreeMap<FileId, File>);

impl Payloads {
    /// One more job has it. `None` where there is no such file.
    pub(super) fn refer(&mut self, view: &View, file: PayloadFile, now: Timestamp) -> Option<&File> {
        let file = match file {
            PayloadFile::New(new) => self.0.entry(new.id).or_insert(File { references: 0, ..noted(new, now) }),
            PayloadFile::Named(name) => {
                let known = named(view, &name, now)?;
                self.0.entry(known.id).or_insert_with(|| (**known).clone())
            }
        };
        file.references += 1;
        Some(file)
    }

    /// One job less has it.
    pub(super) fn release(&mut self, view: &View, id: FileId) {
        let known = || view.files.get(&id).map(|file| (**file).clone());
        if let Some(file) = self.0.get(&id).cloned().or_else(known) {
            let references = file.references.saturating_sub(1);
            self.0.insert(id, File { references, ..file });
        }
    }

    pub(super) fn into_writes(self) -> impl Iterator<Item = Write> {
        self.0.into_values().map(|file| Write::File(Arc::new(file)))
    }
}
