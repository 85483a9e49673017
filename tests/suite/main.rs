//! One binary for all behaviour tests: each module is a list of behaviours.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod addresses;
mod blocking;
mod classic_bodies;
mod classic_vectors;
mod client;
mod command_line;
mod json_vectors;
mod layering;
mod native;
mod pickle_hostile;
mod pickle_roundtrip;
mod pickle_vectors;
mod python_retries;
mod python_server;
mod python_worker;
mod readme;
mod registry;
mod schema;
mod server;
mod typed_values;
mod vectors;
