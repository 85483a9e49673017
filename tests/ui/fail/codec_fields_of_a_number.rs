use dip::Protocol;

#[derive(Protocol)]
#[mtype(b'N')]
#[protocol(codec = fields)]
struct Note {
    text: Option<String>,
    line: u32,
}

fn main() {}
