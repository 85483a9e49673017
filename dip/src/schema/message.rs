//! The schema of a message.

use std::any::type_name;
use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest, Sha256};

use super::{ALGORITHM, SchemaError, SchemaRecorder, name};
use crate::codec::Codec;
use crate::protocol::Protocol;

#[doc = include_str!("../docs/changing.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    text: String,
    fingerprint: u64,
}

impl Schema {
    /// The schema of `M`.
    ///
    /// Runs the `Deserialize` of the types in it, without a value to read. One that panics ends the
    /// program in a `panic = "abort"` build; otherwise the panic hook says so, and the type is opaque.
    pub fn of<M: Protocol>() -> Self {
        let mut text = format!("dip schema {ALGORITHM}\nmessage ");
        name::write(&name::short(type_name::<M>()), &mut text);
        for (part, written) in [
            ("body", record::<M::Codec>(<M::Codec as Codec<M>>::schema)),
            ("reply", record::<M::ReplyCodec>(<M::ReplyCodec as Codec<M::Reply>>::schema)),
            ("error", error::<M>()),
        ] {
            _ = write!(text, "\n{part} {written}");
        }
        text.push('\n');
        let fingerprint = fingerprint(&text);
        Self { text, fingerprint }
    }

    /// The canonical text, written as the [module](crate::schema) says: what to compare when two
    /// programs do not agree on a type.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What programs send each other instead of the text: the first eight bytes of its SHA-256,
    /// big-endian.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// The canonical text.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a codec says, or its name if it can't.
fn record<C>(schema: fn(&mut SchemaRecorder) -> Result<(), SchemaError>) -> String {
    let recorded = catch_unwind(AssertUnwindSafe(|| {
        let mut recorder = SchemaRecorder::default();
        schema(&mut recorder).map(|()| recorder.into_text())
    }));
    match recorded {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => {
            tracing::debug!(codec = type_name::<C>(), %error, "a schema is only the codec's name");
            opaque::<C>()
        }
        Err(panic) => {
            // Its drop may panic, too.
            std::mem::forget(panic);
            opaque::<C>()
        }
    }
}

fn opaque<T>() -> String {
    let mut text = "opaque ".to_owned();
    name::write(&name::short(type_name::<T>()), &mut text);
    text
}

/// Errors travel as bincode.
#[cfg(feature = "bincode")]
fn error<M: Protocol>() -> String {
    use crate::codec::Bincode;

    record::<Bincode>(<Bincode as Codec<M::Error>>::schema)
}

#[cfg(not(feature = "bincode"))]
fn error<M: Protocol>() -> String {
    opaque::<M::Error>()
}

fn fingerprint(text: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(text).into();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
