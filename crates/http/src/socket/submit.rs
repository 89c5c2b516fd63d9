use std::sync::Arc;

use ackd_api::socket::{Label, ServerFrame, ServerOp};
use ackd_domain::{Acceptance, Command, Submission};
use ackd_engine::Engine;

use crate::app::Shared;
use crate::document::{self, Texts};
use crate::problem::Rejection;
use crate::submit::{Asked, Committed, committed};

/// The frame that answers a submission, once it is durable.
pub(crate) async fn answer(shared: Arc<Shared>, reference: Label, submission: Submission) -> Vec<u8> {
    let frame = match commit(&shared.engine, submission).await {
        Ok(committed) => accepted(&shared, reference.clone(), &committed).await,
        Err(rejection) => Err(rejection),
    };
    frame.unwrap_or_else(|rejection| {
        let problem = Some(shared.addressed(rejection.problem));
        let refused = ServerFrame { reference: Some(reference), problem, ..ServerFrame::new(ServerOp::Error) };
        // Texts and numbers: there is nothing in it that could fail to be written.
        serde_json::to_vec(&refused).unwrap_or_default()
    })
}

async fn commit(engine: &Engine, submission: Submission) -> Result<Committed, Rejection> {
    let asked = Asked::of(&submission);
    let answers = engine.run(vec![Command::Submit(vec![submission])]).await?;
    let mut committed = committed(answers, asked)?;
    if committed.how != Acceptance::Made {
        committed.fill(engine).await;
    }
    Ok(committed)
}

async fn accepted(shared: &Shared, reference: Label, committed: &Committed) -> Result<Vec<u8>, Rejection> {
    let Committed { record, how, has_secret } = committed;
    let (texts, waiting) = (Texts::of(&record.job), shared.engine.explain(&record.job).await);
    let (payload, result) = (record.payload.as_ref(), record.result.as_ref());
    let mut job = document::document(&record.job, &texts, payload, result, waiting.as_ref());
    job.callback = document::callback(&record.job).filter(|_| *has_secret);
    let frame = ServerFrame {
        reference: Some(reference),
        replayed: *how == Acceptance::Replayed,
        kept: *how == Acceptance::Kept,
        replaced: *how == Acceptance::Replaced,
        job: Some(Box::new(job)),
        ..ServerFrame::new(ServerOp::Accepted)
    };
    Ok(serde_json::to_vec(&frame)?)
}
