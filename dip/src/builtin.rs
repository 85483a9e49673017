//! The eleven messages of the Python package.
//!
//! | mtype | type | body |
//! |---|---|---|
//! | `O` | [`Stdout`] | UTF-8 |
//! | `E` | [`Stderr`] | UTF-8 |
//! | `P` | [`Pickle`] | a pickle, read as data and never executed |
//! | `J` | [`Json`] | JSON as Python reads and writes it |
//! | `D` | [`Dict`] | text fields, none of them registered |
//! | `H` | [`Header`] | text fields |
//! | `o` | [`SubtaskOut`] | text fields |
//! | `e` | [`SubtaskError`] | text fields |
//! | `U` | [`TaskUpdate`] | a list of framed `J` |
//! | `I` | [`TaskUpdateV2`] | a list of framed `J` |
//! | `0x1d` | [`SetConnectionId`] | 16 bytes; the server takes it itself |
//!
//! The generic ones hold any serde type: `Json<Progress>`. A built-in message that no handler takes
//! is decoded, acknowledged and counted. What is only known at run time is read with [`Any::decode`]
//! and written with [`encode`].
#![doc = include_str!("docs/deepfos.md")]

mod any;
mod untyped;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use any::Any;
pub use untyped::encode;

use crate::codec::{
    self, Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError, Newtype, Record, list,
};
use crate::mtype::Mtype;
use crate::protocol::{NoError, Once, Protocol, ProtocolEntry};
use crate::schema::{SchemaError, SchemaRecorder};
use crate::value::Value;

/// The mtypes of all built-in messages.
#[cfg(feature = "cli")]
pub(crate) const MTYPES: &[u8] = b"OEPJDHoeUI\x1d";

/// A line or a piece of what a worker printed on its standard output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stdout(pub String);

/// A line or a piece of what a worker printed on its standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stderr(pub String);

/// A pickled value of any serde type. Reading executes nothing; writing is plain data, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pickle<T = Value>(pub T);

/// A JSON value of any serde type; floats may be `NaN` and infinite, as Python sends them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Json<T = Value>(pub T);

/// Text fields, of which the package registers none: the only valid body is the empty one, and a
/// classic server does not answer that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dict {}

/// The heading of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Header {
    /// The text of the heading.
    pub header: Option<String>,
}

/// What a part of a task printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubtaskOut {
    /// Which part: the argument it was started with.
    pub arg: Option<String>,
    /// What it printed.
    pub subtask_out: Option<String>,
}

/// The error that a part of a task ended with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubtaskError {
    /// Which part: the argument it was started with.
    pub arg: Option<String>,
    /// The error.
    pub subtask_err: Option<String>,
}

/// The states of tasks, each a JSON value of any serde type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TaskUpdate<T = Value>(pub Vec<T>);

/// The states of tasks, second version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TaskUpdateV2<T = Value>(pub Vec<T>);

/// The id that a client claims for its connection. The server takes it itself; no handler sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SetConnectionId(pub Uuid);

macro_rules! protocol {
    ($M:ty, $mtype:literal, $Codec:ty $(; $T:ident)?) => {
        impl $(<$T: Serialize + DeserializeOwned + Send + 'static>)? Protocol for $M {
            const MTYPE: Mtype = Mtype::byte($mtype);
            type Codec = $Codec;
            type Reply = ();
            type Error = NoError;
            type ReplyCodec = codec::Unit;
            type Shape = Once;
        }
    };
}

protocol!(Stdout, b'O', codec::Text);
protocol!(Stderr, b'E', codec::Text);
protocol!(Pickle<T>, b'P', Inner<codec::Pickle>; T);
protocol!(Json<T>, b'J', Inner<codec::Json>; T);
protocol!(Dict, b'D', codec::Fields);
protocol!(Header, b'H', codec::Fields);
protocol!(SubtaskOut, b'o', codec::Fields);
protocol!(SubtaskError, b'e', codec::Fields);
protocol!(TaskUpdate<T>, b'U', Updates; T);
protocol!(TaskUpdateV2<T>, b'I', Updates; T);
protocol!(SetConnectionId, 0x1d, SixteenBytes);

macro_rules! register {
    ($($M:ty),+) => {
        $(crate::private::inventory::submit! { ProtocolEntry::of::<$M>().builtin() })+
    };
}

register!(Stdout, Stderr, Pickle, Json, Dict, Header, SubtaskOut, SubtaskError);
register!(TaskUpdate, TaskUpdateV2, SetConnectionId);

macro_rules! newtype {
    ($M:ty, $Inner:ty $(; $T:ident)?) => {
        impl $(<$T>)? Newtype for $M {
            type Inner = $Inner;

            fn wrap(inner: $Inner) -> Self {
                Self(inner)
            }

            fn inner(&self) -> &$Inner {
                &self.0
            }
        }
    };
}

newtype!(Stdout, String);
newtype!(Stderr, String);
newtype!(Pickle<T>, T; T);
newtype!(Json<T>, T; T);
newtype!(TaskUpdate<T>, Vec<T>; T);
newtype!(TaskUpdateV2<T>, Vec<T>; T);

macro_rules! record {
    ($M:ident { $($field:ident),* }) => {
        impl $M {
            /// The names of its fields, by index.
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];
        }

        impl Record for $M {
            fn fields(&self) -> impl AsRef<[Option<&str>]> {
                let fields: [Option<&str>; Self::FIELDS.len()] =
                    [$(self.$field.as_deref()),*];
                fields
            }

            #[allow(unused_variables, reason = "one of them has no field")]
            fn from_fields(next: &mut dyn FnMut() -> Option<String>) -> Self {
                Self { $($field: next()),* }
            }
        }
    };
}

record!(Dict {});
record!(Header { header });
record!(SubtaskOut { arg, subtask_out });
record!(SubtaskError { arg, subtask_err });

/// The field of a newtype by the codec `C`, instead of the struct.
#[doc(hidden)]
#[derive(Debug)]
pub struct Inner<C>(std::marker::PhantomData<C>);

#[diagnostic::do_not_recommend]
impl<N: Newtype, C: Codec<N::Inner>> Codec<N> for Inner<C> {
    fn encode(value: &N, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        C::encode(value.inner(), body)
    }

    fn decode(body: Body<'_>, limits: &DecodeLimits) -> Result<N, DecodeError> {
        C::decode(body, limits).map(N::wrap)
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        C::schema(record)
    }
}

/// A list of `J` frames.
#[doc(hidden)]
#[derive(Debug)]
pub enum Updates {}

#[diagnostic::do_not_recommend]
impl<L, T> Codec<L> for Updates
where
    L: Newtype<Inner = Vec<T>>,
    T: Serialize + DeserializeOwned,
{
    fn encode(value: &L, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        list::encode_elements(b'J', value.inner(), <codec::Json as Codec<T>>::encode, body)
    }

    fn decode(body: Body<'_>, limits: &DecodeLimits) -> Result<L, DecodeError> {
        list::decode_elements(b'J', <codec::Json as Codec<T>>::decode, body, limits).map(L::wrap)
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        list::record_elements(b'J', <codec::Json as Codec<T>>::schema, record)
    }
}

/// A UUID as its 16 bytes.
#[doc(hidden)]
#[derive(Debug)]
pub enum SixteenBytes {}

#[diagnostic::do_not_recommend]
impl Codec<SetConnectionId> for SixteenBytes {
    fn encode(value: &SetConnectionId, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        body.extend_from_slice(value.0.as_bytes());
        Ok(())
    }

    fn decode(body: Body<'_>, _: &DecodeLimits) -> Result<SetConnectionId, DecodeError> {
        Uuid::from_slice(&body)
            .map(SetConnectionId)
            .map_err(|_| DecodeError::named("ValueError", "bytes is not a 16-char string"))
    }
}
