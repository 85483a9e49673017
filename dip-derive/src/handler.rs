//! `#[handler]`: parse, check, expand. The function itself is handed back as it was.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Result, ReturnType, Signature, Type, Visibility};

use crate::crate_path::in_const;
use crate::errors::Errors;
use crate::options::Options;
use crate::signature;
use crate::span::{at, local};

pub(crate) fn attribute(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(options, &mut errors);
    let entry = errors.ok(syn::parse2::<Function>(item.clone())).and_then(|function| {
        let arguments = signature::check(&function.sig, &options, &mut errors);
        errors.is_empty().then(|| expand(&function, &arguments, &options))
    });
    let errors = errors.into_tokens();
    quote!(#item #entry #errors)
}

/// What the macro looks at: all but the body.
struct Function {
    attrs: Vec<Attribute>,
    sig: Signature,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        _ = input.parse::<Visibility>()?;
        let Ok(sig) = input.parse() else {
            let text = "a handler is a free `async fn`: `#[handler]` goes on functions only";
            return Err(Error::new(Span::call_site(), text));
        };
        // The body stays unread: it may hold syntax that this version of syn doesn't know.
        _ = input.parse::<TokenStream>()?;
        Ok(Self { attrs, sig })
    }
}

/// `types` are those of the arguments: the message, then the extractors.
fn expand(function: &Function, types: &[&Type], options: &Options) -> TokenStream {
    let Some((message, extractors)) = types.split_first() else { return TokenStream::new() };
    let name = &function.sig.ident;
    let text = name.unraw().to_string();
    let cfgs = function.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    let message = message_expr(message, options);
    let arguments: Vec<Argument<'_>> =
        extractors.iter().zip(1..).map(|(ty, index)| Argument::new(index, ty)).collect();
    let constants = arguments.iter().map(Argument::constant);
    let needs = arguments.iter().map(|argument| &argument.constant);
    let start = start(function, &message, &arguments, options);
    let calls = options.calls(&message);
    let items = quote! {
        #(#constants)*
        _dip::private::inventory::submit! {
            _dip::private::HandlerEntry::new(
                ::core::concat!(::core::module_path!(), "::", #text),
                &(#name),
                #message,
                &[#(#needs.needs),*],
                #start,
            )
            #calls
        }
    };
    let item = in_const(&options.krate, &items);
    quote!(#(#cfgs)* #item)
}

/// Asks whether the type is a message. It stands twice in an expansion, in the same words with the
/// same span: rustc reports a fault in both once.
fn message_expr(ty: &Type, options: &Options) -> TokenStream {
    let span = at(ty.span());
    match options.fallback {
        Some(_) => quote_spanned!(span=> _dip::private::any_message::<#ty, _, _, _>()),
        None => quote_spanned!(span=> _dip::private::a_message::<#ty, _, _, _>()),
    }
}

/// An argument behind the message.
struct Argument<'a> {
    ty: &'a Type,
    constant: Ident,
    local: Ident,
}

impl<'a> Argument<'a> {
    fn new(index: usize, ty: &'a Type) -> Self {
        let constant = format_ident!("ARGUMENT_{index}", span = local(Span::call_site()));
        let local = format_ident!("argument_{index}", span = local(Span::call_site()));
        Self { ty, constant, local }
    }

    fn constant(&self) -> TokenStream {
        let (constant, ty) = (&self.constant, self.ty);
        quote_spanned! {at(ty.span())=>
            const #constant: _dip::private::Argument<#ty> = _dip::private::an_extractor();
        }
    }
}

/// The closure that begins to handle messages.
fn start(
    function: &Function,
    message: &TokenStream,
    arguments: &[Argument<'_>],
    options: &Options,
) -> TokenStream {
    let span = local(Span::call_site());
    let [requests, request, value, reply, context] =
        ["requests", "request", "message", "reply", "context"].map(|name| Ident::new(name, span));
    let locals: Vec<&Ident> = arguments.iter().map(|argument| &argument.local).collect();
    let constants = arguments.iter().map(|argument| &argument.constant);
    let output = match &function.sig.output {
        ReturnType::Default => function.sig.ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    // All of the call is shown on the return type. The name keeps its own place, and both uses of it
    // stand in parentheses, where it resolves as a value: so a missing one is reported once.
    let name = &function.sig.ident;
    let call = quote_spanned!(at(output)=> (#name)(#value, #(#locals),*));
    let reply_here = Ident::new("reply", local(output));
    let handled = match options.blocking {
        Some(_) => quote_spanned!(at(output)=> #reply_here.with_result_of(move || #call)),
        None => quote_spanned!(at(output)=> #reply_here.with_output_of(#call)),
    };
    let context_or_none = if arguments.is_empty() { quote!(_) } else { quote!(#context) };
    quote! {
        |#requests| #requests.each(|#request| {
            let (#value, #reply, #context_or_none) = #request.decode(#message)?;
            #(let #locals = #constants.extract(#context)?;)*
            #handled
        })
    }
}
