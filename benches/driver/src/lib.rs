//! What every contender shares, so that all run the very same workloads: the messages, the loops that
//! send them, the clock, and the talk with the orchestrator.
//!
//! A contender is a program of its own. It is the server or the client by its arguments:
//!
//! ```text
//! NAME describe                                 prints the `Description` of each variant
//! NAME server VARIANT PLACE [CPU]               serves; answers each line with its `Usage`
//! NAME client VARIANT PLACE WORKLOAD WARM_UP WINDOW [CPU]    (times in milliseconds)
//! ```
//!
//! Both talk by lines of JSON ([`Line`]) on their standard output and end when their standard input
//! does. A client says `ready` when it is warm, goes on at the next line, and says `done`.

mod contender;
mod count;
mod flight;
mod line;
mod measure;
mod message;
mod program;
mod runtime;
mod stop;
mod usage;
mod variant;
mod workload;

pub use contender::{Contender, Error, Result, by_tasks, unsupported};
pub use count::{Counts, HANDLED};
pub use flight::{Flight, by_messages};
pub use line::{Description, Line, Measurement};
pub use message::{Message, Small};
pub use program::{Ready, main};
pub use runtime::Runtime;
pub use stop::Stop;
pub use usage::Usage;
pub use variant::{Kind, Variant};
pub use workload::Workload;
