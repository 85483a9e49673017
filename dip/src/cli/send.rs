//! `dip send`: send one message and wait for its acknowledgement.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use uuid::Uuid;

use super::{Failure, WireArgument};
use crate::codec::{self, Body, BodyMut, Codec, DecodeLimits, EncodeError};
use crate::wire::classic::SET_CONNECTION_ID;
use crate::{Address, Client, Mtype, Value, builtin, tagged};

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
        // As the package reads it: in order, with all digits of integers, with NaN.
        let json =
            <codec::Json as Codec<Value>>::decode(Body::from(Bytes::from(bytes)), &limits)
                .map_err(|error| Failure::Usage(format!("VALUE is not JSON: {}", error.text())))?;
        let value =
            tagged::untag(&json).map_err(|error| Failure::Usage(format!("VALUE: {error}")))?;
        let mtype = Mtype::byte(self.mtype);
        if !builtin::MTYPES.contains(&self.mtype) || self.mtype == SET_CONNECTION_ID {
            return Err(Failure::Usage(format!("a message of type {mtype} needs --raw or --hex")));
        }
        let mut out = Vec::new();
        let mut body = BodyMut::new(&mut out, u32::MAX as usize);
        let encoded = builtin::encode(mtype, &value, &mut body).and_then(|()| body.finish());
        let refused = |error: EncodeError| Failure::Usage(format!("VALUE: {}", error.text()));
        encoded.map_err(refused).map(|()| out)
    }
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
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
