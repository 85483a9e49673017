//! What a change of a message does: the table of the page "Changing a message", row by row.

use dip::Protocol;
use dip::schema::Schema;

const PAGE: &str = include_str!("../../dip/src/docs/changing.md");

#[test]
fn each_row_of_the_table_is_true() {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")).skip(1);
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").collect()).collect();
    let word = |same| if same { "works" } else { "refused" };
    let tried = CHANGES
        .iter()
        .map(|(change, bincode, json)| vec![*change, word(bincode()), word(json())])
        .collect::<Vec<_>>();
    assert_eq!(rows, tried);
}

/// What a version of a message is, unless it says otherwise.
mod usual {
    pub(super) const NAME: &str = "note";
    pub(super) const MAX_LEN: Option<u32> = None;
    pub(super) const IDEMPOTENT: bool = false;
    pub(super) use dip::NoError as Error;
    pub(super) type Reply = ();
    pub(super) type ReplyCodec = dip::codec::Unit;
}

fn same<Old: Protocol, New: Protocol>() -> bool {
    let (old, new) = (Schema::of::<Old>(), Schema::of::<New>());
    assert_eq!(old.text() == new.text(), old.fingerprint() == new.fingerprint());
    old.fingerprint() == new.fingerprint()
}

/// Each change with both versions of a message, by two codecs: a function that says whether they are
/// the same to programs that compare them.
macro_rules! changes {
    ($($change:literal { $($old:tt)* } { $($new:tt)* })*) => {
        &[$((
            $change,
            {
                changes!(@ old Bincode $($old)*);
                changes!(@ new Bincode $($new)*);
                same::<old::Message, new::Message>
            },
            {
                changes!(@ old Json $($old)*);
                changes!(@ new Json $($new)*);
                same::<old::Message, new::Message>
            },
        )),*]
    };
    (@ $version:ident $Codec:ident $($items:tt)*) => {
        #[allow(unused_imports, dead_code, reason = "not every version uses all of the usual")]
        mod $version {
            use serde::{Deserialize, Serialize};

            use crate::schema::usual::*;
            use usual_codec::*;

            mod usual_codec {
                pub(super) use dip::codec::$Codec as Codec;
            }

            $($items)*

            impl dip::Protocol for Message {
                const MTYPE: dip::Mtype = dip::Mtype::name(NAME);
                const MAX_LEN: Option<u32> = MAX_LEN;
                const IDEMPOTENT: bool = IDEMPOTENT;
                type Codec = Codec;
                type Reply = Reply;
                type Error = Error;
                type ReplyCodec = ReplyCodec;
                type Shape = dip::Once;
            }
        }
    };
}

type Change = (&'static str, fn() -> bool, fn() -> bool);

const CHANGES: &[Change] = changes! {
    "rename a field"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String, size: u32 } }
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String, len: u32 } }

    "add a field"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String, size: u32 } }

    "add a field with `#[serde(default)]`"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message {
            text: String,
            #[serde(default)]
            size: u32,
        }
    }

    "remove a field"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String, size: u32 } }
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { size: u32 } }

    "reorder fields"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String, size: u32 } }
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { size: u32, text: String } }

    "change the type of a field"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String, size: u32 } }
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String, size: u64 } }

    "put a field into an `Option` or a `Vec`"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String, size: u32 } }
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: Vec<String>, size: Option<u32> } }

    "put a newtype around a field"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String, size: u32 } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String, size: Size }
        #[derive(Serialize, Deserialize)]
        struct Size(u32);
    }

    "add a `#[serde(alias)]`"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message {
            #[serde(alias = "note")]
            text: String,
        }
    }

    "rename a field in Rust, with its old name in `#[serde(rename)]`"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message {
            #[serde(rename = "text")]
            note: String,
        }
    }

    "rename a variant"
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Start, Stop } }
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Start, End } }

    "add a variant"
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Start } }
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Start, Stop } }

    "remove a variant"
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Start, Stop } }
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Stop } }

    "reorder variants"
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Start, Stop } }
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Stop, Start } }

    "give a variant something to hold"
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Start, Stop } }
    { #[derive(Serialize, Deserialize)] pub(super) enum Message { Start(u32), Stop(bool, String) } }

    "rename the message"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Note { text: String }
        pub(super) type Message = Note;
    }

    "rename a type in the message"
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { from: Person }
        #[derive(Serialize, Deserialize)]
        struct Person { name: String }
    }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { from: Sender }
        #[derive(Serialize, Deserialize)]
        struct Sender { name: String }
    }

    "do any of this to a type in the message"
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { from: Vec<Option<Person>> }
        #[derive(Serialize, Deserialize)]
        struct Person { name: String }
    }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { from: Vec<Option<Person>> }
        #[derive(Serialize, Deserialize)]
        struct Person { label: String }
    }

    "move a type to another module or crate"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        pub(super) use elsewhere::Message;
        mod elsewhere {
            #[derive(serde::Serialize, serde::Deserialize)]
            pub(in super::super) struct Message { text: String }
        }
    }

    "change the type of the reply"
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        type Reply = u32;
        type ReplyCodec = Codec;
    }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        type Reply = u64;
        type ReplyCodec = Codec;
    }

    "declare a reply"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        type Reply = u64;
        type ReplyCodec = Codec;
    }

    "declare an error"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        use crate::schema::errors::Full as Error;
    }

    "add a variant to the error"
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        use crate::schema::errors::Full as Error;
    }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        use crate::schema::errors::FullOrBroken as Error;
    }

    "rename the type of the error"
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        use crate::schema::errors::Full as Error;
    }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        use crate::schema::errors::NoRoom as Error;
    }

    "change the codec"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        use dip::codec::Pickle as Codec;
    }

    "change the mtype"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        const NAME: &str = "note.v2";
    }

    "change `max_len`, `deadline` or `idempotent`"
    { #[derive(Serialize, Deserialize)] pub(super) struct Message { text: String } }
    {
        #[derive(Serialize, Deserialize)]
        pub(super) struct Message { text: String }
        const MAX_LEN: Option<u32> = Some(100);
        const IDEMPOTENT: bool = true;
    }
};

mod errors {
    macro_rules! errors {
        ($($Error:ident { $($variant:ident),* })*) => {$(
            #[derive(Debug, serde::Serialize, serde::Deserialize)]
            pub(super) enum $Error { $($variant),* }

            impl std::fmt::Display for $Error {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("no room")
                }
            }

            impl std::error::Error for $Error {}
        )*};
    }

    errors! {
        Full { Full }
        FullOrBroken { Full, Broken }
        NoRoom { Full }
    }
}
