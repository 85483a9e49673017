//! Why a message was refused, and whether its handler had begun: what an ERROR frame says in numbers.

/// Writes the enum and both of its directions from one table.
macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $number:literal,)+) => {
        /// Why a message was refused: the codes of the native wire.
        ///
        /// ```
        /// assert_eq!(dip::Code::Overloaded.number(), 7);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])+ $name,)+
            /// A code of a later version; [`number`](Self::number) is that of the wire.
            #[non_exhaustive]
            Unknown(u16),
        }

        impl Code {
            /// The number that stands for this code on the native wire.
            pub fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)+
                    Self::Unknown(number) => number,
                }
            }

            /// The code that this number stands for on the native wire.
            ///
            /// ```
            /// use dip::Code;
            ///
            /// assert_eq!(Code::from_number(9), Code::Deadline);
            /// assert_eq!(Code::from_number(900).number(), 900);
            /// ```
            pub fn from_number(number: u16) -> Self {
                match number {
                    $($number => Self::$name,)+
                    number => Self::Unknown(number),
                }
            }
        }
    };
}

codes! {
    /// The application's declared error.
    App = 1,
    /// No type is known under the mtype.
    UnknownType = 2,
    /// The type is known, nobody handles it.
    NoHandler = 3,
    /// The body is longer than the receiver accepts.
    TooLarge = 4,
    /// The body does not hold a message of its type.
    Decode = 5,
    /// The two sides know different versions of the type.
    SchemaMismatch = 6,
    /// The receiver has too much to do.
    Overloaded = 7,
    /// The receiver is about to stop, and has not begun with the message.
    ShuttingDown = 8,
    /// The handler took too long by the receiver's clock.
    Deadline = 9,
    /// The message was given up while it was handled: by its caller, or by a server that stopped.
    Cancelled = 10,
    /// The handler panicked.
    Panicked = 11,
    /// The peer may not do this.
    Denied = 12,
    /// Calls within calls, nested too deep.
    TooDeep = 13,
    /// An ordered call from within its own lane.
    WouldDeadlock = 14,
    /// The handler refused the message.
    Rejected = 15,
    /// The reply is longer than the caller accepts.
    ReplyTooLarge = 16,
    /// The wire cannot do this.
    Unsupported = 17,
}

impl Code {
    /// Whether a handler has seen what is refused with this code, as far as the code alone tells.
    pub(crate) fn handled(self) -> Handled {
        match self {
            Self::UnknownType
            | Self::NoHandler
            | Self::TooLarge
            | Self::Decode
            | Self::SchemaMismatch
            | Self::Overloaded
            | Self::ShuttingDown
            | Self::Denied
            | Self::TooDeep
            | Self::WouldDeadlock
            | Self::Unsupported => Handled::No,
            Self::Deadline | Self::Cancelled | Self::Panicked | Self::Unknown(_) => Handled::Maybe,
            Self::App | Self::Rejected | Self::ReplyTooLarge => Handled::Yes,
        }
    }
}

/// Whether a handler has seen the message that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handled {
    No,
    Maybe,
    Yes,
}

impl Handled {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::No => 0,
            Self::Maybe => 1,
            Self::Yes => 2,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::No, Self::Maybe, Self::Yes].into_iter().find(|handled| handled.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_that_of_its_code() {
        for number in 0..=u16::MAX {
            let code = Code::from_number(number);
            assert_eq!(code.number(), number);
            assert_eq!(code == Code::Unknown(number), !(1..=17).contains(&number), "{code:?}");
        }
        assert_eq!(Code::from_number(1), Code::App);
        assert_eq!(Code::from_number(17), Code::Unsupported);
    }

    #[test]
    fn a_message_refused_with_an_unknown_code_may_have_been_handled() {
        assert_eq!(Code::from_number(18).handled(), Handled::Maybe);
    }

    #[test]
    fn handled_is_no_maybe_or_yes() {
        let numbers = [Handled::No, Handled::Maybe, Handled::Yes].map(Handled::number);
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!(Handled::from_number(2), Some(Handled::Yes));
        assert_eq!(Handled::from_number(3), None);
    }
}
