//! Where the expansions find dip.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Path;

/// `::dip`, or the path of `crate = path`: for a crate that renames dip or re-exports it.
#[derive(Default)]
pub(crate) struct CratePath(pub(crate) Option<Path>);

impl ToTokens for CratePath {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.0 {
            Some(path) => path.to_tokens(tokens),
            None => tokens.extend(quote!(::dip)),
        }
    }
}

/// Wraps an expansion, so that its names are seen by nobody and all its paths begin with `_dip`.
pub(crate) fn in_const(krate: &CratePath, items: &TokenStream) -> TokenStream {
    quote! {
        const _: () = {
            use #krate as _dip;
            #items
        };
    }
}
