//! Secrets of clients.

use std::fmt;
use std::hint::black_box;

/// A secret. `Debug` prints its length only.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Returns the secret itself, which must not be logged.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Compares in time that depends on the length only, to prevent timing attacks.
impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.bytes().zip(other.0.bytes());
        let difference = pairs.fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
        self.0.len() == other.0.len() && difference == 0
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.0.len())
    }
}
