//! Spans of generated code.

use proc_macro2::Span;

/// Errors show on `place`, but the code belongs to the macro: with the bare span of user code, rustc
/// and clippy would lint what is generated as if it was written there.
pub(crate) fn at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

/// The same for local variables, which user code must not see and not shadow.
pub(crate) fn local(place: Span) -> Span {
    Span::mixed_site().located_at(place)
}
