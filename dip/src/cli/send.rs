//! `dip send`: send one message and wait for its acknowledgement.

use std::io::{Read, Write, stdout};
use std::time::Duration;

use clap::Args;
use uuid::Uuid;

use super::hex::{hex, unhex};
use super::{Failure, WireArgument, tagged};
use crate::codec::{Body, BodyMut, Codec, DecodeLimits, EncodeError, Json};
use crate::wire::classic::SET_CONNECTION_ID;
use crate::{Address, Client, Mtype, Value, builtin};

/// Send one message to ADDRESS and wait; exits with 0 when it was acknowledged.
///
/// VALUE is JSON, with {"$type": …} for what JSON can't express; a custom MTYPE needs --raw or --hex. With either of them, a reply that has bytes is printed in the same way.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// A path, tcp:HOST:PORT or fd:N
    address: Address,
    /// A character, 0xNN, or a name of two characters or more, which the native wire carries
    #[arg(value_parser = mtype)]
    mtype: Mtype,
    /// The value; @FILE reads it from a file, - from standard input
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// Send VALUE as the bytes of the body, print the reply as it is
    #[arg(long, conflicts_with = "hex")]
    raw: bool,
    /// Send the bytes that VALUE spells in hexadecimal digits, print the reply in such digits
    #[arg(long)]
    hex: bool,
    /// The id of the connection; a random one unless given
    #[arg(long)]
    id: Option<Uuid>,
    /// Send no id
    #[arg(long, conflicts_with = "id")]
    no_id: bool,
    /// How long to wait for everything together: 500ms, 2s
    #[arg(long, default_value = "5s", value_parser = duration)]
    timeout: Duration,
    /// Speak this wire only; the one that the server speaks unless given, for which a Python server is
    /// asked and logs an error
    #[arg(long, value_enum)]
    wire: Option<WireArgument>,
}

impl Send {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let body = self.body()?;
        let id = if self.no_id { None } else { Some(self.id.unwrap_or_else(Uuid::new_v4)) };
        let builder =
            Client::builder(self.address.clone()).id(id).timeout(self.timeout).pool_size(1);
        let builder = match self.wire {
            Some(wire) => builder.wire(wire.into()),
            None => builder,
        };
        let client = builder.connect().await?;
        let reply = client.call_raw(self.mtype, body).await.map_err(crate::Error::from)?;
        self.print(&reply).map_err(crate::Error::from)?;
        Ok(client.close().await?)
    }

    /// Who sends a value of a type that is built in waits for an acknowledgement and nothing else.
    fn print(&self, reply: &[u8]) -> std::io::Result<()> {
        let mut out = stdout().lock();
        match (self.raw, self.hex) {
            _ if reply.is_empty() => Ok(()),
            (true, _) => out.write_all(reply),
            (_, true) => writeln!(out, "{}", hex(reply)),
            _ => Ok(()),
        }?;
        out.flush()
    }

    fn body(&self) -> Result<Vec<u8>, Failure> {
        let bytes = match self.value.strip_prefix('@') {
            Some(path) => std::fs::read(path)
                .map_err(|error| Failure::Usage(format!("VALUE: cannot read {path}: {error}")))?,
            None if self.value == "-" => {
                let mut bytes = Vec::new();
                std::io::stdin().read_to_end(&mut bytes).map_err(crate::Error::from)?;
                bytes
            }
            None => self.value.clone().into_bytes(),
        };
        if self.raw {
            return Ok(bytes);
        }
        if self.hex {
            return unhex(bytes.trim_ascii())
                .ok_or_else(|| Failure::Usage("VALUE: --hex wants pairs of 0-9 and a-f".into()));
        }
        let limits = DecodeLimits::for_body(bytes.len());
        let json: Value = Json::decode(Body::from(&*bytes), &limits).map_err(|error| {
            let hint = "quote a text: '\"hello\"', or use --raw";
            Failure::Usage(format!("VALUE is not JSON: {}; {hint}", error.text()))
        })?;
        let value = tagged::from_tagged(&json)
            .map_err(|error| Failure::Usage(format!("VALUE: {error}")))?;
        let mtype = self.mtype;
        let builtin = mtype.as_byte().filter(|byte| builtin::MTYPES.contains(byte));
        if builtin.is_none_or(|byte| byte == SET_CONNECTION_ID) {
            let text = match mtype.as_byte() {
                Some(_) => format!("a message of type {mtype} needs --raw or --hex"),
                None => "a message whose type has a name needs --raw or --hex".into(),
            };
            return Err(Failure::Usage(text));
        }
        if builtin == Some(b'D') && value.as_dict().is_some_and(|fields| !fields.is_empty()) {
            return Err(Failure::Usage("VALUE: a message of type D has no fields".into()));
        }
        let mut out = Vec::new();
        let mut body = BodyMut::new(&mut out, u32::MAX as usize);
        let encoded = builtin::encode(mtype, &value, &mut body).and_then(|()| body.finish());
        let refused = |error: EncodeError| Failure::Usage(format!("VALUE: {}", error.text()));
        encoded.map_err(refused).map(|()| out)
    }
}

fn mtype(text: &str) -> Result<Mtype, String> {
    let byte = match (text.strip_prefix("0x"), text.as_bytes()) {
        (Some(digits), _) if digits.starts_with('+') => None,
        (Some(digits), _) => u8::from_str_radix(digits, 16).ok(),
        (None, &[byte]) => Some(byte),
        (None, _) => return Mtype::named(text).ok_or_else(|| NO_MTYPE.into()),
    };
    byte.map(Mtype::byte).ok_or_else(|| NO_MTYPE.into())
}

const NO_MTYPE: &str =
    "a type is one ASCII character, 0xNN, or a name of a-z, 0-9, '.', '_' and '-'";

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and ms or s: 500ms, 2s".to_owned();
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, 1.0),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}
