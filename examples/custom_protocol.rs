//! A body in a format of its own: the fixed-string compression of deepfos-ipc's README, where
//! `Hello World` travels as the one byte `h`.
//!
//! A Python worker with that `StringMappingProto` can talk to this server as it is.
//!
//! ```text
//! cargo run --example custom_protocol
//! ```

use dip::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
use dip::{Client, Protocol, Server, handler};

/// What is sent often enough to have a code.
const CODES: &[(&str, &[u8])] = &[("Hello World", b"h"), ("Good night", b"n")];

#[derive(Protocol)]
#[mtype(b'S')]
#[protocol(codec = Coded)]
struct Phrase(String);

struct Coded;

impl Codec<Phrase> for Coded {
    fn encode(phrase: &Phrase, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        let code = CODES.iter().find(|(text, _)| *text == phrase.0);
        let (_, code) = code.ok_or_else(|| EncodeError::new("the phrase has no code"))?;
        body.extend_from_slice(code);
        Ok(())
    }

    fn decode(body: Body<'_>, _: &DecodeLimits) -> Result<Phrase, DecodeError> {
        let text = CODES.iter().find(|(_, code)| *code == &*body);
        let (text, _) = text.ok_or_else(|| DecodeError::new("no phrase has this code"))?;
        Ok(Phrase((*text).to_owned()))
    }
}

#[handler]
async fn phrase(Phrase(text): Phrase) {
    println!("received: {text}");
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let path = std::env::temp_dir().join(format!("custom-{}.sock", std::process::id()));
    let server = Server::builder(&path).bind().await?;
    tokio::spawn(server.run());

    let client = Client::connect(&path).await?;
    client.send(&Phrase("Hello World".into())).await?;
    client.send_raw(b'S', &b"n"[..]).await?;
    if let Err(error) = client.send(&Phrase("Good morning".into())).await {
        // Debug of `dip::Error` is the report with all causes, as `main` prints it.
        println!("{:?}", dip::Error::from(error));
    }
    if let Err(error) = client.send_raw(b'S', &b"?"[..]).await {
        println!("refused: {error}");
    }
    client.close().await
}
