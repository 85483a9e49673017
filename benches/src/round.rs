//! One measurement: a server and a client of their own.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use driver::{Line, Measurement, Result, Usage, Workload};
use tempfile::TempDir;

use crate::child::Child;
use crate::contender::Contender;

/// How long a process may say nothing, besides the time in which it measures.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where servers listen; each has a folder of its own.
pub(crate) struct Places {
    directory: TempDir,
    used: usize,
}

impl Places {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { directory: TempDir::with_prefix("dip-benches-")?, used: 0 })
    }

    fn next(&mut self) -> Result<PathBuf> {
        self.used += 1;
        let folder = self.directory.path().join(self.used.to_string());
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(folder.join("socket"))
    }
}

/// How one measurement is made.
pub(crate) struct Round {
    pub(crate) workload: Workload,
    /// The cores of server and client.
    pub(crate) cores: [Option<usize>; 2],
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

impl Round {
    /// What the client measured, and what the server took for it.
    pub(crate) fn run(
        &self,
        contender: &Contender,
        places: &mut Places,
    ) -> Result<(Measurement, Usage)> {
        let place = places.next()?;
        let [server, client] = self.cores.map(|core| core.map(|core| core.to_string()));

        let mut server = Child::start(contender.command("server", &place).args(server))?;
        let Line::Listening = server.line(PATIENCE)? else {
            return Err("the server says something else".into());
        };

        let times = [self.warm_up, self.window].map(|time| time.as_millis().to_string());
        let mut command = contender.command("client", &place);
        command.arg(self.workload.id()).args(times).args(client);
        let mut client = Child::start(&mut command)?;
        let Line::Ready = client.line(PATIENCE + self.warm_up)? else {
            return Err("the client says something else".into());
        };

        let before = usage(&mut server)?;
        client.nudge()?;
        let Line::Done(measurement) = client.line(PATIENCE + self.window)? else {
            return Err("the client says something else".into());
        };
        let after = usage(&mut server)?;
        if measurement.calls == 0 {
            return Err("no call came back".into());
        }
        Ok((measurement, after - before))
    }
}

fn usage(server: &mut Child) -> Result<Usage> {
    server.nudge()?;
    match server.line(PATIENCE)? {
        Line::Usage(usage) => Ok(usage),
        _ => Err("the server says something else".into()),
    }
}
