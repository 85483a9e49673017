//! What the signature of a handler may be.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Attribute, FnArg, Generics, Lifetime, Safety, Signature, Type, TypeImplTrait, TypeInfer,
    TypeReference,
};

use crate::errors::Errors;
use crate::options::Options;

/// The types of the arguments; they are of use only when there is no error.
pub(crate) fn check<'a>(
    sig: &'a Signature,
    options: &Options,
    errors: &mut Errors,
) -> Vec<&'a Type> {
    check_qualifiers(sig, options, errors);
    check_generics(&sig.generics, errors);
    if sig.inputs.is_empty() {
        let text = "a handler takes its message as the first argument: `async fn note(note: Note)`";
        errors.push(syn::Error::new(sig.paren_token.span.join(), text));
    }
    let mut types = Vec::new();
    for input in &sig.inputs {
        match input {
            FnArg::Receiver(receiver) => errors.on(
                receiver,
                "a handler is a free function: take what `self` holds as `State(name): State<T>`",
            ),
            FnArg::Typed(argument) => {
                check_cfg(&argument.attrs, errors);
                check_type(&argument.ty, errors);
                types.push(&*argument.ty);
            }
        }
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(variadic, "a handler takes a fixed number of arguments");
    }
    types
}

fn check_qualifiers(sig: &Signature, options: &Options, errors: &mut Errors) {
    if let Some(constness) = sig.constness {
        errors.on(constness, "a handler runs when a message comes: remove `const`");
    }
    if let Safety::Unsafe(keyword) = sig.safety {
        errors.on(keyword, "a handler is called by safe code: remove `unsafe`");
    }
    if let Some(abi) = &sig.abi {
        errors.on(abi, "a handler has the calling convention of Rust: remove `extern`");
    }
    match (sig.asyncness, &options.blocking) {
        (Some(asyncness), Some(_)) => errors.on(
            asyncness,
            "a blocking handler is a plain `fn`: remove `async`, or remove `blocking`",
        ),
        (None, None) if !options.incomplete => errors.on(
            sig.fn_token,
            "a handler is an `async fn`: write `async` before `fn`, or `#[handler(blocking)]` when it blocks",
        ),
        _ => {}
    }
}

fn check_generics(generics: &Generics, errors: &mut Errors) {
    if !generics.params.is_empty() {
        errors.on(generics, "a handler can't be generic: it handles one concrete message type");
    } else if let Some(clause) = &generics.where_clause {
        errors.on(clause, "a handler can't be generic: remove the `where` clause");
    }
}

fn check_cfg(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("cfg")) {
        errors.on(
            attr,
            "an argument can't depend on `#[cfg]`: write two handlers, each with its `#[cfg]`",
        );
    }
}

fn check_type(ty: &Type, errors: &mut Errors) {
    if let Type::Reference(reference) = ty {
        let owned = &reference.elem;
        let text = match &**owned {
            Type::Path(path) if path.path.is_ident("str") => {
                "a handler owns its arguments: write `String`".to_owned()
            }
            owned => {
                format!("a handler owns its arguments: remove the `&`, write `{}`", source(owned))
            }
        };
        errors.push(syn::Error::new(amp(reference), text));
    } else {
        Owned(errors).visit_type(ty);
    }
}

fn amp(reference: &TypeReference) -> Span {
    let end = reference.mutability.map_or(reference.and_token.span, |mutability| mutability.span);
    reference.and_token.span.join(end).unwrap_or(reference.and_token.span)
}

/// The type as it was written, where the compiler knows that.
fn source(ty: &Type) -> String {
    ty.span().source_text().unwrap_or_else(|| ty.to_token_stream().to_string())
}

/// Looks for what a function's argument may hold, but a constant of its type can't.
struct Owned<'e>(&'e mut Errors);

impl<'ast> Visit<'ast> for Owned<'_> {
    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.0.on(ty, "an argument of a handler has one concrete type: name it instead of `impl`");
    }

    fn visit_type_infer(&mut self, _: &'ast TypeInfer) {
        // rustc reports it on the function.
    }

    fn visit_type_reference(&mut self, ty: &'ast TypeReference) {
        match &ty.lifetime {
            Some(lifetime) => self.visit_lifetime(lifetime),
            None => {
                self.0
                    .on(ty, "a handler owns its arguments: this reference can only be `&'static`");
            }
        }
        visit::visit_type(self, &ty.elem);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident == "_" {
            self.0.on(
                lifetime,
                "a handler owns its arguments: write `'static`, or a type that borrows nothing",
            );
        }
    }
}
