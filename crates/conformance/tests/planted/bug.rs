/// One thing that a ledger, its reader or its feed does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Nothing.
    None,
    /// A batch that failed was committed all the same.
    FailedBatchIsCommitted,
    /// A batch that failed is said to be committed.
    LostBatchIsAcknowledged,
    /// The reactor is not asked about what it added.
    ReactorAskedOnce,
    /// The reactor is asked after the commit, and what it adds is another.
    ReactorAfterCommit,
    /// The reactor is not told of refusals.
    ReactorWithoutRefusals,
    /// A batch's changes come in another order than the feed's.
    ChangesOutOfOrder,
    /// A ledger that is opened again lets its leases lapse.
    LeasesLapseOnOpen,
    /// A job is found by its number alone.
    SaltIgnored,
    /// The time to live that a heartbeat named is not kept.
    TtlForgotten,
    /// A text ends at its first NUL.
    TypeCutAtNul,
    /// Every payload is JSON.
    ContentTypeLost,
    /// Payloads come in the order of their numbers.
    PayloadsSorted,
    /// An empty result is none.
    EmptyResultLost,
    /// The server's own jobs are listed.
    OwnJobsListed,
    /// The next page of a list leaves a job out.
    PageSkipsAJob,
    /// The next page of a list repeats a job.
    PageRepeatsAJob,
    /// A list ends with its first page.
    ListEndsEarly,
    /// A list does not look at tags.
    TagsIgnored,
    /// The end of a span of time belongs to it.
    CreatedBeforeInclusive,
    /// Jobs that are not due at once wait in no lane.
    DelayedNotEligible,
    /// A page that ends among jobs due together loses the rest of them.
    TiesLost,
    /// A lane is in the order of acceptance.
    LaneByNumber,
    /// Jobs without a type wait in no lane.
    UntypedLaneLost,
    /// Groups share a lane.
    GroupsPagedTogether,
    /// A leased job stays in its lane.
    LeasedStaysEligible,
    /// A settled lease is told as live.
    SettledStaysLeased,
    /// A job that is worked on does not expire.
    ProcessingNeverExpires,
    /// A job expires a moment late.
    ExpiresLate,
    /// Expired jobs are counted as failed.
    ExpiredCountedAsFailed,
    /// A queue that was only paused is forgotten.
    PausedQueueLost,
    /// An endpoint's former secrets are not kept.
    FormerSecretsLost,
    /// Every consumer of the feed has the same position.
    ConsumersShareAPosition,
    /// The next page of a job's deliveries is the first.
    DeliveriesRepeat,
    /// A schedule that fired stands where it stood before.
    ScheduleFiresAgain,
    /// Whose followers remain to be told is forgotten.
    UnresolvedLost,
    /// Whoever reads on among the files that nobody needs begins anew.
    UnusedFilesAgain,
    /// A cause is told with more jobs than have it.
    CauseOvercounted,
    /// The dead of one cause are told with those of others.
    CausesMixed,
    /// Of the jobs that block one only the first is known.
    OnePredecessor,
    /// A full page of the feed lacks its last change.
    FeedSkips,
    /// The feed takes any position.
    BeyondTaken,
    /// What is purged is left out in silence.
    PurgedInSilence,
    /// A change is told with the job as it is now.
    ChangeOfToday,
    /// A timeline that lost its start is called whole.
    TruncationUntold,
    /// An erased job can be read by its id.
    ErasedJobFound,
    /// The payload of an erased job is kept.
    ErasedPayloadKept,
    /// A job goes a moment early.
    OutlivedEarly,
    /// Of jobs that may go only the first is found, and it is said that there are no more.
    OutlivedEndsEarly,
    /// A job is purged whatever the time.
    PurgedWhileKept,
    /// Changes go that a consumer has not seen.
    ChangesDoNotWait,
    /// How old changes are is told by the clock they were made by alone.
    AgeByItsClock,
}

impl Bug {
    /// Every bug that is one.
    pub(crate) const ALL: [Bug; 51] = [
        Bug::FailedBatchIsCommitted,
        Bug::LostBatchIsAcknowledged,
        Bug::ReactorAskedOnce,
        Bug::ReactorAfterCommit,
        Bug::ReactorWithoutRefusals,
        Bug::ChangesOutOfOrder,
        Bug::LeasesLapseOnOpen,
        Bug::SaltIgnored,
        Bug::TtlForgotten,
        Bug::TypeCutAtNul,
        Bug::ContentTypeLost,
        Bug::PayloadsSorted,
        Bug::EmptyResultLost,
        Bug::OwnJobsListed,
        Bug::PageSkipsAJob,
        Bug::PageRepeatsAJob,
        Bug::ListEndsEarly,
        Bug::TagsIgnored,
        Bug::CreatedBeforeInclusive,
        Bug::DelayedNotEligible,
        Bug::TiesLost,
        Bug::LaneByNumber,
        Bug::UntypedLaneLost,
        Bug::GroupsPagedTogether,
        Bug::LeasedStaysEligible,
        Bug::SettledStaysLeased,
        Bug::ProcessingNeverExpires,
        Bug::ExpiresLate,
        Bug::ExpiredCountedAsFailed,
        Bug::PausedQueueLost,
        Bug::FormerSecretsLost,
        Bug::ConsumersShareAPosition,
        Bug::DeliveriesRepeat,
        Bug::ScheduleFiresAgain,
        Bug::UnresolvedLost,
        Bug::UnusedFilesAgain,
        Bug::CauseOvercounted,
        Bug::CausesMixed,
        Bug::OnePredecessor,
        Bug::FeedSkips,
        Bug::BeyondTaken,
        Bug::PurgedInSilence,
        Bug::ChangeOfToday,
        Bug::TruncationUntold,
        Bug::ErasedJobFound,
        Bug::ErasedPayloadKept,
        Bug::OutlivedEarly,
        Bug::OutlivedEndsEarly,
        Bug::PurgedWhileKept,
        Bug::ChangesDoNotWait,
        Bug::AgeByItsClock,
    ];
}
