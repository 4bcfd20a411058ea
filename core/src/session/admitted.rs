//! [`Admission`]: the identity of a client, and the data that the application attaches to its
//! connection.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Identity, PresenceInfo};

/// The application's answer to a client that it lets in: its [`Identity`], and data that later hooks
/// get back.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use switchboard_core::Admission;
///
/// struct Profile {
///     colour: &'static str,
/// }
///
/// let admission = Admission::user("ann")
///     .expires_in(Duration::from_secs(3600))
///     .with(Profile { colour: "teal" });
/// assert_eq!(admission.data().get::<Profile>().unwrap().colour, "teal");
/// ```
#[derive(Clone, Debug)]
pub struct Admission {
    identity: Identity,
    data: Data,
    presence: Option<PresenceInfo>,
    compresses: bool,
}

impl Admission {
    /// A user whose login does not expire. The name must follow the rules for names.
    pub fn user(name: impl Into<String>) -> Self {
        Identity::user(name).into()
    }

    /// Admits the client anonymously.
    pub fn anonymous() -> Self {
        Identity::Anonymous.into()
    }

    /// Sets how long the user's login lasts from now.
    #[must_use]
    pub fn expires_in(mut self, lasts: Duration) -> Self {
        if let Identity::User { expires_in, .. } = &mut self.identity {
            *expires_in = Some(lasts);
        }
        self
    }

    /// Keeps a value with the connection, in place of an earlier one of the same type.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.data.insert(value);
        self
    }

    /// Sets the presence info of the user, and replaces any earlier one.
    #[must_use]
    pub fn presence(mut self, info: PresenceInfo) -> Self {
        self.presence = Some(info);
        self
    }

    /// Disables compression of messages to the client, whatever it offers. For clients whose messages
    /// contain both a secret and data that somebody else chose (RFC 7692, section 8).
    #[must_use]
    pub fn without_compression(mut self) -> Self {
        self.compresses = false;
        self
    }

    /// Returns the identity.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the data.
    pub const fn data(&self) -> &Data {
        &self.data
    }

    pub(super) const fn compresses(&self) -> bool {
        self.compresses
    }

    pub(super) fn into_parts(self) -> (Identity, Data, Option<PresenceInfo>) {
        (self.identity, self.data, self.presence)
    }
}

impl From<Identity> for Admission {
    fn from(identity: Identity) -> Self {
        Self {
            identity,
            data: Data::default(),
            presence: None,
            compresses: true,
        }
    }
}

/// What the application keeps with a connection: at most one value of each type. Cheap to clone, and
/// one pointer while empty.
#[derive(Clone, Default)]
pub struct Data(Option<Arc<Vec<Value>>>);

type Value = Arc<dyn Any + Send + Sync>;

impl Data {
    /// Returns the value of a type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.values().iter().find_map(|value| value.downcast_ref())
    }

    /// Returns whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.values().is_empty()
    }

    fn values(&self) -> &[Value] {
        self.0.as_ref().map_or(&[], |values| values)
    }

    fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        let values = Arc::make_mut(self.0.get_or_insert_default());
        values.retain(|other| !other.is::<T>());
        values.push(Arc::new(value));
    }
}

impl fmt::Debug for Data {
    /// Shows the number of values only, because they are the application's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} values)", self.values().len())
    }
}
