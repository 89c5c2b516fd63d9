use ackd_domain::{Answer, Change, Command, Refusal};

use ackd_ports::{Applied, Reactor};

/// Stands between a ledger and a reactor, and checks what the ledger tells it.
pub(super) struct Recorder<'a> {
    reactor: &'a mut dyn Reactor,
    /// The batch's commands, with those that the reactor added.
    pub(super) commands: Vec<Command>,
    answers: Vec<Result<Answer, Refusal>>,
    changes: Vec<Change>,
    added: usize,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(commands: Vec<Command>, reactor: &'a mut dyn Reactor) -> Recorder<'a> {
        Recorder { reactor, commands, answers: Vec::new(), changes: Vec::new(), added: 0 }
    }

    /// What the reactor was told must be what the batch came to.
    pub(super) fn check(&self, applied: &Applied) {
        assert_eq!(self.added, 0, "the reactor added commands and was not asked about them");
        assert_eq!(self.answers, applied.answers, "the reactor was told other answers than the batch had");
        assert_eq!(self.changes[..], applied.changes[..], "the reactor was told other changes than the batch had");
        assert_eq!(self.answers.len(), self.commands.len(), "there is not one answer for each command");
    }
}

impl Reactor for Recorder<'_> {
    fn react(&mut self, answers: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        self.answers.extend_from_slice(answers);
        self.changes.extend_from_slice(changes);
        assert_eq!(self.answers.len(), self.commands.len(), "the reactor is not told the outcome of every command");
        let more = self.reactor.react(answers, changes);
        self.added = more.len();
        self.commands.extend_from_slice(&more);
        more
    }
}
