//! Where the broker is, from a URL.

use std::collections::VecDeque;
use std::fmt;

/// The address of the broker, and the credentials of the node.
///
/// ```text
/// redis://[user:password@]host[:6379][/database]
/// redis+sentinel://[user:password@]host[:26379][,host[:26379]…]/master[/database]
///                  [?sentinel_username=…&sentinel_password=…]
/// ```
///
/// `rediss://` and `rediss+sentinel://` are the same over TLS. User, password and parameters may have
/// percent-encoded characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The server, or the sentinels; at least one.
    pub(super) hosts: Vec<Host>,
    /// The name by which sentinels know the server; `None` where the URL names the server itself.
    pub(super) master: Option<String>,
    pub(super) secure: bool,
    pub(super) login: Option<Login>,
    pub(super) sentinel_login: Option<Login>,
    pub(super) database: u32,
}

/// A host name or an IP address, without brackets, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name or address.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// The user that logs in.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    /// `None` is the user `default`.
    pub(super) user: Option<String>,
    pub(super) password: String,
}

/// Why a URL names no broker.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTarget {
    /// It does not begin with a known scheme.
    Scheme,
    /// A host is missing or invalid.
    Host,
    /// A port is no number from 1 to 65535.
    Port,
    /// The database is no number.
    Database,
    /// A user without a password.
    Login,
    /// A percent sign is not followed by two hexadecimal digits, or what they mean is not UTF-8.
    Escape,
    /// An unknown parameter.
    Parameter,
    /// Sentinels without the name of a master.
    Master,
    /// Several hosts that are not called sentinels.
    Hosts,
    /// TLS, which needs the feature `redis-tls`.
    NoTls,
}

impl BadTarget {
    /// Returns the broken rule, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheme => {
                "the URL of Redis must begin with redis://, rediss://, redis+sentinel:// or rediss+sentinel://"
            }
            Self::Host => "the URL of Redis must name a host, as in redis://127.0.0.1:6379",
            Self::Port => "the port in the URL of Redis must be a number from 1 to 65535",
            Self::Database => {
                "the database in the URL of Redis must be a number, as in redis://host/0"
            }
            Self::Login => {
                "the URL of Redis has a user without a password: write redis://user:password@host"
            }
            Self::Escape => {
                "a percent sign in the URL of Redis must begin an escape such as %40, which means @"
            }
            Self::Parameter => {
                "the URL of Redis has an unknown parameter: sentinel_username and sentinel_password are known"
            }
            Self::Master => {
                "the URL of sentinels must name the master, as in redis+sentinel://host:26379/mymaster"
            }
            Self::Hosts => {
                "the URL of Redis names several hosts: only redis+sentinel:// may, for its sentinels"
            }
            Self::NoTls => "rediss:// needs the feature `redis-tls` and a TLS configuration",
        }
    }
}

impl fmt::Display for BadTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for BadTarget {}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// Omits the passwords.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("hosts", &self.hosts)
            .field("master", &self.master)
            .field("secure", &self.secure)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// Whether it is to be spoken with over TLS.
    pub(crate) const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Parses a URL.
    ///
    /// # Errors
    ///
    /// [`BadTarget`] says what is wrong with it. It does not repeat the URL, which may hold a password.
    pub fn parse(url: &str) -> Result<Self, BadTarget> {
        let (scheme, rest) = url.split_once("://").ok_or(BadTarget::Scheme)?;
        let (secure, sentinel) = match scheme {
            "redis" => (false, false),
            "rediss" => (true, false),
            "redis+sentinel" => (false, true),
            "rediss+sentinel" => (true, true),
            _ => return Err(BadTarget::Scheme),
        };
        if secure && cfg!(not(feature = "redis-tls")) {
            return Err(BadTarget::NoTls);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // A password may have an @ that is not escaped.
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let hosts = parse_hosts(hosts, if sentinel { 26379 } else { 6379 })?;
        if hosts.len() > 1 && !sentinel {
            return Err(BadTarget::Hosts);
        }
        let mut path: VecDeque<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let master = match (sentinel, path.front()) {
            (false, _) => None,
            (true, None) => return Err(BadTarget::Master),
            (true, Some(_)) => path.pop_front().map(unescape).transpose()?,
        };
        let database = match path.pop_front() {
            None => 0,
            Some(database) => digits(database).ok_or(BadTarget::Database)?,
        };
        if !path.is_empty() {
            return Err(BadTarget::Database);
        }
        Ok(Self {
            hosts,
            master,
            secure,
            login: login.map(parse_login).transpose()?.flatten(),
            sentinel_login: parse_query(query, sentinel)?,
            database,
        })
    }
}

fn parse_hosts(hosts: &str, port: u16) -> Result<Vec<Host>, BadTarget> {
    hosts
        .split(',')
        .map(|host| parse_host(host, port))
        .collect()
}

fn parse_host(host: &str, default: u16) -> Result<Host, BadTarget> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']').ok_or(BadTarget::Host)?;
            let address: Result<std::net::Ipv6Addr, _> = name.parse();
            address.map_err(|_| BadTarget::Host)?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or(BadTarget::Host)?),
            };
            (name, port)
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "/?#[]@%".contains(c);
    if name.is_empty() || name.contains(is_odd) {
        return Err(BadTarget::Host);
    }
    let port = match port {
        None => default,
        Some(port) => digits(port)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0)
            .ok_or(BadTarget::Port)?,
    };
    Ok(Host {
        name: name.to_owned(),
        port,
    })
}

fn parse_login(login: &str) -> Result<Option<Login>, BadTarget> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    to_login(unescape(user)?, unescape(password)?)
}

fn to_login(user: String, password: String) -> Result<Option<Login>, BadTarget> {
    match (user.is_empty(), password.is_empty()) {
        (true, true) => Ok(None),
        (false, true) => Err(BadTarget::Login),
        (empty, false) => Ok(Some(Login {
            user: (!empty).then_some(user),
            password,
        })),
    }
}

fn parse_query(query: &str, sentinel: bool) -> Result<Option<Login>, BadTarget> {
    let (mut user, mut password) = (String::new(), String::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sentinel_username", value)) if sentinel => user = unescape(value)?,
            Some(("sentinel_password", value)) if sentinel => password = unescape(value)?,
            // Other clients take it from their URL; nothing else works here.
            Some(("protocol", "resp3" | "3")) => {}
            _ => return Err(BadTarget::Parameter),
        }
    }
    to_login(user, password)
}

/// Reads a number that consists of digits only.
fn digits(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Decodes percent-encoded characters.
fn unescape(text: &str) -> Result<String, BadTarget> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(BadTarget::Escape);
        };
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| BadTarget::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap_or_else(|bad| panic!("{url}: {bad}"))
    }

    fn host(name: &str, port: u16) -> Host {
        Host {
            name: name.to_owned(),
            port,
        }
    }

    fn login(user: Option<&str>, password: &str) -> Login {
        Login {
            user: user.map(str::to_owned),
            password: password.to_owned(),
        }
    }

    #[test]
    fn a_url_names_a_server_a_database_and_who_logs_in() {
        let plain = target("redis://redis.example");
        assert_eq!(plain.hosts, [host("redis.example", 6379)]);
        assert!(plain.login.is_none() && plain.database == 0 && plain.master.is_none());
        let full = target("redis://ann:p%40ss:w%2Frd@[::1]:7000/3?protocol=resp3");
        assert_eq!(full.hosts, [host("::1", 7000)]);
        assert!(full.login == Some(login(Some("ann"), "p@ss:w/rd")) && full.database == 3);
        assert!(target("redis://:s3cr3t@h/").login == Some(login(None, "s3cr3t")));
        assert!(target("redis://:a@b@h").login == Some(login(None, "a@b")));
        assert_eq!(full.hosts[0].to_string(), "[::1]:7000");
    }

    #[test]
    fn a_url_names_sentinels_and_the_master_that_they_know() {
        let sentinels = target(
            "redis+sentinel://:p@a,b:7,[::2]/main/1?sentinel_username=s&sentinel_password=q%25",
        );
        let hosts = [host("a", 26379), host("b", 7), host("::2", 26379)];
        assert_eq!(sentinels.hosts, hosts);
        assert_eq!(sentinels.master.as_deref(), Some("main"));
        assert!(sentinels.login == Some(login(None, "p")) && sentinels.database == 1);
        assert!(sentinels.sentinel_login == Some(login(Some("s"), "q%")));
    }

    #[test]
    fn what_names_no_broker_is_an_error_that_says_what_is_missing() {
        for (url, bad) in [
            ("", BadTarget::Scheme),
            ("127.0.0.1:6379", BadTarget::Scheme),
            ("http://h", BadTarget::Scheme),
            ("unix:///run/redis.sock", BadTarget::Scheme),
            ("redis://", BadTarget::Host),
            ("redis://:6379", BadTarget::Host),
            ("redis://a b", BadTarget::Host),
            ("redis://::1", BadTarget::Host),
            ("redis://[::1", BadTarget::Host),
            ("redis://[h]", BadTarget::Host),
            ("redis://h:", BadTarget::Port),
            ("redis://h:0", BadTarget::Port),
            ("redis://h:65536", BadTarget::Port),
            ("redis://h:+1", BadTarget::Port),
            ("redis://h/a", BadTarget::Database),
            ("redis://h/-1", BadTarget::Database),
            ("redis://h/1/2", BadTarget::Database),
            ("redis://ann@h", BadTarget::Login),
            ("redis://:%4@h", BadTarget::Escape),
            ("redis://:%ff@h", BadTarget::Escape),
            ("redis://h?db=1", BadTarget::Parameter),
            ("redis://h?sentinel_password=p", BadTarget::Parameter),
            ("redis://a,b", BadTarget::Hosts),
            ("redis+sentinel://a,b", BadTarget::Master),
            ("redis+sentinel://a,/m", BadTarget::Host),
        ] {
            assert_eq!(Target::parse(url).err(), Some(bad), "{url}");
        }
    }

    #[test]
    fn tls_needs_its_feature() {
        for url in ["rediss://h", "rediss+sentinel://h/m"] {
            match Target::parse(url) {
                Ok(target) => assert!(cfg!(feature = "redis-tls") && target.secure),
                Err(bad) => assert!(cfg!(not(feature = "redis-tls")) && bad == BadTarget::NoTls),
            }
        }
    }

    #[test]
    fn debug_output_has_no_password() {
        let target = target("redis+sentinel://u:s3cr3t@h/m?sentinel_password=s3cr3t");
        assert!(!format!("{target:?}").contains("s3cr3t"));
    }
}
