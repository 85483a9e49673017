//! `dip listen`: print what workers really send.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde_json::json;

use super::{Failure, WireArgument};
use crate::builtin::Any;
use crate::codec::{Body, DecodeLimits};
use crate::value::Dict;
use crate::{Address, Peer, Rejection, Router, Server, State, Unrouted, Value, handler, tagged};

/// Serve ADDRESS and print every message as one JSON line; what decodes is acknowledged.
///
/// A line is written and flushed before its message is acknowledged. Values that JSON can't express
/// are written as {"$type": …}. Ends at Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct Listen {
    /// A path, unix:PATH or tcp:HOST:PORT
    address: Address,
    /// Print the bytes of each body as `body_hex` instead of its `value`
    #[arg(long)]
    hex: bool,
    /// Speak this wire only
    #[arg(long, value_enum, default_value = "classic")]
    wire: WireArgument,
    /// Listen on TCP although every local user can connect
    #[arg(long)]
    insecure_no_auth: bool,
}

/// Where the lines go.
#[derive(Clone, Debug)]
struct Printer {
    hex: bool,
    out: Arc<Mutex<std::io::Stdout>>,
}

impl Listen {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if let WireArgument::Native = self.wire {
            return Err(Failure::Usage("only the classic wire is spoken so far".into()));
        }
        if let (Address::Tcp { .. }, false) = (&self.address, self.insecure_no_auth) {
            let text = "TCP peers are not authenticated: listen on a path, \
                        or let every local user in with --insecure-no-auth";
            return Err(Failure::Usage(text.into()));
        }
        let printer = Printer { hex: self.hex, out: Arc::new(Mutex::new(std::io::stdout())) };
        let bound = Server::builder(self.address)
            .router(Router::group(GROUP))
            .state(printer)
            .insecure_no_auth(self.insecure_no_auth)
            .shutdown(crate::signals())
            .bind()
            .await?;
        eprintln!("dip: listening on {}", bound.local_addr());
        Ok(bound.run().await?)
    }
}

/// Keeps the handler out of the routers of programs that link this library.
const GROUP: &str = "dip listen";

#[handler(fallback, group = "dip listen")]
async fn print(
    message: Unrouted,
    peer: Peer,
    State(printer): State<Printer>,
) -> Result<(), Rejection> {
    let Unrouted { mtype, body } = message;
    let id = peer.client_id().map(|id| id.to_string());
    let byte = mtype.as_byte().unwrap_or_default();
    let body_hex = printer.hex.then(|| hex(&body));
    let limits = DecodeLimits::for_body(body.len());
    let value = match Any::decode(mtype, Body::from(body), &limits) {
        Ok(Any::Other(_)) => {
            let text = format!("No protocol found in registry for message type: {byte}");
            return Err(Rejection::named("UnsupportedProtoError", text));
        }
        Ok(message) => tagged::to_tagged(&value_of(message)),
        Err(error) => return Err(Rejection::named(error.class(), error.text())),
    };
    let mut line = json!({"id": id, "mtype": byte, "mtype_chr": char::from(byte).to_string()});
    match body_hex {
        Some(hex) => line["body_hex"] = hex.into(),
        None => line["value"] = value,
    }
    let mut out = printer.out.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// What a Python callback would be given.
fn value_of(message: Any) -> Value {
    match message {
        Any::Stdout(text) => text.0.into(),
        Any::Stderr(text) => text.0.into(),
        Any::Pickle(value) => value.0,
        Any::Json(value) => value.0,
        Any::Dict(_) => Dict::new().into(),
        Any::Header(it) => fields([("header", it.header)]),
        Any::SubtaskOut(it) => fields([("arg", it.arg), ("subtask_out", it.subtask_out)]),
        Any::SubtaskError(it) => fields([("arg", it.arg), ("subtask_err", it.subtask_err)]),
        Any::TaskUpdate(items) => items.0.into(),
        Any::TaskUpdateV2(items) => items.0.into(),
        Any::SetConnectionId(id) => id.0.to_string().into(),
        Any::Other(other) => Value::Bytes(other.body.into()),
    }
}

fn fields<const N: usize>(fields: [(&str, Option<String>); N]) -> Value {
    let present = fields.into_iter().filter_map(|(name, text)| Some((name, text?)));
    present.collect::<Dict>().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
