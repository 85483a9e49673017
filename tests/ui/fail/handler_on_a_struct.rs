use dip::handler;

#[handler]
struct Note;

fn main() {}
