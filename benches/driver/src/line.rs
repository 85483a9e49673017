//! What contenders and the orchestrator say to each other, a line of JSON each.

use serde::{Deserialize, Serialize};

use crate::usage::Usage;
use crate::variant::Kind;
use crate::workload::Workload;

/// What a contender says while it runs: `"listening"`, `{"done": {…}}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Of the server: clients may connect.
    Listening,
    /// Of the server, for each line that it reads.
    Usage(Usage),
    /// Of the client: it is warm. It goes on when it reads a line.
    Ready,
    /// Of the client: it has measured. Its connections stay open until its input ends.
    Done(Measurement),
}

/// What a client has measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// How many calls came back, or one-way messages were handled, or connections are open.
    pub calls: u64,
    /// How long that took.
    pub seconds: f64,
    /// Microseconds that half of the calls took at most; of all calls where one is in flight, of a
    /// sample otherwise.
    pub p50: Option<f64>,
    /// Microseconds that 99 of 100 took at most.
    pub p99: Option<f64>,
    /// What the client took for it.
    pub client: Usage,
}

/// A row, as its program describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Description {
    /// Unique among all.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// What a reader must know.
    pub note: String,
    /// It keeps a core busy: the other side needs one of its own.
    #[serde(default)]
    pub two_cores: bool,
    /// The crates whose versions are shown.
    pub crates: Vec<String>,
    /// What else has a version.
    pub also: Option<String>,
    /// Those that it can run.
    pub workloads: Vec<Workload>,
}
