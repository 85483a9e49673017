//! A process of a contender: lines to it, lines from it, each within its time.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use driver::{Line, Result};

pub(crate) struct Child {
    process: Process,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Child {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or("no output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { process, input, lines })
    }

    /// A line of which only matters that it is one.
    pub(crate) fn nudge(&mut self) -> Result<()> {
        let input = self.input.as_mut().ok_or("no input")?;
        Ok(input.write_all(b"\n")?)
    }

    /// The next line.
    pub(crate) fn line(&mut self, within: Duration) -> Result<Line> {
        match self.lines.recv_timeout(within) {
            Ok(line) => Ok(serde_json::from_str(&line)?),
            Err(RecvTimeoutError::Timeout) => Err("it says nothing in time".into()),
            Err(RecvTimeoutError::Disconnected) => Err("it has ended".into()),
        }
    }
}

impl Drop for Child {
    /// Its input ends, and so should it.
    fn drop(&mut self) {
        drop(self.input.take());
        let end = Instant::now() + Duration::from_secs(2);
        while let Ok(None) = self.process.try_wait() {
            if Instant::now() > end {
                let _ = self.process.kill();
                let _ = self.process.wait();
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}
