use dip::Protocol;

#[derive(Protocol)]
#[mtype(b'N')]
#[protocol(codec = fields)]
enum Note {
    Short,
}

fn main() {}
