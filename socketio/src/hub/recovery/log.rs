//! [`Log`]: what was emitted in a namespace, numbered and bounded.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::block::{Block, Entry, Target};
use crate::hub::adapter::Packet;
use crate::wire::offset::Offset;

/// The messages of a namespace. Their numbers have no gaps.
#[derive(Debug)]
pub(crate) struct Log {
    /// Full blocks, the oldest first.
    full: VecDeque<FullBlock>,
    /// The block of the next messages.
    open: Block,
    /// The number of the first message of the open block.
    open_first: u64,
    /// The first part of all offsets.
    epoch: u64,
    /// The number of the first message that is kept, or of the next one if there is none. Earlier
    /// ones may be in the same block.
    first: u64,
    /// The size of the full blocks.
    bytes: usize,
    /// The size from which on a block is full.
    block_bytes: usize,
    /// The number of messages from which on a block is full.
    block_packets: usize,
    bounds: LogBounds,
}

#[derive(Debug)]
struct FullBlock {
    /// The number of its first message.
    first: u64,
    /// When it was full, which is after its last message.
    at: Instant,
    size: usize,
    block: Block,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LogBounds {
    pub(crate) age: Duration,
    pub(crate) bytes: usize,
    pub(crate) packets: usize,
}

/// A block is a small part of a log, because it is dropped as a whole.
const PART: usize = 32;
/// The largest size from which on a block is full, in bytes.
const MAX_BLOCK: usize = 64 * 1024;

impl Log {
    pub(crate) fn new(bounds: LogBounds) -> Self {
        Self {
            full: VecDeque::new(),
            open: Block::default(),
            open_first: 1,
            epoch: new_epoch(),
            first: 1,
            bytes: 0,
            block_bytes: (bounds.bytes / PART).min(MAX_BLOCK),
            block_packets: (bounds.packets / PART).max(1),
            bounds,
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    fn at(&self, number: u64) -> Offset {
        Offset { epoch: self.epoch, number }
    }

    /// The number of the next message.
    fn next(&self) -> u64 {
        self.open_first + self.open.len() as u64
    }

    /// The offset of the last message, which may have been dropped since.
    pub(crate) fn last(&self) -> Offset {
        self.at(self.next() - 1)
    }

    /// The offset of the oldest message that is kept, or of the next one.
    pub(crate) fn oldest(&self) -> Offset {
        self.at(self.first)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first == self.next()
    }

    /// Appends a message, and drops old ones. The caller drops these where it holds no lock,
    /// because they may have bytes of the application.
    pub(crate) fn append(
        &mut self,
        target: Target<'_>,
        packet: &Packet,
        now: impl FnOnce() -> Instant,
        dropped: &mut Dropped,
    ) -> Offset {
        self.open.push(target, packet);
        let offset = self.last();
        self.first = self.first.max((offset.number + 1).saturating_sub(self.bounds.packets as u64));
        // It is mostly not full, and the time is not needed.
        if self.open.used() >= self.block_bytes || self.open.len() >= self.block_packets {
            self.close(now(), dropped);
        }
        offset
    }

    /// Drops the messages that have become too old.
    pub(crate) fn trim(&mut self, now: Instant, dropped: &mut Dropped) {
        if !self.open.is_empty() {
            self.close(now, dropped);
        }
        self.drop_old(now, dropped);
        self.full.shrink_to(self.full.len() * 2);
        if self.is_empty() {
            self.open = Block::default();
        }
    }

    /// Begins another block, and drops old ones until the log is within its bounds.
    fn close(&mut self, now: Instant, dropped: &mut Dropped) {
        let first = self.open_first;
        self.open_first = self.next();
        let mut block = std::mem::take(&mut self.open);
        block.shrink();
        let size = block.size();
        self.bytes += size;
        self.full.push_back(FullBlock { first, at: now, size, block });
        self.drop_old(now, dropped);
        // A block of one large message has buffers that would be too large for the next messages.
        let spare = dropped.0.last_mut().filter(|block| block.size() <= 2 * self.block_bytes);
        self.open = spare.map(Block::take_buffers).unwrap_or_default();
    }

    fn drop_old(&mut self, now: Instant, dropped: &mut Dropped) {
        // The open block will be as large.
        let bytes = self.bounds.bytes - self.block_bytes;
        while let Some(oldest) = self.full.front() {
            let end = oldest.first + oldest.block.len() as u64;
            let is_old = now.saturating_duration_since(oldest.at) > self.bounds.age;
            if !is_old && self.bytes <= bytes && end > self.first {
                return;
            }
            let Some(oldest) = self.full.pop_front() else { return };
            self.first = self.first.max(end);
            self.bytes -= oldest.size;
            dropped.0.push(oldest.block);
        }
    }

    /// The messages after an offset of this log, without those that a session can't get whichever
    /// rooms it is in.
    pub(crate) fn after(&self, offset: Offset, session: u64) -> impl Iterator<Item = (Offset, Entry<'_>)> {
        let from = offset.number.saturating_add(1).max(self.first);
        let skipped = self.full.partition_point(|full| full.first + full.block.len() as u64 <= from);
        let full = self.full.iter().skip(skipped).map(|full| (full.first, &full.block));
        full.chain([(self.open_first, &self.open)]).flat_map(move |(first, block)| {
            let begin = from.saturating_sub(first) as usize;
            block.entries_for(session, begin).map(move |(number, entry)| (self.at(first + number as u64), entry))
        })
    }
}

/// A number that no other log has. It begins with the time, so that people can tell logs apart.
fn new_epoch() -> u64 {
    let mut random = [0; 2];
    getrandom::fill(&mut random).expect("the system provides random bytes");
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    time * 100_000 + u64::from(u16::from_le_bytes(random))
}

/// Messages that a log has dropped. Mostly there are none.
#[derive(Default)]
pub(crate) struct Dropped(Vec<Block>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::message::IntoMessage;
    use crate::hub::adapter::Audience;

    const AGE: Duration = Duration::from_secs(60);

    fn log(bytes: usize, packets: usize) -> Log {
        Log::new(LogBounds { age: AGE, bytes, packets })
    }

    fn append(log: &mut Log, numbers: std::ops::RangeInclusive<u64>, now: Instant) {
        for number in numbers {
            let packet = ("news", number).into_packet().expect("it serializes");
            let target = Target::Audience(&Audience::new(["room"], [""; 0]));
            let offset = log.append(target, &packet, || now, &mut Dropped::default());
            assert_eq!((offset, log.last()), (log.at(number), log.at(number)));
        }
    }

    /// The numbers of the messages after this one, which are also their arguments.
    fn after(log: &Log, number: u64) -> Vec<u64> {
        let check = |(offset, entry): (Offset, Entry<'_>)| {
            assert_eq!(entry.packet.packet().args().json(), offset.number.to_string());
            assert!(entry.includes(1, |room| room == "room") && !entry.includes(1, |_| false));
            offset.number
        };
        log.after(log.at(number), 1).map(check).collect()
    }

    #[test]
    fn the_number_of_messages_is_bounded() {
        for packets in [1, 10, 100] {
            let mut log = log(1 << 20, packets);
            let now = Instant::now();
            append(&mut log, 1..=500, now);
            let kept: Vec<_> = (501 - packets as u64..=500).collect();
            assert_eq!((after(&log, 0), log.oldest().number), (kept.clone(), kept[0]));
            for number in [kept[0], 499, 500, u64::MAX] {
                assert_eq!(after(&log, number), (number.saturating_add(1)..=500).collect::<Vec<_>>());
            }
            assert!(log.full.len() <= packets.min(PART + 4));
        }
    }

    #[test]
    fn the_size_is_bounded() {
        for bytes in [1, 1_000, 100_000, 10_000_000] {
            let mut log = log(bytes, usize::MAX);
            append(&mut log, 1..=20_000, Instant::now());
            let size = log.full.iter().map(|full| full.block.size()).sum::<usize>();
            assert_eq!(size, log.bytes);
            assert!(size + log.open.used() <= bytes, "{size}");
            let oldest = log.oldest().number;
            assert_eq!(after(&log, 0), (oldest..=20_000).collect::<Vec<_>>());
            assert!(size > bytes / 10 * 9 || bytes == 10_000_000 || oldest > 19_000, "{size}");
        }
    }

    #[test]
    fn the_buffers_of_a_large_message_are_not_kept() {
        const BYTES: usize = 1 << 20;
        let mut log = log(BYTES, usize::MAX);
        let large = ("news", "x".repeat(BYTES / 2)).into_packet().expect("it serializes");
        let begin = Instant::now();
        let audience = Audience::everyone();
        log.append(Target::Audience(&audience), &large, || begin, &mut Dropped::default());
        let small = ("news", 1).into_packet().expect("it serializes");
        log.append(Target::Audience(&audience), &small, || begin, &mut Dropped::default());
        let mut dropped = Dropped::default();
        log.trim(begin + AGE * 2, &mut dropped);
        assert_eq!((dropped.0.len(), log.open.len()), (1, 0));
        assert!(log.bytes + log.open.size() < 2 * log.block_bytes, "{log:?}");
    }

    #[test]
    fn old_messages_are_dropped() {
        let mut log = log(1 << 20, 1_000);
        let begin = Instant::now();
        for second in 0..100 {
            let now = begin + Duration::from_secs(second);
            append(&mut log, second * 2 + 1..=second * 2 + 2, now);
            log.trim(now, &mut Dropped::default());
            let oldest = second.saturating_sub(AGE.as_secs()) * 2 + 1;
            assert_eq!(after(&log, 0), (oldest..=second * 2 + 2).collect::<Vec<_>>());
        }
        log.trim(begin + AGE * 3, &mut Dropped::default());
        assert!(log.is_empty() && log.full.capacity() == 0 && after(&log, 0).is_empty());
        assert_eq!((log.oldest().number, log.last().number, log.bytes), (201, 200, 0));
    }
}
