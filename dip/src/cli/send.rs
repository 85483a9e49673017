//! `dip send`: send one message and wait for its acknowledgement.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use uuid::Uuid;

use super::hex::unhex;
use super::{Failure, WireArgument, tagged};
use crate::codec::{Body, BodyMut, Codec, DecodeLimits, EncodeError, Json};
use crate::wire::classic::SET_CONNECTION_ID;
use crate::{Address, Client, Mtype, Value, builtin};

/// Send one message to ADDRESS and wait; exits with 0 when it was acknowledged.
///
/// VALUE is JSON, with {"$type": …} for what JSON can't express; a custom MTYPE needs --raw or --hex.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// A path, unix:PATH or tcp:HOST:PORT
    address: Address,
    /// A character or 0xNN
    #[arg(value_parser = mtype)]
    mtype: u8,
    /// The value; @FILE reads it from a file, - from standard input
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// Send VALUE as the bytes of the body
    #[arg(long, conflicts_with = "hex")]
    raw: bool,
    /// Send the bytes that VALUE spells in hexadecimal digits
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
    /// Speak this wire only
    #[arg(long, value_enum, default_value = "classic")]
    wire: WireArgument,
}

impl Send {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let body = self.body()?;
        let id = if self.no_id { None } else { Some(self.id.unwrap_or_else(Uuid::new_v4)) };
        let client = Client::builder(self.address)
            .id(id)
            .timeout(self.timeout)
            .pool_size(1)
            .wire(self.wire.into())
            .connect()
            .await?;
        client.send_raw(Mtype::byte(self.mtype), body).await.map_err(crate::Error::from)?;
        Ok(client.close().await?)
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
        let mtype = Mtype::byte(self.mtype);
        if !builtin::MTYPES.contains(&self.mtype) || self.mtype == SET_CONNECTION_ID {
            return Err(Failure::Usage(format!("a message of type {mtype} needs --raw or --hex")));
        }
        if self.mtype == b'D' && value.as_dict().is_some_and(|fields| !fields.is_empty()) {
            return Err(Failure::Usage("VALUE: a message of type D has no fields".into()));
        }
        let mut out = Vec::new();
        let mut body = BodyMut::new(&mut out, u32::MAX as usize);
        let encoded = builtin::encode(mtype, &value, &mut body).and_then(|()| body.finish());
        let refused = |error: EncodeError| Failure::Usage(format!("VALUE: {}", error.text()));
        encoded.map_err(refused).map(|()| out)
    }
}

fn mtype(text: &str) -> Result<u8, String> {
    let byte = match text.strip_prefix("0x") {
        Some(digits) if digits.starts_with('+') => None,
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => match text.as_bytes() {
            &[byte] => Some(byte),
            _ => None,
        },
    };
    byte.ok_or_else(|| "a type is one ASCII character or 0xNN (names need the native wire)".into())
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and ms or s: 500ms, 2s".to_owned();
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, 1.0),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}
