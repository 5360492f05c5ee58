//! [`Pending`]: keeps the order of messages while attachments are fetched.

use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many messages wait for an attachment at most, and how many bytes they have.
const MAX_MESSAGES: usize = 65_536;
const MAX_BYTES: usize = 32 << 20;
/// How many attachments are fetched at a time.
const MAX_FETCHED: usize = 8;

/// The messages behind an attachment that is not there yet.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// The number of the next attachment.
    next: u64,
    /// The first attachment that is not fetched yet.
    unfetched: u64,
}

#[derive(Debug)]
enum Entry {
    Message { namespace: Arc<str>, body: Bytes },
    Attachment { number: u64, namespace: Arc<str>, id: i64 },
}

/// Where messages go in their order, and where losses are counted.
pub(crate) trait Deliver {
    fn deliver(&mut self, namespace: &str, body: Bytes);
    fn lost(&mut self, attachments: u64);
}

impl Pending {
    /// Delivers a message, as soon as those in front of it are delivered.
    pub(crate) fn message(&mut self, namespace: &Arc<str>, body: &[u8], out: &mut impl Deliver) {
        let body = Bytes::copy_from_slice(body);
        if self.entries.is_empty() {
            return out.deliver(namespace, body);
        }
        self.bytes += body.len();
        self.entries.push_back(Entry::Message { namespace: Arc::clone(namespace), body });
        if self.entries.len() > MAX_MESSAGES || self.bytes > MAX_BYTES {
            // The attachment in front takes too long.
            self.entries.pop_front();
            out.lost(1);
            self.go_on(out);
        }
    }

    /// Waits for an attachment.
    pub(crate) fn attachment(&mut self, namespace: &Arc<str>, id: i64) {
        self.entries.push_back(Entry::Attachment { number: self.next, namespace: Arc::clone(namespace), id });
        self.next += 1;
    }

    /// The number and the id of the next attachment to fetch, while `fetched` others are.
    pub(crate) fn fetch(&mut self, fetched: usize) -> Option<(u64, i64)> {
        if fetched >= MAX_FETCHED || self.unfetched == self.next {
            return None;
        }
        let next = self.entries.iter().find_map(|entry| match entry {
            Entry::Attachment { number, id, .. } if *number >= self.unfetched => Some((*number, *id)),
            _ => None,
        });
        self.unfetched = next.map_or(self.next, |(number, _)| number + 1);
        next
    }

    /// An attachment was fetched, or is lost. They come in their order.
    pub(crate) fn fetched(&mut self, fetched: u64, body: Option<Bytes>, out: &mut impl Deliver) {
        // It was given up if it is not in front.
        if let Some(Entry::Attachment { number, namespace, .. }) = self.entries.front()
            && *number == fetched
        {
            match body {
                Some(body) => out.deliver(namespace, body),
                None => out.lost(1),
            }
            self.entries.pop_front();
            self.go_on(out);
        }
    }

    /// Delivers messages up to the next attachment.
    fn go_on(&mut self, out: &mut impl Deliver) {
        while let Some(Entry::Message { .. }) = self.entries.front()
            && let Some(Entry::Message { namespace, body }) = self.entries.pop_front()
        {
            self.bytes -= body.len();
            out.deliver(&namespace, body);
        }
        if self.entries.is_empty() {
            self.entries.shrink_to(1024);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Out {
        delivered: Vec<String>,
        lost: u64,
    }

    impl Deliver for Out {
        fn deliver(&mut self, namespace: &str, body: Bytes) {
            self.delivered.push(format!("{namespace} {}", String::from_utf8_lossy(&body)));
        }

        fn lost(&mut self, attachments: u64) {
            self.lost += attachments;
        }
    }

    #[test]
    fn messages_wait_for_the_attachment_in_front_of_them() {
        let (mut pending, mut out) = (Pending::default(), Out::default());
        let namespace: Arc<str> = "/".into();
        pending.message(&namespace, b"1", &mut out);
        pending.attachment(&namespace, 52);
        pending.message(&namespace, b"3", &mut out);
        pending.attachment(&namespace, 54);
        pending.attachment(&namespace, 55);
        pending.message(&namespace, b"6", &mut out);
        assert_eq!(out.delivered, ["/ 1"]);
        let ids: Vec<_> = std::iter::from_fn(|| pending.fetch(0)).collect();
        assert_eq!(ids, [(0, 52), (1, 54), (2, 55)]);
        pending.fetched(0, Some(Bytes::from_static(b"2")), &mut out);
        assert_eq!(out.delivered, ["/ 1", "/ 2", "/ 3"]);
        pending.fetched(1, None, &mut out);
        pending.fetched(2, Some(Bytes::from_static(b"5")), &mut out);
        assert_eq!(out.delivered, ["/ 1", "/ 2", "/ 3", "/ 5", "/ 6"]);
        assert_eq!((out.lost, pending.bytes, pending.fetch(0)), (1, 0, None));
        pending.attachment(&namespace, 57);
        assert_eq!((pending.fetch(MAX_FETCHED), pending.fetch(0)), (None, Some((3, 57))));
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut pending, mut out) = (Pending::default(), Out::default());
        let namespace: Arc<str> = "/".into();
        for id in [1, 2] {
            pending.attachment(&namespace, id);
        }
        assert_eq!(pending.fetch(0), Some((0, 1)));
        let large = vec![b'x'; MAX_BYTES / 4];
        for _ in 0..5 {
            pending.message(&namespace, &large, &mut out);
        }
        assert_eq!((out.lost, out.delivered.len()), (1, 0));
        pending.message(&namespace, &large, &mut out);
        assert_eq!((out.lost, out.delivered.len(), pending.bytes), (2, 6, 0));
        // What was being fetched comes too late.
        pending.fetched(0, Some(Bytes::new()), &mut out);
        assert_eq!((out.lost, out.delivered.len(), pending.fetch(0)), (2, 6, None));
    }
}
