//! `#[handler(…)]`: the options.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Ident, LitStr, Result};

use crate::attr::{self, Entry, Key};
use crate::crate_path::CratePath;
use crate::errors::Errors;
use crate::span::at;
use crate::suggest;

/// What stands in the parentheses of `#[handler(…)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) krate: CratePath,
    /// Whether one of them could not be read, and so may be missing below.
    pub(crate) incomplete: bool,
    pub(crate) fallback: Option<Ident>,
    pub(crate) blocking: Option<Ident>,
    spawn: Option<Ident>,
    no_cancel: Option<Ident>,
    ordered: Option<TokenStream>,
    ack: Option<Ack>,
    group: Option<LitStr>,
}

const KEYS: &[Key] = &[
    Key::new("fallback", "fallback"),
    Key::new("blocking", "blocking"),
    Key::new("spawn", "spawn"),
    Key::new("no_cancel", "no_cancel"),
    Key::new("ordered", "ordered = \"connection\""),
    Key::new("ack", "ack = \"received\""),
    Key::new("group", "group = \"worker\""),
    Key::new("crate", "crate = ::path"),
];

impl Options {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let list = |input: ParseStream<'_>| {
            attr::read(input, "handler", KEYS, errors, |entry| options.read(entry));
            Ok(())
        };
        let done = list.parse2(tokens);
        errors.ok(done);
        options.incomplete = !errors.is_empty();
        if options.blocking.is_some() {
            options.check_blocking(errors);
        }
        options
    }

    fn read(&mut self, entry: &Entry<'_>) -> Result<()> {
        match entry.key.to_string().as_str() {
            "fallback" => entry.flag(&mut self.fallback),
            "blocking" => entry.flag(&mut self.blocking),
            "spawn" => entry.flag(&mut self.spawn),
            "no_cancel" => entry.flag(&mut self.no_cancel),
            "ordered" => entry.put(&mut self.ordered, order(entry)?),
            "ack" => entry.put(&mut self.ack, Ack::of(entry)?),
            "group" => entry.set(&mut self.group),
            _ => entry.set_path(&mut self.krate.0),
        }
    }

    fn check_blocking(&self, errors: &mut Errors) {
        if let Some(spawn) = &self.spawn {
            let text = "a blocking handler runs on a thread of its own already: remove `spawn`";
            errors.on(spawn, text);
        }
        if let Some(no_cancel) = &self.no_cancel {
            errors.on(no_cancel, "a blocking handler cannot be stopped anyway: remove `no_cancel`");
        }
    }

    /// The calls that follow `HandlerEntry::new(…)`. `message` is the expression of the message.
    pub(crate) fn calls(&self, message: &TokenStream) -> TokenStream {
        let spawn = self.spawn.as_ref().map(|_| quote!(.spawn()));
        let no_cancel = self.no_cancel.as_ref().map(|_| quote!(.no_cancel()));
        let ordered = self.ordered.as_ref().map(|order| quote!(.ordered(#order)));
        let ack = self
            .ack
            .as_ref()
            .filter(|ack| ack.early)
            .map(|ack| quote_spanned!(at(ack.span)=> .acknowledged_when_received(#message)));
        let group = self.group.as_ref().map(|group| quote!(.group(#group)));
        quote!(#spawn #no_cancel #ordered #ack #group)
    }
}

const ORDERS: [&str; 3] = ["connection", "client", "server"];

fn order(entry: &Entry<'_>) -> Result<TokenStream> {
    if !entry.has_value() {
        return Ok(quote!(_dip::private::Order::Connection));
    }
    let lit: LitStr = entry.input()?.parse()?;
    match lit.value().as_str() {
        "connection" => Ok(quote!(_dip::private::Order::Connection)),
        "client" => Ok(quote!(_dip::private::Order::Client)),
        "server" => Ok(quote!(_dip::private::Order::Server)),
        other => Err(unknown(&lit, "order", other, &ORDERS)),
    }
}

/// When the message is acknowledged.
struct Ack {
    /// Before it is handled.
    early: bool,
    span: Span,
}

impl Ack {
    fn of(entry: &Entry<'_>) -> Result<Self> {
        let lit: LitStr = entry.input()?.parse()?;
        let early = match lit.value().as_str() {
            "received" => true,
            "handled" => false,
            other => {
                let known = ["received", "handled"];
                return Err(unknown(&lit, "moment to acknowledge", other, &known));
            }
        };
        Ok(Self { early, span: lit.span() })
    }
}

fn unknown(lit: &LitStr, what: &str, word: &str, known: &[&str]) -> Error {
    let instead = suggest::instead(word, known);
    Error::new_spanned(lit, format!("there is no {what} `{word}`: {instead}"))
}
