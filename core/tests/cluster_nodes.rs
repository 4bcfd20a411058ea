//! One machine of a cluster, and heartbeats of others by hand.

use std::time::Duration;

use switchboard_core::Time;
use switchboard_core::cluster::{
    Answer, BadClusterConfig, BrokerTime, Channel, Cluster, ClusterConfig, ClusterNotice, Command,
    Failure, NodeLoad, Output,
};

const START: Time = Time::from_millis(1000);

fn after(millis: u64) -> Time {
    START + Duration::from_millis(millis)
}

struct Node {
    cluster: Cluster,
    notices: Vec<ClusterNotice>,
    /// Commands of the pipeline that is out.
    sent: Vec<Command>,
}

impl Node {
    fn new(node: &str) -> Self {
        let mut cluster = Cluster::new(ClusterConfig::new(node), START);
        cluster.tick(START);
        cluster.connected(START, "life-1");
        let mut node = Self {
            cluster,
            notices: Vec::new(),
            sent: Vec::new(),
        };
        node.poll();
        node.answer(START);
        node
    }

    fn poll(&mut self) {
        while let Some(output) = self.cluster.poll() {
            match output {
                Output::Notice(notice) => self.notices.push(notice),
                Output::Send(commands) => self.sent = commands,
                Output::Hangup => self.sent.clear(),
                _ => {}
            }
        }
        self.cluster.audit().unwrap();
    }

    /// The broker answers, and does not publish this node's heartbeats.
    fn answer(&mut self, now: Time) {
        let sent = std::mem::take(&mut self.sent);
        let answers = sent.iter().map(|command| {
            Ok(match command {
                Command::Ping => Answer::Ping,
                Command::Beat(beat) => Answer::Beat {
                    at: BrokerTime(now.as_nanos() / 1000),
                    peers: (!beat.renew).then(Vec::new),
                },
                other => panic!("{other:?}"),
            })
        });
        self.cluster.answered(now, answers.collect());
        self.poll();
    }

    fn tick(&mut self, now: Time) {
        self.cluster.tick(now);
        self.poll();
        if !self.sent.is_empty() {
            self.answer(now);
        }
    }

    fn hears(&mut self, now: Time, registration: &str, count: u64, figures: &str) {
        let payload = format!("1\tB\t{registration}\t{count}\t1\tup\n{figures}");
        let channel = Channel::Everyone;
        self.cluster.pushed(now, &channel, payload.as_bytes(), None);
        self.poll();
    }

    fn is_down(&self, registration: &str) -> bool {
        let down = ClusterNotice::NodeDown(registration.into());
        self.notices.contains(&down)
    }
}

/// What the other one sent before its lease ran out may still be on its way.
#[test]
fn a_heartbeat_that_comes_back_late_proves_nothing_about_the_time_it_took() {
    let mut node = Node::new("a-0");
    node.hears(after(0), "a-0.1", 1, "");
    node.hears(after(100), "b-0.1", 1, "");
    for second in 1..=3 {
        node.tick(after(second * 1000));
        if second < 3 {
            node.hears(after(second * 1000), "a-0.1", second + 1, "");
        }
    }
    // Sent after 3 s, when the lease of the other one had 100 ms left.
    node.hears(after(3200), "a-0.1", 4, "");
    assert!(!node.is_down("b-0.1"));
    node.hears(after(3200), "b-0.1", 2, "");
    node.tick(after(4000));
    node.hears(after(4000), "a-0.1", 5, "");
    assert!(!node.is_down("b-0.1"));
}

#[test]
fn a_node_that_is_not_heard_of_is_down_after_its_lease() {
    let mut node = Node::new("a-0");
    node.hears(after(0), "a-0.1", 1, "");
    node.hears(after(0), "b-0.1", 1, "");
    for second in 1..=3 {
        assert!(!node.is_down("b-0.1"));
        node.tick(after(second * 1000));
        node.hears(after(second * 1000), "a-0.1", second + 1, "");
    }
    assert!(node.is_down("b-0.1"));
    assert_eq!(node.cluster.stats(after(3000)).nodes, 1);
}

#[test]
fn a_node_whose_own_heartbeat_does_not_come_back_connects_anew() {
    let mut node = Node::new("a-0");
    for half in 1..4 {
        node.tick(after(half * 500));
    }
    assert_eq!(node.cluster.stats(after(1500)).connects, 1);
    assert!(node.cluster.stats(after(1500)).up);
    node.tick(after(2000));
    assert!(!node.cluster.stats(after(2000)).up);
}

#[test]
fn the_figures_of_all_nodes_that_live_are_summed() {
    let mut node = Node::new("a-0");
    node.cluster.set_load(NodeLoad {
        connections: 3,
        users: 2,
        rooms: 1,
        ..NodeLoad::default()
    });
    node.hears(after(70), "a-0.1", 1, "");
    let figures = "connections 5\nusers 4\nlater 9\nrooms x\nmalformed\n";
    node.hears(after(70), "b-0.1", 1, figures);
    let stats = node.cluster.stats(after(2000));
    assert_eq!((stats.nodes, stats.connections), (2, 8));
    assert_eq!((stats.users, stats.rooms), (6, 1));
    assert_eq!(stats.lag, Some(Duration::from_millis(70)));
    assert_eq!((stats.up, stats.since), (true, Duration::from_secs(2)));
    assert_eq!(&*stats.node, "a-0");
}

#[test]
fn a_node_of_the_same_name_is_warned_about() {
    let mut node = Node::new("web-1-0000abcd");
    node.hears(after(0), "web-1-0000abce.1", 1, "");
    let same = ClusterNotice::SameName("web-1-0000abce.1".into());
    assert!(node.notices.contains(&same), "{:?}", node.notices);
    node.notices.clear();
    node.hears(after(0), "web-2-0000abcf.1", 1, "");
    node.hears(after(0), "web-1.1", 1, "");
    let warns = |notice: &ClusterNotice| matches!(notice, ClusterNotice::SameName(_));
    assert!(!node.notices.iter().any(warns), "{:?}", node.notices);
}

#[test]
fn what_the_broker_refuses_is_said_once_until_it_answers() {
    let mut node = Node::new("a-0");
    node.notices.clear();
    let mut now = after(1000);
    for _ in 0..3 {
        node.cluster.tick(now);
        node.poll();
        let sent = std::mem::take(&mut node.sent);
        let refused = sent.iter().map(|_| Err(Failure::NoPermission)).collect();
        node.cluster.answered(now, refused);
        now = now + Duration::from_secs(3);
        node.cluster.tick(now);
        node.cluster.connected(now, "life-1");
        node.poll();
    }
    let failed = ClusterNotice::Failed(Failure::NoPermission);
    let said = node.notices.iter().filter(|notice| **notice == failed);
    assert_eq!(said.count(), 1);
}

#[test]
fn the_defaults_fit_together_and_what_does_not_is_named() {
    let config = ClusterConfig::new("a-0");
    assert_eq!(config.check(), Ok(()));
    let bad = |change: fn(&mut ClusterConfig)| {
        let mut config = ClusterConfig::new("a-0");
        change(&mut config);
        config.check().unwrap_err()
    };
    assert_eq!(bad(|it| it.node = "".into()), BadClusterConfig::Node);
    assert_eq!(bad(|it| it.node = "a\tb".into()), BadClusterConfig::Node);
    assert_eq!(bad(|it| it.lease.beat *= 2), BadClusterConfig::Beat);
    assert_eq!(bad(|it| it.times.answer *= 2), BadClusterConfig::Answer);
    assert_eq!(bad(|it| it.times.hold *= 2), BadClusterConfig::Hold);
    assert_eq!(bad(|it| it.retention.log *= 2), BadClusterConfig::Retention);
    assert_eq!(bad(|it| it.touch *= 2), BadClusterConfig::Touch);
}

/// A link that is back before messages are held no more costs nobody a message.
#[test]
fn the_link_is_tried_often_while_messages_are_held_and_seldom_afterwards() {
    for seed in 0..50 {
        let mut config = ClusterConfig::new("a-00000001");
        config.seed = seed;
        let mut cluster = Cluster::new(config, START);
        cluster.tick(START);
        cluster.connected(START, "life-1");
        cluster.answered(
            START,
            vec![Ok(Answer::Beat {
                at: BrokerTime(1),
                peers: None,
            })],
        );
        while cluster.poll().is_some() {}
        cluster.lost(START);
        let (mut now, mut last, mut longest) = (START, START, Duration::ZERO);
        while now < after(30_000) {
            now = cluster.next_deadline();
            cluster.tick(now);
            while let Some(output) = cluster.poll() {
                if output == Output::Connect {
                    let wait = now.since(last);
                    let is_held = last < after(2_000);
                    assert!(!is_held || wait <= Duration::from_millis(250), "{wait:?}");
                    (last, longest) = (now, longest.max(wait));
                    cluster.lost(now);
                }
            }
        }
        let rare = Duration::from_secs(1)..=Duration::from_secs(2);
        assert!(rare.contains(&longest), "seed {seed}: {longest:?}");
    }
}
