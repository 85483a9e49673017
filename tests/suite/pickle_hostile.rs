//! Pickles that would run something in Python: all are refused, and as inert objects they run
//! nothing either.

use dip::Value;
use dip::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, Pickle, PicklePolicy};
use proptest::prelude::*;

use crate::vectors::{Vector, load};

const EXPLOITS: [&[u8]; 48] = [
    // Functions of modules, called by REDUCE.
    b"cos\nsystem\n(S'id'\ntR.",
    b"cposix\nsystem\n(S'id'\ntR.",
    b"cnt\nsystem\n(S'id'\ntR.",
    b"cos\npopen\n(Vid\ntR.",
    b"cos\nexecv\n(V/bin/sh\n(lV/bin/sh\natR.",
    b"cos\nspawnl\n(I0\nV/bin/sh\nVsh\ntR.",
    b"cos\nremove\n(Vx\ntR.",
    b"cos\nmkdir\n(Vx\ntR.",
    b"cos\nputenv\n(VPATH\nV.\ntR.",
    b"\x80\x02csubprocess\nPopen\n(X\x02\x00\x00\x00idtR.",
    b"\x80\x02csubprocess\ncheck_output\n(X\x02\x00\x00\x00id\x85tR.",
    b"\x80\x03csubprocess\ncall\n]X\x02\x00\x00\x00ida\x85R.",
    b"cpty\nspawn\n(V/bin/sh\ntR.",
    b"cplatform\npopen\n(Vid\ntR.",
    b"ccommands\ngetoutput\n(Vid\ntR.",
    b"ctimeit\ntimeit\n(Vimport os\ntR.",
    b"crunpy\n_run_code\n(Vx\n}tR.",
    b"cwebbrowser\nopen\n(Vhttp://x\ntR.",
    b"cshutil\nrmtree\n(V/\ntR.",
    b"cimportlib\nimport_module\n(Vantigravity\ntR.",
    b"csocket\ncreate_connection\n((Vx\nI1\nttR.",
    b"cctypes\nCDLL\n(Vx.so\ntR.",
    b"ctypes\nCodeType\n)R.",
    b"cmarshal\nloads\n(U\x01xtR.",
    b"cpickle\nloads\n(U\x02N.tR.",
    b"c_pickle\nloads\n(C\x02N.tR.",
    b"ccode\nInteractiveInterpreter\n)R.",
    b"casyncio.unix_events\n_UnixSubprocessTransport._start\n)R.",
    b"cyaml\nunsafe_load\n(V!!python/object/apply:os.system [id]\ntR.",
    b"cnumpy.testing._private.utils\nrunstring\n(Vx\n}tR.",
    // Built-in functions, under the names of both Pythons.
    b"cbuiltins\neval\n(V1+1\ntR.",
    b"cbuiltins\nexec\n(Vx=1\ntR.",
    b"c__builtin__\neval\n(V1+1\ntR.",
    b"c__builtin__\nexecfile\n(Vx.py\ntR.",
    b"cbuiltins\ncompile\n(Vx\nVx\nVexec\ntR.",
    b"cbuiltins\n__import__\n(Vos\ntR.",
    b"cbuiltins\nopen\n(V/etc/passwd\ntR.",
    b"cbuiltins\nbreakpoint\n)R.",
    // Names put together, and chains of attributes.
    b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
    b"\x80\x04\x8c\x08builtins\x8c\x0fset.__class__.x\x93.",
    b"\x80\x04U\x02osU\x06system\x93U\x02id\x85R.",
    b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(Vos\ntRVsystem\ntR(Vid\ntR.",
    b"cbuiltins\ngetattr\n(]V__class__\ntR.",
    // Other instructions that call.
    b"(S'id'\nios\nsystem\n.",
    b"(cos\nsystem\nS'id'\no.",
    b"\x80\x02csubprocess\nPopen\n(X\x02\x00\x00\x00idt\x81.",
    b"\x80\x04csubprocess\nPopen\n)}X\x04\x00\x00\x00argsX\x02\x00\x00\x00ids\x92.",
    // The state of an object, and a call whose result is thrown away.
    b"cm\nC\n)\x81}V__class__\ncos\nsystem\nsbcos\nsystem\n(Vid\ntR0.",
];

/// These are refused where objects are allowed, too.
const NEVER: [&[u8]; 10] = [
    b"\x82\x01.",
    b"\x83\x01\x00.",
    b"\x84\x01\x00\x00\x00)R.",
    b"Pos.system\n.",
    b"Vos.system\nQ.",
    b"\x80\x05\x97.",
    b"cbuiltins\nbytes\nJ\xff\xff\xff\x7f\x85R.",
    b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
    b"cos\nsystem\n)R)R.",
];

fn decode(body: &[u8], policy: PicklePolicy) -> Result<Value, DecodeError> {
    let mut limits = DecodeLimits::for_body(body.len());
    limits.pickle = policy;
    Pickle::decode(Body::from(body), &limits)
}

#[test]
fn exploits_are_refused_with_the_class_they_name() {
    for body in EXPLOITS {
        let error = decode(body, PicklePolicy::plain()).unwrap_err();
        assert_eq!(error.class(), "UnpicklingError", "{body:?}: {error}");
        assert!(error.text().contains("is not plain data"), "{body:?}: {error}");
    }
}

#[test]
fn exploits_are_nothing_but_names_as_inert_objects() {
    let name = std::env::temp_dir().join(format!("dip-pickle-{}", std::process::id()));
    let touch = format!("(cos\nsystem\n(Vtouch {0}\ntRcos\nmkdir\n(V{0}\ntRt.", name.display());
    for body in EXPLOITS.into_iter().chain([touch.as_bytes()]) {
        match decode(body, PicklePolicy::inert()) {
            Ok(value) => assert!(format!("{value:?}").contains("class"), "{value:?}"),
            Err(error) => assert_eq!(error.class(), "UnpicklingError", "{body:?}: {error}"),
        }
    }
    assert!(!name.exists());
}

#[test]
fn what_has_no_inert_form_is_always_refused() {
    for body in NEVER {
        for policy in [PicklePolicy::plain(), PicklePolicy::inert()] {
            let error = decode(body, policy).unwrap_err();
            assert_eq!(error.class(), "UnpicklingError", "{body:?}: {error}");
        }
    }
}

/// A valid pickle of the golden frames.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    let bodies: Vec<_> =
        load().vectors.iter().filter(|vector| vector.mtype == 80).map(Vector::body).collect();
    proptest::sample::select(bodies)
}

/// Bytes that are mostly instructions.
fn program() -> impl Strategy<Value = Vec<u8>> {
    let code = proptest::sample::select(
        b"().012FIJKLMNPQRSTUVXabcd}eghijl]opqrstu)G\x80\x81\x85\x86\x87\x88\x8a\x8c\x8f\x90\x91\
          \x92\x93\x94\x96\x98\n\x01\x02"
            .to_vec(),
    );
    proptest::collection::vec(code, 0..200)
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&body, PicklePolicy::plain());
        let _ = decode(&body, PicklePolicy::inert());
    }

    #[test]
    fn arbitrary_programs_never_panic(body in program()) {
        for policy in [PicklePolicy::plain(), PicklePolicy::inert()] {
            if let Ok(value) = decode(&body, policy) {
                let _ = Pickle::encode(&value, &mut BodyMut::new(&mut Vec::new(), 1 << 20));
            }
        }
    }

    #[test]
    fn mutated_pickles_never_panic(
        mut body in valid(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = decode(&body, PicklePolicy::inert());
        let _ = decode(&body[..cut.index(body.len())], PicklePolicy::inert());
    }
}
