//! Text fields by index: the dicts of the Python package.
//!
//! ```text
//! record    index u16 BE | length u32 BE | UTF-8
//! ```
//!
//! Worked example, `Header { header: "job 42" }`: `0000 00000006 6a6f62203432`.

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError, utf8};
use crate::schema::{SchemaError, SchemaRecorder};

/// A struct of `Option<String>` fields: those that are `Some`, each behind its position, in the order
/// they are declared.
///
/// When read, records may come in any order; of two for one field the last counts, as in Python.
#[derive(Debug)]
pub enum Fields {}

/// A struct whose fields are all `Option<String>`. The derive writes it.
#[diagnostic::on_unimplemented(
    message = "the codec `fields` can't carry `{Self}`",
    label = "not a struct of `Option<String>` fields"
)]
pub trait Record: Sized {
    /// The fields, in the order they are declared.
    fn fields(&self) -> impl AsRef<[Option<&str>]>;
    /// A record of what `next` yields, once a field in the order they are declared.
    fn from_fields(next: &mut dyn FnMut() -> Option<String>) -> Self;
}

/// What a field of a [`Record`] can be: `Option<String>`.
#[diagnostic::on_unimplemented(
    message = "a `fields` message holds `Option<String>` fields, not `{Self}`",
    label = "expected `Option<String>`"
)]
pub trait Field: Sized {
    #[doc(hidden)]
    fn get(&self) -> Option<&str>;
    #[doc(hidden)]
    fn new(text: Option<String>) -> Self;
}

#[diagnostic::do_not_recommend]
impl Field for Option<String> {
    fn get(&self) -> Option<&str> {
        self.as_deref()
    }

    fn new(text: Option<String>) -> Self {
        text
    }
}

/// Appends the record of one field.
pub(crate) fn encode_field(
    index: usize,
    text: &str,
    body: &mut BodyMut<'_>,
) -> Result<(), EncodeError> {
    let index = u16::try_from(index)
        .map_err(|_| EncodeError::new("a record has more than 65536 fields"))?;
    body.extend_from_slice(&index.to_be_bytes());
    body.prefixed(|part| {
        part.extend_from_slice(text.as_bytes());
        Ok(())
    })
}

#[diagnostic::do_not_recommend]
impl<T: Record> Codec<T> for Fields {
    fn encode(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        for (index, field) in value.fields().as_ref().iter().enumerate() {
            if let Some(text) = field {
                encode_field(index, text, body)?;
            }
        }
        Ok(())
    }

    fn decode(mut body: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
        let count = count::<T>();
        let mut fields: Vec<Option<String>> = vec![None; count];
        while !body.is_empty() {
            let index = u16::from_be_bytes(body.read_array().map_err(|_| DecodeError::unpack(2))?);
            let field = fields.get_mut(usize::from(index)).ok_or_else(|| {
                DecodeError::new(format!("Field index {index} exceeds max length ({count})."))
            })?;
            let len = u32::from_be_bytes(body.read_array().map_err(|_| DecodeError::unpack(4))?);
            let text = body.split_to(usize::try_from(len).unwrap_or(usize::MAX))?;
            *field = Some(utf8::text(&text)?.to_owned());
        }
        let mut fields = fields.into_iter();
        Ok(T::from_fields(&mut || fields.next().flatten()))
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name("fields")?;
        record.name(&count::<T>().to_string())
    }
}

/// How many fields there are is known only by making a record of none.
fn count<T: Record>() -> usize {
    let mut count = 0;
    T::from_fields(&mut || {
        count += 1;
        None
    });
    count
}
