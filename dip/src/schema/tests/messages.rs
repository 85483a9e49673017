//! The schemas of messages: golden, for programs of other versions compute the same.

use crate::Mtype;
use crate::builtin::{
    self, Dict, Header, SetConnectionId, Stderr, Stdout, SubtaskError, SubtaskOut,
};
use crate::codec::{
    self, Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError, Newtype, Record,
};
use crate::schema::{Schema, SchemaError, SchemaRecorder};
use crate::{NoError, Once, Protocol};

macro_rules! message {
    ($M:ty, $Codec:ty) => {
        impl Protocol for $M {
            const MTYPE: Mtype = Mtype::byte(b'X');
            type Codec = $Codec;
            type Reply = ();
            type Error = NoError;
            type ReplyCodec = codec::Unit;
            type Shape = Once;
        }
    };
}

macro_rules! newtype {
    ($N:ident($Inner:ty)) => {
        struct $N($Inner);

        impl Newtype for $N {
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

#[track_caller]
fn assert_schema<M: Protocol>(name: &str, body: &str, fingerprint: u64) {
    let schema = Schema::of::<M>();
    let error = if cfg!(feature = "bincode") { "bincode enum()" } else { "opaque NoError" };
    let text = format!("dip schema 1\nmessage {name}\nbody {body}\nreply unit\nerror {error}\n");
    assert_eq!(schema.text(), text);
    assert_eq!(schema.to_string(), text);
    if cfg!(feature = "bincode") {
        assert_eq!(schema.fingerprint(), fingerprint, "{:#018x} {text}", schema.fingerprint());
    }
}

#[test]
fn the_builtin_messages_have_the_schemas_of_every_version() {
    assert_schema::<Stdout>("Stdout", "text", 0x6088_2b4d_8377_5c00);
    assert_schema::<Stderr>("Stderr", "text", 0xd753_45ed_f6ed_5983);
    assert_schema::<builtin::Pickle>("Pickle", "pickle _", 0x5f54_5b01_21f3_ffd5);
    assert_schema::<builtin::Json>("Json", "json _", 0x8c7b_996b_05cf_7046);
    assert_schema::<Dict>("Dict", "fields 0", 0x375e_c8e1_4640_4736);
    assert_schema::<Header>("Header", "fields 1", 0x6c43_f5a7_f693_256f);
    assert_schema::<SubtaskOut>("SubtaskOut", "fields 2", 0xd784_f245_e3d6_3898);
    assert_schema::<SubtaskError>("SubtaskError", "fields 2", 0x3c1a_6cbd_fbb7_6553);
    assert_schema::<builtin::TaskUpdate>("TaskUpdate", "list 0x4a json _", 0xac80_8789_931a_3732);
    assert_schema::<builtin::TaskUpdateV2>(
        "TaskUpdateV2",
        "list 0x4a json _",
        0x7bfe_c253_1234_243b,
    );
    assert_schema::<SetConnectionId>("SetConnectionId", "SixteenBytes", 0x924a_a329_b01c_8055);
}

#[cfg(feature = "bincode")]
#[test]
fn the_reply_and_the_error_have_shapes_of_their_own() {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Sum {
        numbers: Vec<i64>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    enum SumError {
        Overflow,
        Invalid { number: i64 },
    }

    impl std::fmt::Display for SumError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no sum")
        }
    }

    impl std::error::Error for SumError {}

    impl Protocol for Sum {
        const MTYPE: Mtype = Mtype::name("math.sum");
        type Codec = codec::Json;
        type Reply = Option<i64>;
        type Error = SumError;
        type ReplyCodec = codec::Bincode;
        type Shape = Once;
    }

    let schema = Schema::of::<Sum>();
    assert_eq!(
        schema.text(),
        "dip schema 1\n\
         message Sum\n\
         body json struct(numbers)\n\
         reply bincode option(i64)\n\
         error bincode enum(Overflow unit, Invalid struct(number i64))\n"
    );
    assert_eq!(schema.fingerprint(), 0xc0ec_05ca_e2f8_9e2a);
}

newtype!(Bytes(bytes::Bytes));
message!(Bytes, codec::Raw);

newtype!(Lines(Vec<Stdout>));
message!(Lines, codec::List);

newtype!(Endless(Vec<Endless>));
message!(Endless, codec::List);

struct Panics;

impl Record for Panics {
    fn fields(&self) -> impl AsRef<[Option<&str>]> {
        []
    }

    fn from_fields(_: &mut dyn FnMut() -> Option<String>) -> Self {
        panic!("no")
    }
}

message!(Panics, codec::Fields);

#[test]
fn each_codec_says_what_it_is() {
    assert_schema::<Bytes>("Bytes", "raw", 0x0b08_a83f_f0ca_1034);
    assert_schema::<Lines>("Lines", "list 0x4f text", 0xcc2d_b3ef_4b16_fda4);
}

#[test]
fn a_codec_that_cannot_say_how_it_writes_a_message_is_opaque() {
    assert_schema::<Endless>("Endless", "opaque List", 0xc9f6_050e_9d94_621c);
    assert_schema::<Panics>("Panics", "opaque Fields", 0xb15d_b3c4_61db_7982);
}

macro_rules! codec_by_hand {
    ($C:ident $(, $schema:item)?) => {
        struct $C;

        impl<T> Codec<T> for $C {
            fn encode(_: &T, _: &mut BodyMut<'_>) -> Result<(), EncodeError> {
                Ok(())
            }

            fn decode(_: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
                Err(DecodeError::new("nothing is read"))
            }

            $($schema)?
        }
    };
}

codec_by_hand!(Silent);
codec_by_hand!(
    Speaking,
    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name("cbor")?;
        record.name("version 2")?;
        record.types::<(u8, String)>()
    }
);
codec_by_hand!(
    Refusing,
    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name("cbor")?;
        Err(SchemaError::new("it is not known"))
    }
);
codec_by_hand!(
    Babbling,
    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        loop {
            record.name("bla")?;
        }
    }
);

struct Carried<C>(std::marker::PhantomData<C>);

impl<C: Codec<Self> + Send> Protocol for Carried<C> {
    const MTYPE: Mtype = Mtype::byte(b'X');
    type Codec = C;
    type Reply = ();
    type Error = NoError;
    type ReplyCodec = codec::Unit;
    type Shape = Once;
}

#[test]
fn a_codec_by_hand_is_its_name_or_what_it_says() {
    assert_schema::<Carried<Silent>>("\"Carried<Silent>\"", "Silent", 0x3ef7_1d71_fdcf_74ee);
    assert_schema::<Carried<Speaking>>(
        "\"Carried<Speaking>\"",
        "cbor \"version 2\" tuple(u8, str)",
        0x0fad_0fba_82d6_f00f,
    );
    assert_schema::<Carried<Refusing>>(
        "\"Carried<Refusing>\"",
        "opaque Refusing",
        0xb902_2858_564e_1d3b,
    );
    assert_schema::<Carried<Babbling>>(
        "\"Carried<Babbling>\"",
        "opaque Babbling",
        0xc196_f1d7_ba59_3b53,
    );
}
