//! `worker PATH NUMBER MESSAGES`: sends that many steps in lock-step, as the Python package does, and
//! fails unless each is answered by `ok` and nothing else.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use dip_tests::step::{Step, id_of};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, path, worker, messages] = &arguments[..] else {
        return Err("usage: worker PATH NUMBER MESSAGES".into());
    };
    let (worker, messages) = (worker.parse()?, messages.parse()?);
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;

    send(&mut stream, 0x1d, id_of(worker).as_bytes())?;
    let mut step = Step::first(worker);
    for _ in 0..messages {
        send(&mut stream, b'J', &serde_json::to_vec(&step)?)?;
        step = step.next();
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    match stream.read(&mut [0; 64])? {
        0 => Ok(()),
        more => Err(format!("{more} bytes that answer nothing").into()),
    }
}

fn send(stream: &mut UnixStream, mtype: u8, body: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut frame = vec![mtype];
    frame.extend_from_slice(&u32::try_from(body.len())?.to_be_bytes());
    frame.extend_from_slice(body);
    stream.write_all(&frame)?;

    let mut reply = [0; 4096];
    let len = stream.read(&mut reply)?;
    match &reply[..len] {
        b"ok" => Ok(()),
        other => Err(format!("the reply is {:?}", String::from_utf8_lossy(other)).into()),
    }
}
