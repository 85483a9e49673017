//! The figures that are made of a measurement.

use driver::Workload;

use crate::results::{Sample, Spread};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Microseconds that half of the calls took at most.
    P50,
    /// Microseconds that 99 of 100 calls took at most.
    P99,
    /// Calls, or messages, a second.
    Rate,
    /// MB a second, there and back.
    Bandwidth,
    /// Microseconds of both processes for each call.
    Cpu,
    /// Those of the server.
    ServerCpu,
    /// KiB by which the server grew for each connection.
    ServerMemory,
    /// KiB by which the client grew for each connection.
    ClientMemory,
}

impl Figure {
    /// Those of a workload; the first one is what it is about.
    pub(crate) fn of_workload(workload: Workload) -> &'static [Self] {
        match workload {
            Workload::Latency | Workload::Connect => {
                &[Self::P50, Self::P99, Self::Cpu, Self::ServerCpu]
            }
            Workload::Pipelined | Workload::Connections => {
                &[Self::Rate, Self::P50, Self::P99, Self::Cpu, Self::ServerCpu]
            }
            Workload::Body64K | Workload::Body1M => &[Self::Bandwidth, Self::Cpu, Self::ServerCpu],
            Workload::OneWay => &[Self::Rate, Self::Cpu, Self::ServerCpu],
            Workload::Idle => &[Self::ServerMemory, Self::ClientMemory],
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::P50 => "p50 µs",
            Self::P99 => "p99 µs",
            Self::Rate => "per second",
            Self::Bandwidth => "MB/s",
            Self::Cpu => "CPU µs/call",
            Self::ServerCpu => "of it server",
            Self::ServerMemory => "server KiB/connection",
            Self::ClientMemory => "client KiB/connection",
        }
    }

    pub(crate) fn higher_is_better(self) -> bool {
        matches!(self, Self::Rate | Self::Bandwidth)
    }

    pub(crate) fn of(self, sample: &Sample) -> Option<f64> {
        let client = &sample.client;
        let calls = client.calls as f64;
        match self {
            Self::P50 => client.p50,
            Self::P99 => client.p99,
            Self::Rate => Some(calls / client.seconds),
            Self::Bandwidth => {
                let bytes = 2.0 * sample.workload.body()? as f64 * calls;
                Some(bytes / client.seconds / 1e6)
            }
            Self::Cpu => Some((client.client.cpu() + sample.server.cpu()) as f64 / calls),
            Self::ServerCpu => Some(sample.server.cpu() as f64 / calls),
            Self::ServerMemory => Some(sample.server.resident as f64 / 1024.0 / calls),
            Self::ClientMemory => Some(client.client.resident as f64 / 1024.0 / calls),
        }
    }

    pub(crate) fn format(self, value: f64) -> String {
        match self {
            Self::Rate => rate(value),
            Self::Bandwidth => format!("{value:.0}"),
            _ => significant(value),
        }
    }

    /// The median with the least and the most.
    pub(crate) fn format_spread(self, spread: Spread) -> String {
        let [median, min, max] = [spread.median, spread.min, spread.max].map(|v| self.format(v));
        format!("{median} ({min}–{max})")
    }
}

fn rate(value: f64) -> String {
    match value {
        1e6.. => format!("{}M", significant(value / 1e6)),
        1e3.. => format!("{}k", significant(value / 1e3)),
        _ => significant(value),
    }
}

/// Three digits.
fn significant(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
