//! [`SlotMap`]: which node of a Redis Cluster has which slots.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::address::Place;
use crate::resp::Reply;

const SLOTS: u16 = 16384;

/// The masters of a cluster and their slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SlotMap {
    /// The masters.
    pub(crate) places: Vec<Place>,
    /// In ascending order, with the index of the master.
    ranges: Vec<(RangeInclusive<u16>, usize)>,
}

impl SlotMap {
    /// Understands the reply of `CLUSTER SLOTS`. A node that does not know its own address is where
    /// it was asked.
    pub(crate) fn read(reply: &Reply<'_>, asked: &Place) -> Option<Self> {
        let Place::Tcp { host: asked_host, tls, .. } = asked else { return None };
        let mut map = Self::default();
        let mut indexes = HashMap::new();
        for item in reply.array()? {
            let [start, end, master, ..] = item.array()? else { return None };
            let [host, port, ..] = master.array()? else { return None };
            let host = match host.text() {
                None | Some("" | "?") => Arc::clone(asked_host),
                Some(host) => host.into(),
            };
            let (start, end) = (slot_number(start)?, slot_number(end)?);
            let port = u16::try_from(port.integer()?).ok()?;
            let index = *indexes.entry((Arc::clone(&host), port)).or_insert_with(|| {
                map.places.push(Place::Tcp { host, port, tls: *tls });
                map.places.len() - 1
            });
            map.ranges.push((start..=end, index));
        }
        map.ranges.sort_by_key(|(range, _)| *range.start());
        Some(map)
    }

    /// The index of the node that has a slot.
    pub(crate) fn node(&self, slot: u16) -> Option<usize> {
        let after = self.ranges.partition_point(|(range, _)| *range.start() <= slot);
        let (range, node) = self.ranges.get(after.checked_sub(1)?)?;
        range.contains(&slot).then_some(*node)
    }
}

fn slot_number(reply: &Reply<'_>) -> Option<u16> {
    u16::try_from(reply.integer()?).ok().filter(|slot| *slot < SLOTS)
}

/// The slot of a channel. If it has a part in braces that is not empty, only the first such part
/// counts.
pub(crate) fn slot(channel: &[u8]) -> u16 {
    let tag = channel.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &channel[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(channel)) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp;

    #[test]
    fn slots_are_those_of_redis() {
        // As `CLUSTER KEYSLOT` says.
        for (channel, expected) in [
            ("", 0),
            ("123456789", 12739),
            ("foo", 12182),
            ("{foo}.bar", 12182),
            ("a{foo}{bar}", 12182),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
        ] {
            assert_eq!(slot(channel.as_bytes()), expected, "{channel}");
        }
    }

    #[test]
    fn nodes_are_found_by_slot() {
        let reply = b"*3\r\n\
            *3\r\n:5461\r\n:16383\r\n*2\r\n$1\r\nb\r\n:7001\r\n\
            *4\r\n:0\r\n:100\r\n*3\r\n$0\r\n\r\n:7000\r\n$2\r\nid\r\n*2\r\n$1\r\nr\r\n:7009\r\n\
            *3\r\n:200\r\n:300\r\n*2\r\n$-1\r\n:7000\r\n";
        let asked = Place::Tcp { host: "a".into(), port: 1, tls: false };
        let map = SlotMap::read(&resp::reply(reply).unwrap().0, &asked).unwrap();
        let names: Vec<_> = map.places.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["redis://b:7001", "redis://a:7000"]);
        let nodes = [0, 100, 101, 199, 200, 300, 301, 5460, 5461, 16383].map(|slot| map.node(slot));
        let (a, b) = (Some(1), Some(0));
        assert_eq!(nodes, [a, a, None, None, a, a, None, None, b, b]);
    }
}
