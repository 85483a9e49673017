//! Lists of `key` and `key = value`, as in `#[protocol(…)]` and `#[handler(…)]`.

use proc_macro2::TokenTree;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, Path, Result, Token};

use crate::errors::Errors;
use crate::suggest;

/// A key that an attribute knows: its name, and how it is written.
pub(crate) struct Key {
    name: &'static str,
    example: &'static str,
    later: bool,
}

impl Key {
    pub(crate) const fn new(name: &'static str, example: &'static str) -> Self {
        Self { name, example, later: false }
    }

    /// A key of a later version.
    pub(crate) const fn later(name: &'static str) -> Self {
        Self { name, example: "", later: true }
    }
}

/// A key as it was written, and the input behind it.
pub(crate) struct Entry<'a> {
    pub(crate) key: Ident,
    example: &'static str,
    input: ParseStream<'a>,
}

impl<'a> Entry<'a> {
    /// The input behind `=`.
    pub(crate) fn input(&self) -> Result<ParseStream<'a>> {
        if !self.input.peek(Token![=]) {
            return Err(self.error("takes a value"));
        }
        let equals: Token![=] = self.input.parse()?;
        if self.input.is_empty() || self.input.peek(Token![,]) {
            return Err(Error::new_spanned(
                equals,
                format!("the value is missing: write `{}`", self.example),
            ));
        }
        Ok(self.input)
    }

    /// Keeps the value in its place, which must be empty.
    pub(crate) fn set<T: Parse>(&self, place: &mut Option<T>) -> Result<()> {
        let value = self.input()?.parse()?;
        self.put(place, value)
    }

    /// The same for the path of a module, as in `crate = ::path`.
    pub(crate) fn set_path(&self, place: &mut Option<Path>) -> Result<()> {
        let input = self.input()?;
        let path = input
            .call(Path::parse_mod_style)
            .map_err(|_| input.error(format!("this is not a path: write `{}`", self.example)))?;
        self.put(place, path)
    }

    /// The same for a value that was parsed already.
    pub(crate) fn put<T>(&self, place: &mut Option<T>, value: T) -> Result<()> {
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(Error::new_spanned(
                &self.key,
                format!("`{}` is given twice: remove one", self.key),
            )),
        }
    }

    /// A key that has no value.
    pub(crate) fn flag(&self, place: &mut Option<Ident>) -> Result<()> {
        if self.input.peek(Token![=]) {
            return Err(self.error("takes no value"));
        }
        self.put(place, self.key.clone())
    }

    /// Whether a value follows.
    pub(crate) fn has_value(&self) -> bool {
        self.input.peek(Token![=])
    }

    fn error(&self, text: &str) -> Error {
        Error::new_spanned(&self.key, format!("`{}` {text}: write `{}`", self.key, self.example))
    }
}

/// Reads the whole list, each entry by `read`; one that is wrong does not hide the next.
pub(crate) fn read(
    input: ParseStream<'_>,
    attribute: &str,
    keys: &[Key],
    errors: &mut Errors,
    mut read: impl FnMut(&Entry<'_>) -> Result<()>,
) {
    while !input.is_empty() {
        let done = entry(input, attribute, keys).and_then(|entry| read(&entry)).and_then(|()| {
            if input.is_empty() || input.peek(Token![,]) {
                Ok(())
            } else {
                Err(input.error("expected `,`"))
            }
        });
        if let Err(error) = done {
            errors.push(error);
            skip_entry(input);
        }
        // Neither fails: what is left begins with a comma, if anything is left.
        _ = input.parse::<Option<Token![,]>>();
    }
}

fn entry<'a>(input: ParseStream<'a>, attribute: &str, keys: &[Key]) -> Result<Entry<'a>> {
    let key = Ident::parse_any(input).map_err(|error| {
        Error::new(
            error.span(),
            format!("expected a key, as in `#[{attribute}({})]`", keys[0].example),
        )
    })?;
    let text = match keys.iter().find(|known| key == known.name) {
        Some(known) if !known.later => return Ok(Entry { key, example: known.example, input }),
        Some(_) => format!("`{key}` comes with a later version of dip"),
        None => {
            let names = keys.iter().filter(|key| !key.later).map(|key| key.name);
            let instead = suggest::instead(&key.to_string(), &names.collect::<Vec<_>>());
            format!("`#[{attribute}]` has no `{key}`: {instead}")
        }
    };
    Err(Error::new_spanned(key, text))
}

fn skip_entry(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        // Any token is a token tree.
        _ = input.parse::<TokenTree>();
    }
}
