//! The macros by example; the procedural ones are in `dip-derive`.

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
