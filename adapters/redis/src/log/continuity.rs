//! Where the reader goes on, and whether entries may be lost: what `XINFO STREAM` tells about a
//! stream is compared with the last entry that was read.
//!
//! Redis removes the oldest entries first. So as long as an entry is there, all later ones are.

use bytes::Bytes;
use socketio::cluster::Offset;

use crate::resp::{self, Reply};

/// What Redis tells about a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StreamInfo {
    pub(super) length: u64,
    /// The id of the last entry that was ever added.
    pub(super) last: Offset,
    /// The id of the oldest entry.
    pub(super) first: Option<Offset>,
    /// How many entries were ever added. Redis tells it from version 7 on.
    added: Option<u64>,
}

impl StreamInfo {
    /// Reads the reply of `XINFO STREAM`. Returns `None` if there is no stream.
    ///
    /// # Errors
    ///
    /// The reply is another error, or something else.
    pub(super) fn read(reply: &Bytes) -> Result<Option<Self>, String> {
        let (reply, _) = resp::reply(reply).map_err(|malformed| malformed.to_string())?;
        Self::from_reply(reply)
    }

    fn from_reply(reply: Reply<'_>) -> Result<Option<Self>, String> {
        let reply = match reply.ok() {
            Err(error) if error.contains("no such key") => return Ok(None),
            reply => reply?,
        };
        let mut info = Self::default();
        for pair in reply.array().ok_or("an unexpected reply of XINFO")?.chunks_exact(2) {
            let number = || pair[1].integer().and_then(|number| u64::try_from(number).ok());
            match pair[0].text() {
                Some("length") => info.length = number().unwrap_or_default(),
                Some("last-generated-id") => {
                    info.last = pair[1].text().and_then(Offset::parse).unwrap_or_default();
                }
                Some("first-entry") => {
                    info.first = pair[1].array().and_then(|entry| Offset::parse(entry.first()?.text()?));
                }
                Some("entries-added") => info.added = number(),
                _ => {}
            }
        }
        Ok(Some(info))
    }

    /// How many entries were removed. `None` if Redis does not tell.
    fn removed(&self) -> Option<u64> {
        self.added?.checked_sub(self.length)
    }

    /// Whether no entry was ever removed. `None` if Redis does not tell.
    pub(super) fn is_whole(&self) -> Option<bool> {
        Some(self.removed()? == 0)
    }

    /// The place after the last entry.
    pub(super) fn end(&self) -> Place {
        Place { last: self.last, added: self.added }
    }
}

/// Up to where the stream was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The last entry that was read. The default if there was none.
    pub(super) last: Offset,
    /// How many entries had ever been added when it was the last one, if that is known.
    pub(super) added: Option<u64>,
}

impl Place {
    /// Before the first entry of a stream that does not exist yet.
    pub(super) const BEGINNING: Self = Self { last: Offset { epoch: 0, number: 0 }, added: Some(0) };
}

/// Why entries may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// They were removed before they were read.
    Trimmed,
    /// The stream is a new one, or has fallen back to an older state.
    Reset,
}

/// Decides where reading goes on. `is_there` says whether the stream still has the last entry that
/// was read.
///
/// What a new stream has is read from its beginning, if all its entries are later than the last one
/// or there are none yet. Otherwise it may be an old state of the stream, which a replica or a
/// snapshot had. Its entries would be handled twice, so that it is read from its end.
pub(super) fn continuation(place: Place, is_there: bool, stream: Option<&StreamInfo>) -> (Place, Option<Loss>) {
    let nothing_was_read = place.last == Offset::default();
    let Some(stream) = stream else {
        return (Place::BEGINNING, (!nothing_was_read).then_some(Loss::Reset));
    };
    if stream.last == place.last {
        return (stream.end(), None);
    }
    // All that were removed had been read.
    let is_complete = stream.removed().map(|removed| Some(removed) == place.added);
    let at_first = Place { last: place.last, added: stream.removed() };
    match stream.first {
        _ if is_there => (place, None),
        Some(first) if first > place.last => match (is_complete, stream.is_whole()) {
            (Some(true), _) => (place, None),
            (None, _) if nothing_was_read => (place, None),
            (_, Some(true)) => (at_first, Some(Loss::Reset)),
            _ => (at_first, Some(Loss::Trimmed)),
        },
        None if stream.last > place.last => (stream.end(), Some(Loss::Trimmed)),
        _ if stream.last < place.last => (stream.end(), Some(Loss::Reset)),
        _ => (Place { added: None, ..place }, Some(Loss::Reset)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(epoch: u64) -> Offset {
        Offset { epoch, number: 0 }
    }

    /// A stream of which `removed` entries were removed.
    fn stream(first: u64, last: u64, removed: u64) -> StreamInfo {
        let length = last + 1 - first;
        let (first, last) = ((length > 0).then(|| id(first)), id(last));
        StreamInfo { length, last, first, added: Some(length + removed) }
    }

    /// Goes on after an entry, which had as many before it as its number says.
    fn goes_on(last: u64, is_there: bool, stream: Option<StreamInfo>) -> (u64, Option<u64>, Option<Loss>) {
        let place = Place { last: id(last), added: Some(last) };
        let (Place { last, added }, loss) = continuation(place, is_there, stream.as_ref());
        (last.epoch, added, loss)
    }

    #[test]
    fn nothing_is_lost_while_the_last_entry_is_there() {
        assert_eq!(goes_on(5, true, Some(stream(1, 9, 0))), (5, Some(5), None));
        assert_eq!(goes_on(5, true, Some(stream(5, 9, 4))), (5, Some(5), None));
        // All were removed, and none came.
        assert_eq!(goes_on(5, false, Some(stream(6, 5, 5))), (5, Some(5), None));
    }

    #[test]
    fn nothing_is_lost_if_only_what_was_read_is_removed() {
        assert_eq!(goes_on(5, false, Some(stream(6, 9, 5))), (5, Some(5), None));
        let of_redis_6 = StreamInfo { added: None, ..stream(6, 9, 5) };
        assert_eq!(goes_on(5, false, Some(of_redis_6)), (5, None, Some(Loss::Trimmed)));
    }

    #[test]
    fn entries_that_were_removed_too_early_are_lost() {
        assert_eq!(goes_on(5, false, Some(stream(7, 9, 6))), (5, Some(6), Some(Loss::Trimmed)));
        assert_eq!(goes_on(5, false, Some(stream(10, 9, 9))), (9, Some(9), Some(Loss::Trimmed)));
    }

    #[test]
    fn a_new_stream_is_read_from_its_beginning() {
        assert_eq!(goes_on(5, false, None), (0, Some(0), Some(Loss::Reset)));
        assert_eq!(goes_on(5, false, Some(stream(7, 9, 0))), (5, Some(0), Some(Loss::Reset)));
    }

    #[test]
    fn an_older_state_is_read_from_its_end() {
        assert_eq!(goes_on(5, false, Some(stream(1, 3, 0))), (3, Some(3), Some(Loss::Reset)));
        // It has got new entries.
        assert_eq!(goes_on(5, false, Some(stream(1, 9, 0))), (5, None, Some(Loss::Reset)));
    }

    #[test]
    fn an_empty_beginning_is_no_loss() {
        assert_eq!(goes_on(0, false, None), (0, Some(0), None));
        assert_eq!(goes_on(0, false, Some(stream(1, 9, 0))), (0, Some(0), None));
        assert_eq!(goes_on(0, false, Some(stream(2, 9, 1))), (0, Some(1), Some(Loss::Trimmed)));
        let of_redis_6 = StreamInfo { added: None, ..stream(1, 9, 0) };
        assert_eq!(goes_on(0, false, Some(of_redis_6)), (0, Some(0), None));
    }

    #[test]
    fn what_redis_tells_is_read() {
        let reply =
            b"*8\r\n$6\r\nlength\r\n:2\r\n$17\r\nlast-generated-id\r\n$3\r\n9-1\r\n$13\r\nentries-added\r\n:2\r\n\
            $11\r\nfirst-entry\r\n*2\r\n$3\r\n8-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";
        let info = StreamInfo::read(&Bytes::from_static(reply)).unwrap().unwrap();
        assert_eq!((info.length, info.first, info.last.number), (2, Some(id(8)), 1));
        assert_eq!(info.is_whole(), Some(true));
        assert_eq!(StreamInfo::read(&Bytes::from_static(b"-ERR no such key\r\n")), Ok(None));
        assert!(StreamInfo::read(&Bytes::from_static(b"-WRONGTYPE no\r\n")).is_err());
    }
}
