//! The line or two that tell a codec how a message is built: for `text`, `raw`, `list` and `fields`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Field, Ident, Index, Member, Result};

use crate::codec::{Codec, Name};
use crate::span::{at, local};

/// The glue of the message, empty for codecs that need none.
pub(crate) fn expand(item: &DeriveInput, codec: Option<&Codec>) -> Result<TokenStream> {
    match codec.and_then(Codec::name) {
        Some(name @ (Name::Text | Name::Raw | Name::List)) => newtype(item, name),
        Some(Name::Fields) => record(item),
        _ => Ok(TokenStream::new()),
    }
}

/// The field of a struct that has one.
pub(crate) fn only_field(data: &Data) -> Option<&Field> {
    match data {
        Data::Struct(data) if data.fields.len() == 1 => data.fields.iter().next(),
        _ => None,
    }
}

fn newtype(item: &DeriveInput, codec: Name) -> Result<TokenStream> {
    let name = &item.ident;
    let Some(field) = only_field(&item.data) else {
        let (word, example) = (codec.word(), example(codec));
        let text = format!(
            "a `{word}` message is a struct of one field: write `struct {name}({example});`"
        );
        return Err(Error::new_spanned(name, text));
    };
    let (ty, member) = (&field.ty, member(0, field));
    let inner = Ident::new("inner", local(Span::call_site()));
    // As in a record, the same words with the same span: rustc reports a fault in both once.
    let field = match codec {
        Name::Text => Some((quote!(_dip::private::String), quote!(_dip::private::TextField))),
        Name::Raw => Some((quote!(_dip::private::Bytes), quote!(_dip::private::RawField))),
        _ => None,
    };
    let (inner_type, wrapped, unwrapped) = match field {
        Some((inner_type, field)) => (
            inner_type,
            quote_spanned!(at(ty.span())=> <#ty as #field>::new(#inner)),
            quote_spanned!(at(ty.span())=> <#ty as #field>::get(&self.#member)),
        ),
        None => (quote!(#ty), quote!(#inner), quote!(&self.#member)),
    };
    Ok(quote! {
        #[automatically_derived]
        impl _dip::codec::Newtype for #name {
            type Inner = #inner_type;

            fn wrap(#inner: #inner_type) -> Self {
                Self { #member: #wrapped }
            }

            fn inner(&self) -> &#inner_type {
                #unwrapped
            }
        }
    })
}

fn example(codec: Name) -> &'static str {
    match codec {
        Name::Raw => "Bytes",
        Name::List => "Vec<Element>",
        _ => "String",
    }
}

fn record(item: &DeriveInput) -> Result<TokenStream> {
    let name = &item.ident;
    let fields = match &item.data {
        Data::Struct(data) => &data.fields,
        _ => {
            let text = "a `fields` message is a struct of `Option<String>` fields";
            return Err(Error::new_spanned(name, text));
        }
    };
    let members: Vec<Member> =
        fields.iter().enumerate().map(|(i, field)| member(i, field)).collect();
    let next = quote_spanned!(local(Span::call_site())=> next);
    // The same words with the same span twice: rustc reports a fault in both once.
    let get = fields.iter().zip(&members).map(|(field, member)| {
        let (ty, span) = (&field.ty, at(field.ty.span()));
        quote_spanned!(span=> <#ty as _dip::codec::Field>::get(&self.#member))
    });
    let new = fields.iter().zip(&members).map(|(field, member)| {
        let (ty, span) = (&field.ty, at(field.ty.span()));
        quote_spanned!(span=> #member: <#ty as _dip::codec::Field>::new(#next()))
    });
    let next_argument = if fields.is_empty() { quote!(_) } else { next.clone() };
    Ok(quote! {
        #[automatically_derived]
        impl _dip::codec::Record for #name {
            fn fields(&self) -> impl ::core::convert::AsRef<[::core::option::Option<&str>]> {
                _dip::private::fields([#(#get),*])
            }

            fn from_fields(
                #next_argument: &mut dyn ::core::ops::FnMut() -> ::core::option::Option<_dip::private::String>,
            ) -> Self {
                Self { #(#new),* }
            }
        }
    })
}

fn member(index: usize, field: &Field) -> Member {
    match &field.ident {
        Some(ident) => Member::Named(ident.clone()),
        None => {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            Member::Unnamed(Index { index, span: field.ty.span() })
        }
    }
}
