//! Keeps the work of a small model on one thread.
//!
//! The tensor library splits every product over its pool and meets in a spinning barrier after each. Products of a small
//! model take microseconds, so on a machine that is busy with anything else the plan waits for the scheduler hundreds of
//! times. On a thread of that pool the library does not split, so a whole plan goes there in one piece. It must not know
//! what the work is.

use std::sync::Mutex;

use candle_core::utils::barrier_pool;

use crate::error::ModelError;

/// Runs `work` where products are not split; the caller waits. Must not be called by `work` itself.
pub(crate) fn unsplit<T: Send>(work: impl FnOnce() -> Result<T, ModelError> + Send) -> Result<T, ModelError> {
    let job = Mutex::new(Some(work));
    let result = Mutex::new(None);
    // With a pool of one thread, `execute` calls this here and now.
    barrier_pool().execute(|worker| {
        let taken = if worker == 0 {
            job.lock().ok().and_then(|mut job| job.take())
        } else {
            None
        };
        if let (Some(work), Ok(mut result)) = (taken, result.lock()) {
            *result = Some(work());
        }
    });
    let failed = || ModelError::Internal {
        part: "tensors",
        reason: "a thread of the pool did not finish its work".into(),
    };
    result.into_inner().ok().flatten().ok_or_else(failed)?
}
