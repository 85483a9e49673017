//! `codec = …`: how a body is written.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, Result, Type};

use crate::span::at;
use crate::suggest;

/// ```text
/// codec = json      codec = path::to::MyCodec
/// ```
pub(crate) enum Codec {
    Named(Name, Span),
    Own(Box<Type>),
}

/// The codecs of dip.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Bincode,
    Json,
    Text,
    Raw,
    Fields,
    List,
    Pickle,
}

impl Name {
    const ALL: [(&str, Self); 7] = [
        ("bincode", Self::Bincode),
        ("json", Self::Json),
        ("text", Self::Text),
        ("raw", Self::Raw),
        ("fields", Self::Fields),
        ("list", Self::List),
        ("pickle", Self::Pickle),
    ];

    /// The type, its errors shown on `place`.
    pub(crate) fn codec(self, place: Span) -> TokenStream {
        let span = at(place);
        match self {
            Self::Bincode => quote_spanned!(span=> _dip::codec::Bincode),
            Self::Json => quote_spanned!(span=> _dip::codec::Json),
            Self::Text => quote_spanned!(span=> _dip::codec::Text),
            Self::Raw => quote_spanned!(span=> _dip::codec::Raw),
            Self::Fields => quote_spanned!(span=> _dip::codec::Fields),
            Self::List => quote_spanned!(span=> _dip::codec::List),
            Self::Pickle => quote_spanned!(span=> _dip::codec::Pickle),
        }
    }

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, name)| *name == self).map_or("", |(word, _)| word)
    }
}

impl Codec {
    pub(crate) fn name(&self) -> Option<Name> {
        match self {
            Self::Named(name, _) => Some(*name),
            Self::Own(_) => None,
        }
    }

    pub(crate) fn to_type(&self) -> TokenStream {
        match self {
            Self::Named(name, span) => name.codec(*span),
            Self::Own(path) => path.to_token_stream(),
        }
    }
}

impl Parse for Codec {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let path: Type = input.parse().map_err(|error| {
            Error::new(
                error.span(),
                "a codec is one of dip's, as in `codec = json`, or the path of a type",
            )
        })?;
        let Some(word) = lowercase_word(&path) else { return Ok(Self::Own(Box::new(path))) };
        let text = word.to_string();
        match Name::ALL.iter().find(|(known, _)| *known == text) {
            Some((_, name)) => Ok(Self::Named(*name, word.span())),
            None => {
                let words = Name::ALL.map(|(word, _)| word);
                let instead = suggest::instead(&text, &words);
                Err(Error::new_spanned(word, format!("there is no codec `{word}`: {instead}")))
            }
        }
    }
}

/// Types begin with a capital letter; a single word that does not is meant as the name of a codec.
fn lowercase_word(path: &Type) -> Option<&Ident> {
    let Type::Path(path) = path else { return None };
    let word = path.path.get_ident().filter(|_| path.qself.is_none())?;
    word.to_string().starts_with(char::is_lowercase).then_some(word)
}
