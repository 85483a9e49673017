//! Which program a peer says it is.

use super::Malformed;

/// A program and its process, for people: a peer can claim anything.
///
/// ```text
/// len u8 | name | len u8 | version | len u8 | label | pid u32
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) version: String,
    /// What tells this process from others of the program.
    pub(crate) label: String,
    pub(crate) pid: u32,
}

impl App {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let name = text(&mut bytes)?;
        let version = text(&mut bytes)?;
        let label = text(&mut bytes)?;
        let pid = bytes.try_into().map_err(|_| Malformed("an app whose pid is not 4 bytes"))?;
        Ok(Self { name, version, label, pid: u32::from_be_bytes(pid) })
    }

    /// Each text is cut at 255 bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for text in [&self.name, &self.version, &self.label] {
            let text = &text[..text.floor_char_boundary(u8::MAX.into())];
            out.push(text.len() as u8);
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&self.pid.to_be_bytes());
        out
    }
}

fn text(bytes: &mut &[u8]) -> Result<String, Malformed> {
    let cut = Malformed("an app that is cut");
    let (&len, rest) = bytes.split_first().ok_or(cut)?;
    let (text, rest) = rest.split_at_checked(len.into()).ok_or(cut)?;
    *bytes = rest;
    let text = str::from_utf8(text).map_err(|_| Malformed("an app whose text is not UTF-8"))?;
    Ok(text.to_owned())
}
