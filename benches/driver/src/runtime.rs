//! What runs a contender's futures.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::contender::Result;

/// How a side of a contender runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// tokio on one thread.
    CurrentThread,
    /// tokio with as many threads as it takes by default: one for each core that the process may use.
    MultiThread,
    /// No runtime: futures block and are ready at once; each connection has its thread.
    Blocking,
}

/// A runtime that has started.
pub(crate) enum Executor {
    Tokio(tokio::runtime::Runtime),
    Blocking,
}

impl Executor {
    pub(crate) fn new(runtime: Runtime) -> Result<Self> {
        let mut builder = match runtime {
            Runtime::CurrentThread => tokio::runtime::Builder::new_current_thread(),
            Runtime::MultiThread => tokio::runtime::Builder::new_multi_thread(),
            Runtime::Blocking => return Ok(Self::Blocking),
        };
        Ok(Self::Tokio(builder.enable_all().build()?))
    }

    /// What is made or dropped in the meantime may spawn tasks.
    pub(crate) fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        match self {
            Self::Tokio(runtime) => Some(runtime.enter()),
            Self::Blocking => None,
        }
    }

    /// Runs one future, as a task: under the multi-thread runtime what is not a task runs beside the
    /// workers, and each wake-up would go through another thread.
    pub(crate) fn one<T, F>(&self, future: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match self {
            Self::Tokio(runtime) => runtime.block_on(runtime.spawn(future))?,
            Self::Blocking => at_once(future),
        }
    }

    /// Runs all of them at the same time.
    pub(crate) fn all<T, F>(&self, futures: Vec<F>) -> Result<Vec<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match self {
            Self::Tokio(runtime) => {
                let tasks: Vec<_> = futures.into_iter().map(|f| runtime.spawn(f)).collect();
                tasks.into_iter().map(|task| runtime.block_on(task)?).collect()
            }
            Self::Blocking => {
                let spawn = |future| thread::spawn(move || at_once(future));
                let threads: Vec<_> = futures.into_iter().map(spawn).collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().map_err(|_| "a thread panicked")?)
                    .collect()
            }
        }
    }
}

fn at_once<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err("a future of a blocking contender is not ready at once".into()),
    }
}
