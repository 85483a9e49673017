//! The schemas of the message types of the program.

use std::sync::OnceLock;

use super::protocols;
use crate::mtype::Mtype;
use crate::protocol::ProtocolEntry;
use crate::schema;

/// The schemas of all message types of the program, ascending by number.
///
/// Found out at the first call: that runs the `Deserialize` of every message, reply and error, some
/// microseconds for each field.
pub(crate) fn schemas() -> &'static [TypeSchema] {
    static SCHEMAS: OnceLock<Vec<TypeSchema>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        // What is declared twice is reported by who starts a server.
        let protocols = protocols(&mut Vec::new());
        let mut schemas: Vec<_> = protocols.into_values().map(TypeSchema::of).collect();
        schemas.sort_by_key(|schema| schema.number);
        schemas
    })
}

/// The schema of a message type, as programs compare it.
#[derive(Debug)]
pub(crate) struct TypeSchema {
    pub(crate) number: u32,
    pub(crate) mtype: Mtype,
    /// The Rust type, without its path.
    pub(crate) name: String,
    pub(crate) fingerprint: u64,
}

impl TypeSchema {
    fn of(entry: &ProtocolEntry) -> Self {
        Self {
            number: entry.mtype.number(),
            mtype: entry.mtype,
            name: schema::short((entry.name)()),
            fingerprint: (entry.schema)().fingerprint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn each_type_has_one_schema_and_they_ascend_by_number() {
        let schemas = schemas();
        assert!(schemas.is_sorted_by(|one, two| one.number < two.number));
        assert!(schemas.iter().all(|schema| schema.number == schema.mtype.number()));
        assert!(schemas.len() >= 11);
    }

    #[test]
    fn the_schema_of_a_type_is_that_of_its_message() {
        let json = schemas().iter().find(|schema| schema.mtype == Mtype::byte(b'J')).unwrap();
        assert_eq!(json.name, "Json");
        assert_eq!(json.fingerprint, Schema::of::<crate::builtin::Json>().fingerprint());
    }

    #[test]
    fn schemas_are_found_out_once() {
        assert!(std::ptr::eq(schemas(), schemas()));
    }
}
