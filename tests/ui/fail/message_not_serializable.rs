use dip::Protocol;

#[derive(Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

fn main() {}
