//! The error of a configuration.

use std::fmt;

/// A configuration value that breaks a rule.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The path of the field.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// The rule.
    pub rule: &'static str,
}

impl ConfigError {
    /// Creates an error, for what only the driver knows of a configuration.
    #[doc(hidden)]
    pub fn new(field: &'static str, value: impl Into<String>, rule: &'static str) -> Self {
        let value = value.into();
        Self { field, value, rule }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.field, self.value, self.rule)
    }
}

impl std::error::Error for ConfigError {}
