//! Any preface, and any bytes.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

proptest! {
    #[test]
    fn what_is_written_is_read_back(fields in any_fields(), min in 0..=1_u8, max in 1..=255_u8, status: u8) {
        let hello = Hello { min_version: min, max_version: max, fields: fields.clone() };
        prop_assert_eq!(Hello::parse(&hello.encode()), Ok(hello));
        let welcome = Welcome { version: max, status: status.into(), fields };
        prop_assert_eq!(Welcome::parse(&welcome.encode()), Ok(welcome));
    }

    #[test]
    fn every_cut_is_an_error(fields in any_fields(), extra: u8) {
        let mut frame = Hello::new(fields).encode();
        for end in 0..frame.len() {
            prop_assert_eq!(refused(&frame[..end]), malformed("a preface that is cut"));
            let extent = Hello::extent(&frame[..end]).unwrap();
            prop_assert_eq!(extent, (end >= 5).then_some(frame.len()));
        }
        frame.push(extra);
        prop_assert_eq!(refused(&frame), malformed("a preface that is cut"));
    }

    #[test]
    fn any_fields_are_understood_or_refused(
        fields in prop::collection::vec(prop_oneof![Just(0), 0..20_u8, any::<u8>()], 0..80),
        status: u8,
    ) {
        // What is understood is understood again when it is written anew.
        if let Ok(hello) = Hello::parse(&preface(0x05, [1, 1], &fields)) {
            prop_assert_eq!(Hello::parse(&hello.encode()), Ok(hello));
        }
        if let Ok(welcome) = Welcome::parse(&preface(0x06, [1, status], &fields)) {
            prop_assert_eq!(Welcome::parse(&welcome.encode()), Ok(welcome));
        }
    }

    #[test]
    fn a_changed_byte_is_understood_or_refused(
        fields in any_fields(), at: prop::sample::Index, byte: u8,
    ) {
        let mut frame = Hello::new(fields).encode();
        let at = at.index(frame.len());
        frame[at] = byte;
        if let Ok(hello) = Hello::parse(&frame) {
            prop_assert_eq!(Hello::parse(&hello.encode()), Ok(hello));
        }
    }
}

fn app() -> impl Strategy<Value = App> {
    ("\\PC{0,60}", "\\PC{0,60}", "\\PC{0,60}", any::<u32>())
        .prop_map(|(name, version, label, pid)| App { name, version, label, pid })
}

prop_compose! {
    fn terms()(
        max_message: u64,
        extra: u64,
        max_piece in 16 << 10..=u32::MAX,
        (calls, nested_calls, deepest) in any::<(u16, u16, u8)>(),
        notify_window in 1..=i32::MAX as u32,
        stream_window in 1..=i32::MAX as u32,
        passive: bool,
    ) -> Terms {
        let body_window = max_message.saturating_add(extra);
        Terms {
            max_message, max_piece, calls, nested_calls, deepest, notify_window, stream_window,
            body_window, passive,
        }
    }
}

prop_compose! {
    fn any_fields()(
        label: Option<u128>,
        instance: [u8; 16],
        terms in prop_oneof![Just(Terms::default()), terms()],
        features: u64,
        types in prop::collection::btree_map(any::<u32>(), any::<u64>(), 0..8),
        nonce: Option<[u8; 32]>,
        proof: Option<[u8; 32]>,
        reason in prop::option::of("\\PC{0,60}"),
        app in prop::option::of(app()),
        schema_algorithm: u16,
    ) -> Fields {
        Fields {
            label: label.map(Uuid::from_u128),
            instance: Some(instance),
            terms,
            features: features & !4,
            types: types.into_iter().collect(),
            nonce, proof, reason, app, schema_algorithm,
        }
    }
}
