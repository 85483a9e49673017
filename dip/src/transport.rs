//! Placeholder until the transport branch is merged.
#[derive(Debug)]
pub struct BindError;
#[derive(Debug)]
pub struct ConnectError;
impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("x")
    }
}
impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("x")
    }
}
impl std::error::Error for BindError {}
impl std::error::Error for ConnectError {}
