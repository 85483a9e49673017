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
