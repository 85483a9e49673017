//! What is run.

use serde::{Deserialize, Serialize};

/// Each the same for every contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Workload {
    /// One call in flight with the small message.
    #[serde(rename = "w1")]
    Latency,
    /// One connection, 64 calls in flight.
    #[serde(rename = "w2")]
    Pipelined,
    /// 16 connections, 8 calls in flight on each.
    #[serde(rename = "w3")]
    Connections,
    /// Bodies of 64 KiB, one in flight, both ways.
    #[serde(rename = "w4-64k")]
    Body64K,
    /// Bodies of 1 MiB, one in flight, both ways.
    #[serde(rename = "w4-1m")]
    Body1M,
    /// One-way messages, until the last one was handled.
    #[serde(rename = "w5")]
    OneWay,
    /// 1000 connections that have made one call each, and are idle.
    #[serde(rename = "w6")]
    Idle,
    /// Connecting and the first call.
    #[serde(rename = "w7")]
    Connect,
}

impl Workload {
    /// All of them, in the order in which they are shown.
    pub const ALL: &[Self] = &[
        Self::Latency,
        Self::Pipelined,
        Self::Connections,
        Self::Body64K,
        Self::Body1M,
        Self::OneWay,
        Self::Idle,
        Self::Connect,
    ];

    /// How it is called on the command line and in the results.
    pub fn id(self) -> &'static str {
        match self {
            Self::Latency => "w1",
            Self::Pipelined => "w2",
            Self::Connections => "w3",
            Self::Body64K => "w4-64k",
            Self::Body1M => "w4-1m",
            Self::OneWay => "w5",
            Self::Idle => "w6",
            Self::Connect => "w7",
        }
    }

    /// What it is, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Latency => "one call in flight",
            Self::Pipelined => "one connection, 64 calls in flight",
            Self::Connections => "16 connections, 8 calls in flight on each",
            Self::Body64K => "64 KiB both ways, one in flight",
            Self::Body1M => "1 MiB both ways, one in flight",
            Self::OneWay => "one-way messages, until the last was handled",
            Self::Idle => "1000 idle connections",
            Self::Connect => "connect and first call",
        }
    }

    /// The length of the body, in bytes, where there is one.
    pub fn body(self) -> Option<usize> {
        match self {
            Self::Body64K => Some(64 << 10),
            Self::Body1M => Some(1 << 20),
            _ => None,
        }
    }

    /// How many connections there are at once.
    pub fn connections(self) -> usize {
        match self {
            Self::Connections => 16,
            Self::Idle => 1000,
            _ => 1,
        }
    }

    /// How many calls are in flight on each of them.
    pub(crate) fn in_flight(self) -> usize {
        match self {
            Self::Pipelined => 64,
            Self::Connections => 8,
            _ => 1,
        }
    }

    /// The one that is called so.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|workload| workload.id() == id)
    }
}
