//! [`Admission`]: who a client is, as stated by the application's HTTP framework.

use std::time::Duration;

use switchboard_core::Identity;

/// Who a client is, as the application's HTTP framework has found out before the upgrade.
///
/// # Example
///
/// ```
/// # use std::time::Duration;
/// # use switchboard_runtime::Admission;
/// let admission = Admission::user("ann").expires_in(Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    identity: Identity,
}

impl Admission {
    /// A user whose login does not expire. The name must follow the rules for names.
    pub fn user(name: impl Into<String>) -> Self {
        Identity::user(name).into()
    }

    /// Nobody in particular.
    pub const fn anonymous() -> Self {
        Self {
            identity: Identity::Anonymous,
        }
    }

    /// Sets how long the user's login lasts from now.
    #[must_use]
    pub fn expires_in(mut self, lasts: Duration) -> Self {
        if let Identity::User { expires_in, .. } = &mut self.identity {
            *expires_in = Some(lasts);
        }
        self
    }

    pub(crate) fn into_identity(self) -> Identity {
        self.identity
    }
}

impl From<Identity> for Admission {
    fn from(identity: Identity) -> Self {
        Self { identity }
    }
}
