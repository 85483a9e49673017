use dip::Protocol;

#[derive(Protocol)]
#[mtype(b'N')]
union Note {
    number: u32,
}

fn main() {}
