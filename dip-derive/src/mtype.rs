//! `#[mtype(…)]`: which message a type is.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Ident, Lit, Meta, Result, Token};

use crate::errors::Errors;
use crate::span::at;

/// ```text
/// #[mtype(b'N')]   #[mtype(0x1e)]   #[mtype("jobs.tail")]   #[mtype(b'J', replace)]
/// ```
pub(crate) struct Mtype {
    id: Id,
    pub(crate) replaces: bool,
    span: Span,
}

enum Id {
    Byte(u8),
    Name(String),
}

impl Mtype {
    /// The mtype of a message, if its attribute is there and right.
    pub(crate) fn of(message: &Ident, attrs: &[Attribute], errors: &mut Errors) -> Option<Self> {
        let mut attrs = attrs.iter().filter(|attr| attr.path().is_ident("mtype"));
        let Some(first) = attrs.next() else {
            errors.on(
                message,
                format!(
                    "`{message}` has no mtype: write `#[mtype(b'N')]` or `#[mtype(\"a.name\")]` above it, \
                     with a byte or a name that no other message has"
                ),
            );
            return None;
        };
        for second in attrs {
            errors.on(second.path(), "a message has one mtype: remove one");
        }
        if !matches!(first.meta, Meta::List(_)) {
            errors.on(&first.meta, FORMS);
            return None;
        }
        errors.ok(first.parse_args())
    }

    /// The expression.
    pub(crate) fn value(&self) -> TokenStream {
        match &self.id {
            Id::Byte(byte) => {
                let byte = proc_macro2::Literal::byte_character(*byte);
                quote_spanned!(at(self.span)=> _dip::Mtype::byte(#byte))
            }
            Id::Name(name) => quote_spanned!(at(self.span)=> _dip::Mtype::name(#name)),
        }
    }

    /// The static that no second type can export under its name. A hash collision of two names is a
    /// duplicate, too: the number is all that travels.
    pub(crate) fn claim(&self) -> TokenStream {
        let number = match &self.id {
            Id::Byte(byte) => format!("{byte:02x}"),
            Id::Name(name) => format!("{:08x}", number(name)),
        };
        let replaced = if self.replaces { "_replaced" } else { "" };
        let symbol =
            format!("__dip_mtype_{number}_is_declared_by_two_types{replaced}_{COMPATIBLE}");
        quote_spanned!(at(self.span)=> _dip::private::claim! { CLAIM = #symbol })
    }

    /// What the entry says more.
    pub(crate) fn replacing(&self) -> TokenStream {
        if self.replaces { quote!(.replacing_builtin()) } else { TokenStream::new() }
    }
}

const FORMS: &str =
    "write `#[mtype(b'N')]`, `#[mtype(0x1e)]` or `#[mtype(\"a.name\")]`: a byte or a name";

/// Versions of dip that a program can hold together; each has claims of its own.
const COMPATIBLE: &str =
    concat!("v", env!("CARGO_PKG_VERSION_MAJOR"), "_", env!("CARGO_PKG_VERSION_MINOR"));

impl Parse for Mtype {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(Lit) {
            let text = match input.is_empty() {
                true => FORMS.to_owned(),
                false => format!("the mtype must be a literal, not a constant: {FORMS}"),
            };
            return Err(input.error(text));
        }
        let lit: Lit = input.parse()?;
        let id = Id::of(&lit)?;
        let replaces = replace(input)?;
        let mtype = Self { id, replaces: replaces.is_some(), span: lit.span() };
        mtype.check_builtin(replaces.as_ref())?;
        Ok(mtype)
    }
}

fn replace(input: ParseStream<'_>) -> Result<Option<Ident>> {
    if input.parse::<Option<Token![,]>>()?.is_none() || input.is_empty() {
        return Ok(None);
    }
    let word: Option<Ident> = input.parse()?;
    match word {
        Some(word) if word == "replace" => {
            input.parse::<Option<Token![,]>>()?;
            Ok(Some(word))
        }
        word => {
            let span = word.map_or(input.span(), |word| word.span());
            let text = "only `replace` may stand behind the mtype; how the message travels is said in \
                        `#[protocol(…)]`";
            Err(Error::new(span, text))
        }
    }
}

impl Id {
    fn of(lit: &Lit) -> Result<Self> {
        match lit {
            Lit::Byte(byte) => Self::byte(byte.value(), lit),
            Lit::Int(int) => match int.base10_parse() {
                Ok(byte) => Self::byte(byte, lit),
                Err(_) => Err(Error::new_spanned(lit, "an mtype is one byte: `0x00` to `0xff`")),
            },
            Lit::Str(name) => Self::name(name.value(), lit),
            Lit::Char(_) => Err(Error::new_spanned(
                lit,
                format!("an mtype is a byte: write `b{}`", quote!(#lit)),
            )),
            _ => Err(Error::new_spanned(lit, FORMS)),
        }
    }

    fn byte(byte: u8, lit: &Lit) -> Result<Self> {
        let reason = match byte {
            0x05 | 0x06 => "it opens the native wire",
            0x1d => "it carries the id of the connection",
            _ => return Ok(Self::Byte(byte)),
        };
        Err(Error::new_spanned(lit, format!("the byte {byte:#04x} is reserved: {reason}")))
    }

    fn name(name: String, lit: &Lit) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if (1..=120).contains(&name.len()) && name.chars().all(allowed) {
            return Ok(Self::Name(name));
        }
        let mut text =
            "the name of an mtype is 1 to 120 characters of a-z, 0-9, `.`, `_` and `-`".to_owned();
        if name.len() == 1 {
            text.push_str(&format!(": did you mean the byte `b'{name}'`?"));
        }
        Err(Error::new_spanned(lit, text))
    }
}

impl Mtype {
    fn check_builtin(&self, replace: Option<&Ident>) -> Result<()> {
        let Id::Byte(byte) = self.id else {
            return replace.map_or(Ok(()), |word| Err(nothing_to_replace(word)));
        };
        let builtin = BUILTINS.iter().find(|(mtype, _)| *mtype == byte);
        match (builtin, replace) {
            (Some((_, name)), None) => Err(Error::new(
                self.span,
                format!(
                    "the byte belongs to the built-in message `dip::builtin::{name}`: choose another, \
                     or write `replace` after it to take it over"
                ),
            )),
            (None, Some(word)) => Err(nothing_to_replace(word)),
            _ => Ok(()),
        }
    }
}

fn nothing_to_replace(word: &Ident) -> Error {
    Error::new_spanned(word, "no built-in message has this mtype: remove `replace`")
}

const BUILTINS: &[(u8, &str)] = &[
    (b'O', "Stdout"),
    (b'E', "Stderr"),
    (b'P', "Pickle"),
    (b'J', "Json"),
    (b'D', "Dict"),
    (b'H', "Header"),
    (b'o', "SubtaskOut"),
    (b'e', "SubtaskError"),
    (b'U', "TaskUpdate"),
    (b'I', "TaskUpdateV2"),
];

/// The number of a named mtype: `dip::Mtype::number`, which has the specification.
fn number(name: &str) -> u32 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [a, b, c, d, ..] = (hash ^ (hash >> 32)).to_le_bytes();
    0x8000_0000 | u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_name_is_that_of_the_specification() {
        assert_eq!(number("jobs.tail"), 0xe6ef_511b);
    }
}
