//! The macros by example; the procedural ones are in `dip-derive`.

/// A server in one line: binds the address and serves the handlers linked into the program.
///
/// `serve!(ADDRESS, key = value, …)` is
/// [`Server::builder(ADDRESS)`](crate::Server::builder)`.key(value)….serve()`: each key is a method
/// of the [`ServerBuilder`](crate::ServerBuilder). One key is not: `link = [jobs, metrics]` names
/// crates whose handlers are to be linked in, as `use jobs as _;` does. Await what it returns.
///
/// ```rust,no_run,standalone_crate
/// # mod jobs {}
/// # #[derive(Clone)]
/// # struct Db;
/// #[tokio::main]
/// async fn main() -> dip::Result<()> {
///     dip::serve!("/tmp/run.sock", state = Db, insecure_no_auth = false, link = [jobs]).await
/// }
/// ```
#[macro_export]
macro_rules! serve {
    ($address:expr $(, $($option:tt)*)?) => {
        $crate::serve!(@ [$crate::Server::builder($address)] [] $($($option)*)?)
    };
    (@ [$($builder:tt)*] [$($link:path,)*]) => {{
        $(use $link as _;)*
        $($builder)*.serve()
    }};
    (@ [$($builder:tt)*] [$($link:tt)*] link = [$($more:path),* $(,)?] $(, $($option:tt)*)?) => {
        $crate::serve!(@ [$($builder)*] [$($link)* $($more,)*] $($($option)*)?)
    };
    (@ [$($builder:tt)*] $link:tt $key:ident = $value:expr $(, $($option:tt)*)?) => {
        $crate::serve!(@ [$($builder)*.$key($value)] $link $($($option)*)?)
    };
    (@ $builder:tt $link:tt $key:ident $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($key), "` wants a value: write `", ::core::stringify!($key), " = …`"
        ))
    };
}

/// Registers a message type whose [`Protocol`](crate::Protocol) is written by hand.
///
/// ```rust,standalone_crate
/// use dip::codec::{Text, Unit};
/// use dip::{Mtype, NoError, Once, Protocol};
///
/// struct Line(String);
/// # impl dip::codec::Newtype for Line {
/// #     type Inner = String;
/// #     fn wrap(inner: String) -> Self { Line(inner) }
/// #     fn inner(&self) -> &String { &self.0 }
/// # }
///
/// impl Protocol for Line {
///     const MTYPE: Mtype = Mtype::byte(b'L');
///     type Codec = Text;
///     type Reply = ();
///     type Error = NoError;
///     type ReplyCodec = Unit;
///     type Shape = Once;
/// }
///
/// dip::register!(Line);
/// ```
#[macro_export]
macro_rules! register {
    ($Message:ty) => {
        const _: () = {
            $crate::private::inventory::submit! {
                $crate::private::ProtocolEntry::of::<$Message>()
            }
        };
    };
}

/// The static that no second message type can export under its name: what makes a duplicate a
/// compile error in one crate and a link error in two.
///
/// `--cfg dip_no_link_check` is looked at here and not in the expansion, which is compiled with the
/// configuration of the user's crate.
#[doc(hidden)]
#[macro_export]
#[cfg(not(dip_no_link_check))]
macro_rules! __claim {
    ($CLAIM:ident = $symbol:literal) => {
        #[unsafe(export_name = $symbol)]
        static $CLAIM: $crate::private::Claim = $crate::private::Claim::NEW;
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(dip_no_link_check)]
macro_rules! __claim {
    ($CLAIM:ident = $symbol:literal) => {
        static $CLAIM: $crate::private::Claim = $crate::private::Claim::NEW;
    };
}
