//! Leases, the list of nodes, and what is published as it is.

use std::collections::BTreeMap;

use switchboard_core::cluster::{Answer, Beat, Channel, Done, Peer, Retire};

use super::store::{Key, Value};
use super::{SimRedis, Write};

impl SimRedis {
    pub(super) fn beat(&mut self, it: &Beat) -> Done {
        let lease = Key::Lease(it.registration.to_string());
        if it.renew && !self.store.contains(&lease) {
            return Ok(Answer::Fenced { at: self.now });
        }
        self.may(Write::Grows)?;
        self.store.insert(lease.clone(), Value::Lease);
        self.store.touch(&lease, self.now, it.lease);
        let mut nodes = match self.store.read(&Key::Nodes) {
            Some(Value::Nodes(nodes)) => nodes.clone(),
            _ => BTreeMap::new(),
        };
        nodes.insert(it.registration.to_string(), it.info.to_string());
        for registration in &it.forget {
            nodes.remove(&**registration);
        }
        let peers = nodes
            .iter()
            .map(|(registration, info)| Peer {
                registration: registration.as_str().into(),
                info: info.as_str().into(),
            })
            .collect();
        self.keep_nodes(nodes);
        self.store.touch(&Key::Nodes, self.now, it.list);
        self.publish(&Channel::Everyone, &it.payload);
        Ok(Answer::Beat {
            at: self.now,
            peers: (!it.renew).then_some(peers),
        })
    }

    pub(super) fn retire(&mut self, it: &Retire) -> Done {
        self.may(Write::Frees)?;
        self.store.remove(&Key::Lease(it.registration.to_string()));
        if let Some(Value::Nodes(nodes)) = self.store.value(&Key::Nodes) {
            nodes.remove(&*it.registration);
            if nodes.is_empty() {
                self.store.remove(&Key::Nodes);
            }
        }
        Ok(Answer::Retire(
            self.publish(&Channel::Everyone, &it.payload),
        ))
    }

    pub(super) fn notify(&mut self, channel: &Channel, payload: &[u8]) -> Answer {
        Answer::Notify(self.publish(channel, payload))
    }

    /// Redis has no empty hashes.
    fn keep_nodes(&mut self, nodes: BTreeMap<String, String>) {
        if nodes.is_empty() {
            self.store.remove(&Key::Nodes);
        } else {
            self.store.insert(Key::Nodes, Value::Nodes(nodes));
        }
    }
}
