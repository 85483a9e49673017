//! What schemas say of types, alone and as messages.

/// Each type has this shape in bincode.
macro_rules! shapes {
    ($($T:ty => $shape:literal),* $(,)?) => {$(
        assert_eq!(shape::<$T>(), $shape, "{}", stringify!($T));
    )*};
}

mod bincode;
mod hostile;
mod messages;
mod names;
