//! Where messages and handlers may be: in modules, in functions, behind `use` and behind `#[cfg]`.
#![forbid(unsafe_code)]

use dip::Router;

mod note {
    use dip::{Protocol, handler};
    use serde::{Deserialize, Serialize};

    pub mod messages {
        use super::*;

        #[derive(Serialize, Deserialize, Protocol)]
        #[mtype(b'N')]
        pub struct Note {
            pub text: String,
        }
    }

    // The names that the expansion uses inside are no names of the user's.
    #[handler]
    pub async fn note(messages::Note { text: request }: messages::Note) {
        println!("{request}");
    }
}

// A function of the same name as its module.
use note::note;

mod reply {
    #[derive(serde::Serialize, serde::Deserialize, dip::Protocol)]
    #[mtype(b'R')]
    pub enum Reply {
        Yes,
        No(u8),
        Maybe { why: String },
    }

    #[dip::handler]
    pub async fn request(message: Reply) {
        match message {
            Reply::Yes => {}
            Reply::No(code) => println!("{code}"),
            Reply::Maybe { why } => println!("{why}"),
        }
    }
}

use reply::request as answer;

#[derive(dip::Protocol)]
#[mtype(b'U')]
#[cfg(any())]
struct NotThere;

#[dip::handler]
#[cfg(any())]
async fn not_there(_: NotThere) {}

#[dip::handler(group = "unix")]
#[cfg(unix)]
#[doc = "Documented, and lints allowed."]
#[allow(clippy::unused_async)]
async fn there(_: dip::builtin::Stdout) {}

macro_rules! message {
    ($Name:ident, $mtype:literal, $handler:ident) => {
        #[derive(serde::Serialize, serde::Deserialize, dip::Protocol)]
        #[mtype($mtype)]
        struct $Name(u8);

        #[dip::handler(group = "macro")]
        async fn $handler(message: $Name) {
            println!("{}", message.0);
        }
    };
}

message!(Made, b'M', made);
message!(MadeToo, "made.too", made_too);

fn main() {
    #[derive(serde::Serialize, serde::Deserialize, dip::Protocol)]
    #[mtype(b'L')]
    struct Local;

    #[dip::handler]
    async fn local(_: Local) {}

    let router = Router::new().handler(note).handler(answer).handler(local).handler(there);
    assert_eq!(router.handlers().count(), 4);
    assert_eq!(Router::linked().handlers().count(), 3);
    assert_eq!(Router::group("macro").handlers().count(), 2);
}
