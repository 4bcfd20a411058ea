//! The first requests to a server: whether it is the master, which incarnation its data have, and
//! whether the node has the permissions that it needs. The scripts are loaded in the same step.

use redis::{Pipeline, Value};

use super::connection::Connection;
use super::problem::Problem;
use super::value::to_reply;
use crate::redis::names::Names;
use crate::redis::reply::Reply;
use crate::redis::script::Script;

/// The oldest version that has all that the scripts use.
const OLDEST: (u32, u32) = (6, 2);

/// What a server says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct About {
    version: String,
    role: String,
    replication: String,
    run: String,
    policy: String,
    has_limit: bool,
}

/// What came of an introduction.
pub(super) struct Introduced {
    /// The incarnation of the data.
    pub(super) incarnation: String,
    pub(super) version: String,
    /// The policy by which the server evicts keys, if it does.
    pub(super) evicts: Option<String>,
}

/// Introduces a node to a server.
pub(super) async fn introduce(
    connection: &mut Connection,
    names: &Names,
    name: &str,
) -> Result<Introduced, Problem> {
    let (requests, count) = questions(names, name);
    let answers = connection.send(requests, count);
    let answers = connection.until(answers).await;
    let mut answers = answers
        .map_err(|error| connection.problem(&error))?
        .into_iter();
    // The name helps operators; a server that forbids or does not know it is as good.
    let _ = answers.next();
    let mut about = About::default();
    for _ in SECTIONS {
        let text = text(connection, answers.next())?;
        about.read(&text);
    }
    let host = connection.host.clone();
    if about.is_too_old() {
        return Err(Problem::TooOld(host, about.version.into()));
    }
    match &*about.role {
        "master" => {}
        "" => return Err(garbled(connection)),
        _ => return Err(Problem::Replica(host)),
    }
    for script in Script::ALL {
        let digest = text(connection, answers.next())?;
        if digest != script.digest() {
            return Err(garbled(connection));
        }
    }
    let refused = text(connection, answers.next())?;
    if !refused.is_empty() {
        let missing = format!("the user may not call {refused} on {}", names.probe());
        return Err(Problem::NoPermission(host, missing.into()));
    }
    about.into_introduced().ok_or_else(|| garbled(connection))
}

const SECTIONS: [&str; 3] = ["server", "replication", "memory"];

fn questions(names: &Names, name: &str) -> (Pipeline, usize) {
    let mut requests = redis::pipe();
    requests.cmd("CLIENT").arg("SETNAME").arg(name);
    for section in SECTIONS {
        requests.cmd("INFO").arg(section);
    }
    for script in Script::ALL {
        requests.cmd("SCRIPT").arg("LOAD").arg(script.source());
    }
    let probe = names.probe();
    requests
        .cmd("EVALSHA")
        .arg(Script::Probe.digest())
        .arg(1)
        .arg(&probe)
        .arg(&probe);
    (requests, 2 + SECTIONS.len() + Script::ALL.len())
}

/// The text of an answer; the elements of a list are parted by commas.
fn text(connection: &Connection, answer: Option<Value>) -> Result<String, Problem> {
    let answer = answer.ok_or_else(|| garbled(connection))?;
    if let Value::ServerError(error) = &answer {
        return Err(connection.refusal(error));
    }
    let texts = match to_reply(answer) {
        Some(Reply::List(elements)) => elements,
        Some(reply) => vec![reply],
        None => return Err(garbled(connection)),
    };
    let texts: Option<Vec<String>> = texts
        .into_iter()
        .map(|reply| match reply {
            Reply::Text(bytes) => String::from_utf8(bytes).ok(),
            _ => None,
        })
        .collect();
    texts
        .map(|texts| texts.join(", "))
        .ok_or_else(|| garbled(connection))
}

fn garbled(connection: &Connection) -> Problem {
    let error = "it does not answer INFO and SCRIPT LOAD as Redis does";
    Problem::Garbled(connection.host.clone(), error.into())
}

impl About {
    /// Reads a section of INFO.
    fn read(&mut self, section: &str) {
        for (key, value) in section.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match key {
                "redis_version" => value.clone_into(&mut self.version),
                "run_id" => value.clone_into(&mut self.run),
                "role" => value.clone_into(&mut self.role),
                "master_replid" => value.clone_into(&mut self.replication),
                "maxmemory" => self.has_limit = value != "0",
                "maxmemory_policy" => value.clone_into(&mut self.policy),
                _ => {}
            }
        }
    }

    /// A server whose version cannot be parsed is not refused, because loading the scripts shows what
    /// it supports.
    fn is_too_old(&self) -> bool {
        let mut numbers = self.version.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < OLDEST,
            _ => false,
        }
    }

    /// The id of replication changes at each restart and each promotion. Some services hide it; that of the
    /// process changes at least with it.
    fn into_introduced(self) -> Option<Introduced> {
        let evicts = self.has_limit && !self.policy.is_empty() && self.policy != "noeviction";
        let ids = [self.replication, self.run];
        Some(Introduced {
            incarnation: ids.into_iter().find(|id| !id.is_empty())?,
            version: self.version,
            evicts: evicts.then_some(self.policy),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(text: &str) -> About {
        let mut about = About::default();
        about.read(text);
        about
    }

    #[test]
    fn a_server_is_known_by_its_replication_or_else_by_its_process() {
        let incarnation = |text| about(text).into_introduced().map(|it| it.incarnation);
        let both = "run_id:ff\r\n# Replication\r\nrole:master\r\nmaster_replid:ab12\r\n";
        assert_eq!(incarnation(both).as_deref(), Some("ab12"));
        assert_eq!(incarnation("run_id:ff\r\n").as_deref(), Some("ff"));
        assert_eq!(incarnation("role:master\r\n"), None);
        assert_eq!(about(both).role, "master");
    }

    #[test]
    fn versions_before_the_scripts_are_too_old() {
        for (version, too_old) in [
            ("6.0.16", true),
            ("5.0.7", true),
            ("6.2.0", false),
            ("7.0.15", false),
            ("10.1", false),
            ("unknown", false),
            ("", false),
        ] {
            let about = about(&format!("redis_version:{version}\r\n"));
            assert_eq!(about.is_too_old(), too_old, "{version}");
        }
    }

    #[test]
    fn a_policy_evicts_only_where_memory_has_a_limit() {
        let evicts = |text: &str| {
            let about = about(&format!("run_id:ff\r\n{text}"));
            about.into_introduced().and_then(|it| it.evicts)
        };
        let policy = evicts("maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\n");
        assert_eq!(policy.as_deref(), Some("allkeys-lru"));
        assert_eq!(
            evicts("maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n"),
            None
        );
        assert_eq!(
            evicts("maxmemory:100\r\nmaxmemory_policy:noeviction\r\n"),
            None
        );
    }
}
