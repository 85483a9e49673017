//! `#[derive(Protocol)]`: parse, check, expand.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Field, Ident, Lit, Meta, Result, Type};

use crate::attr::{self, Entry, Key};
use crate::codec::{Codec, Name};
use crate::crate_path::{CratePath, in_const};
use crate::errors::Errors;
use crate::mtype::Mtype;
use crate::span::at;
use crate::{glue, units};

pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let contract = Contract::parse(&item.attrs, &mut errors);
    let mtype = Mtype::of(&item.ident, &item.attrs, &mut errors);
    check_item(&item, &mut errors);
    let glue = errors.ok(glue::expand(&item, contract.codec.as_ref()));
    match (mtype, glue) {
        (Some(mtype), Some(glue)) if errors.is_empty() => expand(&item, &mtype, &contract, &glue),
        _ => {
            let errors = errors.into_tokens();
            let stand_in = expand_stand_in(&item, &contract);
            quote!(#errors #stand_in)
        }
    }
}

/// What stands in the parentheses of `#[protocol(…)]`.
#[derive(Default)]
struct Contract {
    krate: CratePath,
    codec: Option<Codec>,
    reply: Option<Type>,
    reply_codec: Option<Codec>,
    error: Option<Type>,
    max_len: Option<u32>,
    deadline: Option<Duration>,
    idempotent: Option<Ident>,
}

const KEYS: &[Key] = &[
    Key::new("codec", "codec = json"),
    Key::new("reply", "reply = i64"),
    Key::new("reply_codec", "reply_codec = json"),
    Key::new("error", "error = MyError"),
    Key::new("max_len", "max_len = \"64 KiB\""),
    Key::new("deadline", "deadline = \"2s\""),
    Key::new("idempotent", "idempotent"),
    Key::new("crate", "crate = ::path"),
    Key::later("stream"),
    Key::later("upload"),
];

impl Contract {
    fn parse(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut contract = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("protocol")) {
            let Meta::List(_) = attr.meta else {
                errors.on(&attr.meta, "write `#[protocol(key = value, …)]`, or leave it out");
                continue;
            };
            let list = |input: ParseStream<'_>| {
                attr::read(input, "protocol", KEYS, errors, |entry| contract.read(entry));
                Ok(())
            };
            let done = attr.parse_args_with(list);
            errors.ok(done);
        }
        contract
    }

    fn read(&mut self, entry: &Entry<'_>) -> Result<()> {
        match entry.key.to_string().as_str() {
            "codec" => entry.set(&mut self.codec),
            "reply" => entry.set(&mut self.reply),
            "reply_codec" => entry.set(&mut self.reply_codec),
            "error" => entry.set(&mut self.error),
            "max_len" => entry.put(&mut self.max_len, units::length(&literal(entry)?)?),
            "deadline" => entry.put(&mut self.deadline, units::duration(&literal(entry)?)?),
            "idempotent" => entry.flag(&mut self.idempotent),
            _ => entry.set_path(&mut self.krate.0),
        }
    }

    /// Those of `()` are an acknowledgement.
    fn reply_or_unit(&self) -> TokenStream {
        self.reply.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream)
    }

    fn error_or_none(&self) -> TokenStream {
        match &self.error {
            Some(error) => error.to_token_stream(),
            None => quote!(_dip::NoError),
        }
    }
}

fn literal(entry: &Entry<'_>) -> Result<Lit> {
    entry.input()?.parse()
}

fn check_item(item: &DeriveInput, errors: &mut Errors) {
    if !item.generics.params.is_empty() {
        errors.on(
            &item.generics,
            "a message type can't be generic: its mtype must name one concrete type",
        );
    }
    if let Data::Union(data) = &item.data {
        errors.on(data.union_token, "a message is a struct or an enum");
    }
    for attr in inner_attrs(&item.data) {
        if attr.path().is_ident("mtype") || attr.path().is_ident("protocol") {
            let name = attr.path().to_token_stream();
            errors.on(
                attr,
                format!("`#[{name}]` says something about a whole message: move it above the type"),
            );
        }
    }
}

fn inner_attrs(data: &Data) -> impl Iterator<Item = &Attribute> {
    let (fields, variants): (Vec<&Field>, Vec<&[Attribute]>) = match data {
        Data::Struct(data) => (data.fields.iter().collect(), Vec::new()),
        Data::Enum(data) => (
            data.variants.iter().flat_map(|variant| &variant.fields).collect(),
            data.variants.iter().map(|variant| variant.attrs.as_slice()).collect(),
        ),
        Data::Union(data) => (data.fields.named.iter().collect(), Vec::new()),
    };
    variants.into_iter().flatten().chain(fields.into_iter().flat_map(|field| &field.attrs))
}

fn expand(
    item: &DeriveInput,
    mtype: &Mtype,
    contract: &Contract,
    glue: &TokenStream,
) -> TokenStream {
    let name = &item.ident;
    let (value, claim, replacing) = (mtype.value(), mtype.claim(), mtype.replacing());
    let codec = codec(item, contract);
    let reply = contract.reply_or_unit();
    let reply_codec = reply_codec(contract, name.span());
    let error = contract.error_or_none();
    let max_len = contract.max_len.map(|len| {
        quote!(const MAX_LEN: ::core::option::Option<u32> = ::core::option::Option::Some(#len);)
    });
    let deadline = contract.deadline.map(duration);
    let idempotent = contract.idempotent.as_ref().map(|_| {
        quote!(
            const IDEMPOTENT: bool = true;
        )
    });
    let items = quote! {
        #[automatically_derived]
        impl _dip::Protocol for #name {
            const MTYPE: _dip::Mtype = #value;
            #max_len
            #deadline
            #idempotent
            type Codec = #codec;
            type Reply = #reply;
            type Error = #error;
            type ReplyCodec = #reply_codec;
            type Shape = _dip::Once;
        }
        #glue
        #claim
        _dip::private::inventory::submit! {
            _dip::private::ProtocolEntry::of::<#name>().claimed_by(&CLAIM) #replacing
        }
    };
    in_const(&contract.krate, &items)
}

/// The codec of the message. One of dip's that needs a certain field is shown on the type of that
/// field, where the fault is.
fn codec(item: &DeriveInput, contract: &Contract) -> TokenStream {
    match &contract.codec {
        None => default_codec(item.ident.span()),
        Some(codec) => match (codec.name(), glue::only_field(&item.data)) {
            (Some(name @ (Name::Text | Name::Raw | Name::List)), Some(field)) => {
                name.codec(field.ty.span())
            }
            _ => codec.to_type(),
        },
    }
}

fn reply_codec(contract: &Contract, name: Span) -> TokenStream {
    let place = contract.reply.as_ref().map_or(name, Spanned::span);
    if let Some(codec) = &contract.reply_codec {
        codec.to_type()
    } else if contract.reply.as_ref().is_none_or(is_unit) {
        quote!(_dip::codec::Unit)
    } else if contract.codec.as_ref().and_then(Codec::name) == Some(Name::Json) {
        Name::Json.codec(place)
    } else {
        default_codec(place)
    }
}

/// `bincode`; without that feature a type whose only error says so.
fn default_codec(place: Span) -> TokenStream {
    quote_spanned!(at(place)=> _dip::private::DefaultCodec)
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote! {
        const DEADLINE: ::core::option::Option<::core::time::Duration> =
            ::core::option::Option::Some(::core::time::Duration::new(#seconds, #nanos));
    }
}

/// An implementation that registers nothing: with it, code that uses the message has no errors of
/// its own.
fn expand_stand_in(item: &DeriveInput, contract: &Contract) -> TokenStream {
    let name = &item.ident;
    let (generics, arguments, _) = item.generics.split_for_impl();
    let reply = contract.reply_or_unit();
    let error = contract.error_or_none();
    let items = quote! {
        #[automatically_derived]
        impl #generics _dip::Protocol for #name #arguments
        where
            Self: ::core::marker::Sized + ::core::marker::Send + 'static,
        {
            const MTYPE: _dip::Mtype = _dip::Mtype::byte(0);
            type Codec = _dip::private::Undecided;
            type Reply = #reply;
            type Error = #error;
            type ReplyCodec = _dip::private::Undecided;
            type Shape = _dip::Once;
        }
    };
    in_const(&contract.krate, &items)
}
