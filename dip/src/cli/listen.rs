//! `dip listen`: print what workers really send.

use std::io::{Write, stderr, stdout};
use std::sync::Arc;

use clap::Args;
use serde_json::{Value as Json, json};

use super::hex::hex;
use super::tagged::to_tagged;
use super::{Failure, WireArgument};
use crate::builtin::Any;
use crate::codec::{Body, DecodeError, DecodeLimits};
use crate::value::Dict;
use crate::wire::classic;
use crate::{Address, Mtype, Peer, Rejection, Router, Server, State, Unrouted, Value, handler};

/// Serve ADDRESS and print every message as one JSON line; what decodes is acknowledged.
///
/// A line is written and flushed before its message is acknowledged. Values that JSON can't express
/// are written as {"$type": …}. A type that has a name comes as a number, without `mtype_chr`; --name tells which name that is. What is refused is named on the standard error output. Ends at Ctrl-C, and
/// when nobody reads the lines any more.
#[derive(Debug, Args)]
pub(super) struct Listen {
    /// A path, tcp:HOST:PORT, fd:N or systemd:NAME
    address: Address,
    /// Print the bytes of each body as `body_hex` instead of its `value`
    #[arg(long)]
    hex: bool,
    /// Acknowledge types that are not built in, too, and print the bytes of their bodies as `body_hex`
    #[arg(long)]
    any: bool,
    /// Acknowledge the type of this name, too, and print it as `mtype_name` (may be repeated)
    #[arg(long = "name", value_name = "NAME", value_parser = name)]
    names: Vec<Name>,
    /// Speak this wire only; both unless given
    #[arg(long, value_enum)]
    wire: Option<WireArgument>,
    /// Listen on TCP although every local user can connect
    #[arg(long)]
    insecure_no_auth: bool,
}

/// How a message becomes a line.
#[derive(Clone, Debug)]
struct Format {
    hex: bool,
    any: bool,
    names: Arc<[Name]>,
}

/// A type whose name was given: on the wire there is only the number.
#[derive(Clone, Debug)]
struct Name {
    mtype: Mtype,
    name: String,
}

fn name(text: &str) -> Result<Name, String> {
    let mtype = Mtype::named(text).ok_or("a name is of a-z, 0-9, '.', '_' and '-'")?;
    Ok(Name { mtype, name: text.to_owned() })
}

impl Listen {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if let (Address::Tcp { .. }, false) = (&self.address, self.insecure_no_auth) {
            let text = "TCP peers are not authenticated: listen on a path, \
                        or let every local user in with --insecure-no-auth";
            return Err(Failure::Usage(text.into()));
        }
        let bound = Server::builder(self.address)
            .router(Router::group(GROUP))
            .state(Format { hex: self.hex, any: self.any, names: self.names.into() })
            .insecure_no_auth(self.insecure_no_auth)
            .classic(self.wire != Some(WireArgument::Native))
            .native(self.wire != Some(WireArgument::Classic))
            .shutdown(crate::signals())
            .bind()
            .await?;
        eprintln!("dip: listening on {}", bound.local_addr());
        Ok(bound.run().await?)
    }
}

/// Keeps the handler out of the routers of programs that link this library.
const GROUP: &str = "dip listen";

#[expect(clippy::needless_pass_by_value, reason = "extractors are taken by value")]
#[handler(fallback, blocking, ordered = "connection", group = "dip listen")]
fn print(
    message: Unrouted,
    peer: Peer,
    State(format): State<Format>,
    server: Server,
) -> Result<(), Rejection> {
    let (mtype, size) = (message.mtype, message.body.len());
    let line = format.line(message, &peer).map_err(|error| {
        let text = classic::error_text(error.class(), error.text());
        // Who closes the standard error output does not want to know.
        let _ = writeln!(stderr(), "dip: refused type {mtype}, {size} bytes: {text}");
        Rejection::named(error.class(), error.text())
    })?;
    let mut out = stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    // Nobody reads what comes next either.
    Ok(written.inspect_err(|_| server.shutdown())?)
}

impl Format {
    fn line(&self, message: Unrouted, peer: &Peer) -> Result<Json, DecodeError> {
        let Unrouted { mtype, body } = message;
        let limits = DecodeLimits::for_body(body.len());
        let message = Any::decode(mtype, Body::from(body.clone()), &limits)?;
        let unknown = matches!(message, Any::Other(_));
        let name = self.names.iter().find(|name| name.mtype == mtype);
        if unknown && name.is_none() && !self.any {
            let which = mtype.as_byte().map_or(mtype.to_string(), |byte| byte.to_string());
            let text = format!("No protocol found in registry for message type: {which}");
            return Err(DecodeError::named("UnsupportedProtoError", text));
        }
        let id = peer.client_id().map(|id| id.to_string());
        let character = mtype.as_byte().map(|byte| char::from(byte).to_string());
        let mut line = json!({"id": id, "mtype": mtype.number(), "mtype_chr": character});
        if let Some(Name { name, .. }) = name {
            line["mtype_name"] = name.as_str().into();
        }
        if unknown || self.hex {
            line["body_hex"] = hex(&body).into();
        } else {
            line["value"] = to_tagged(&value_of(message));
        }
        Ok(line)
    }
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
