//! [`RedisCluster`]: the nodes of a Redis Cluster of a test.

use std::process::Command;
use std::thread;
use std::time::Duration;

use super::Server;
use super::server::{free_port, program};

/// Nodes that know each other. They end when it is dropped.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<Server>,
}

impl RedisCluster {
    /// Starts masters, each with this number of replicas.
    pub(crate) fn start(masters: usize, replicas: usize) -> Self {
        let node = |_| {
            let bus = free_port().to_string();
            Server::with(&["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "1000"])
        };
        let cluster = Self { nodes: (0..masters * (replicas + 1)).map(node).collect() };
        if masters == 1 {
            cluster.nodes[0].cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        } else {
            let output = Command::new(program("REDIS_CLI", "redis-cli"))
                .args(["--cluster", "create", "--cluster-yes", "--cluster-replicas", &replicas.to_string()])
                .args(cluster.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)))
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        cluster.wait(|node| node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
        let known = cluster.nodes.len();
        // A node that is alone does not know its address.
        if known == 1 {
            return cluster;
        }
        cluster.wait(|node| {
            node.cli(&["CLUSTER", "NODES"]).lines().filter(|line| line.contains(" connected")).count() == known
        });
        cluster.wait(|node| node.cli(&["CLUSTER", "SLOTS"]).matches("127.0.0.1").count() == known);
        cluster
    }

    /// Waits until something is true of all nodes.
    fn wait(&self, is_true: impl Fn(&Server) -> bool) {
        for _ in 0..3000 {
            if self.nodes.iter().all(&is_true) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the nodes do not form a cluster: {}", self.nodes[0].cli(&["CLUSTER", "NODES"]));
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }

    /// The index of the master that has a slot, as `node` sees it.
    pub(crate) fn master(&self, node: usize, slot: u16) -> usize {
        let nodes = self.nodes[node].cli(&["CLUSTER", "NODES"]);
        let has = |range: &str| match range.split_once('-') {
            Some((first, last)) => (first.parse().unwrap()..=last.parse().unwrap()).contains(&slot),
            None => range.parse() == Ok(slot),
        };
        let line = nodes.lines().find(|line| {
            line.contains("master") && line.split(' ').skip(8).filter(|range| !range.starts_with('[')).any(has)
        });
        let address = line.unwrap_or_else(|| panic!("no master has {slot}: {nodes}")).split([' ', '@']).nth(1);
        self.nodes.iter().position(|node| address == Some(&format!("127.0.0.1:{}", node.port))).unwrap()
    }

    pub(crate) fn slot(&self, channel: &str) -> u16 {
        self.nodes[0].cli(&["CLUSTER", "KEYSLOT", channel]).parse().unwrap()
    }

    /// Moves a slot without keys to another master.
    pub(crate) fn move_slot(&self, slot: u16, from: usize, to: usize) {
        let id = |node: usize| self.nodes[node].cli(&["CLUSTER", "MYID"]);
        let slot = slot.to_string();
        let set = |node: usize, how: &[&str]| {
            let command = [&["CLUSTER", "SETSLOT", &slot], how].concat();
            assert_eq!(self.nodes[node].cli(&command), "OK");
        };
        set(to, &["IMPORTING", &id(from)]);
        set(from, &["MIGRATING", &id(to)]);
        set(to, &["NODE", &id(to)]);
        set(from, &["NODE", &id(to)]);
    }
}
