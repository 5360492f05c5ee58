//! Listings of sockets and rooms, page by page.
//!
//! Sockets are listed in the order of their ids, and rooms in that of their names. So a cursor is
//! the last id or name of a page, needs nothing to be kept between two pages, and stays valid
//! whatever changes meanwhile.

mod fetched_stats;
mod room;
mod stats;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::hub::adapter::{AllRooms, Fetched, RemoteSocket};
pub use fetched_stats::{FetchedStats, ServerStats};
pub use room::{Room, RoomEntry};
pub use stats::NamespaceStats;

/// Which part of a listing is wanted: how many entries, and after which one.
///
/// Entries come in the order of their ids or names, as bytes. What is there during the whole
/// listing, under the same id or name, is listed once. What comes or goes meanwhile may be listed
/// or not. A page shows one moment, but two pages show two.
///
/// ```
/// use socketio::{Hub, Page};
///
/// # let hub = Hub::builder().build()?;
/// let mut next = Some(Page::new().limit(500));
/// while let Some(page) = next {
///     let rooms = hub.rooms(&page);
///     for room in rooms.entries {
///         println!("{} has {} members", room.name, room.members);
///     }
///     next = rooms.next;
/// }
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    after: Option<String>,
    limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: 100 }
    }
}

impl Page {
    /// The most entries of a page.
    pub const MAX_LIMIT: usize = 1_000;

    /// All that there is.
    pub(crate) const ALL: Self = Self { after: None, limit: usize::MAX };

    /// The first page, with 100 entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many entries the page has at most: 1 to [`MAX_LIMIT`](Self::MAX_LIMIT). Other
    /// numbers become the nearest of these, so that a number from a request can be passed on.
    #[must_use]
    pub fn limit(self, entries: usize) -> Self {
        Self { limit: entries.clamp(1, Self::MAX_LIMIT), ..self }
    }

    /// Lets the page begin after this id or name. It need not exist, so that a text from a request
    /// can be passed on.
    #[must_use]
    pub fn after(self, cursor: impl Into<String>) -> Self {
        Self { after: Some(cursor.into()), ..self }
    }

    /// The id or name after which the page begins. That of [`Listed::next`] tells a client where to
    /// go on.
    pub fn cursor(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// How many entries the page has at most.
    pub fn size(&self) -> usize {
        self.limit
    }

    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "other servers are told it"))]
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::ALL
    }

    fn is_after(&self, key: &str) -> bool {
        self.after.as_deref().is_none_or(|after| key > after)
    }

    /// The page that follows one with this last entry.
    fn following(&self, last: &str) -> Self {
        Self { after: Some(last.to_owned()), limit: self.limit }
    }
}

/// One page of a listing on this server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// The page after this one. `None` if this is the last.
    pub next: Option<Page>,
}

/// One page of sockets on any server, from [`fetch_page`](crate::Selection::fetch_page).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FetchedPage {
    /// The sockets of this server, and of all other servers that answered in time.
    pub sockets: Vec<RemoteSocket>,
    /// The page after this one. `None` if this is the last.
    pub next: Option<Page>,
    /// The number of servers that did not answer in time. Their sockets are missing on this page.
    pub silent: usize,
}

/// One page of the names of rooms on any server, from
/// [`fetch_rooms`](crate::Namespace::fetch_rooms).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchedRooms {
    /// The names. Each socket is also in a room with its own id.
    pub rooms: Vec<String>,
    /// The page after this one. `None` if this is the last.
    pub next: Option<Page>,
    /// The number of servers that did not answer in time.
    pub silent: usize,
}

/// Collects the entries of one page from all entries, which come in any order. It keeps no more
/// than one page, and one entry that tells whether there is a next one.
pub(crate) struct Selecting<'a, K, T> {
    page: &'a Page,
    kept: BTreeMap<K, T>,
}

impl<'a, K: Ord + AsRef<str>, T> Selecting<'a, K, T> {
    pub(crate) fn new(page: &'a Page) -> Self {
        Self { page, kept: BTreeMap::new() }
    }

    /// Offers an entry. `make` is called if it is kept for now.
    pub(crate) fn offer(&mut self, key: K, make: impl FnOnce() -> T) {
        if self.wants(key.as_ref()) {
            self.keep(key, make());
        }
    }

    /// Whether an entry is kept for now.
    fn wants(&self, key: &str) -> bool {
        let is_before = |(last, _): (&K, &T)| key < last.as_ref();
        self.page.is_after(key) && (!self.is_full() || self.kept.last_key_value().is_some_and(is_before))
    }

    fn keep(&mut self, key: K, entry: T) {
        let is_full = self.is_full();
        if self.kept.insert(key, entry).is_none() && is_full {
            self.kept.pop_last();
        }
    }

    fn is_full(&self) -> bool {
        self.kept.len() > self.page.limit
    }

    pub(crate) fn finish(mut self) -> Listed<T> {
        let has_more = self.kept.len() > self.page.limit;
        if has_more {
            self.kept.pop_last();
        }
        let last = self.kept.last_key_value().map(|(last, _)| last.as_ref());
        let next = last.filter(|_| has_more).map(|last| self.page.following(last));
        Listed { entries: self.kept.into_values().collect(), next }
    }

    /// The entries, with the one that is too many.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = T> {
        self.kept.into_values()
    }
}

/// Names of rooms.
impl<'a> Selecting<'a, String, ()> {
    pub(crate) fn names(page: &'a Page) -> Self {
        Self::new(page)
    }

    /// Offers a name. It is copied if it is kept for now.
    pub(crate) fn offer_name(&mut self, name: &str) {
        if self.wants(name) {
            self.keep(name.to_owned(), ());
        }
    }

    /// The names, with the one that is too many.
    pub(crate) fn into_names(self) -> BTreeSet<String> {
        self.kept.into_keys().collect()
    }
}

impl FetchedPage {
    /// Makes a page of sockets of all servers. Each server has sent those of the page, and one more
    /// if it has more, or all of its sockets.
    ///
    /// Sockets of different servers may have the same id. They are never parted, so that the page
    /// may be longer.
    pub(crate) fn of(Fetched { mut sockets, silent }: Fetched, page: &Page) -> Self {
        sockets.retain(|socket| page.is_after(&socket.id));
        let place = |socket: &RemoteSocket| (socket.id.clone(), socket.server.clone());
        sockets.sort_by_cached_key(place);
        let mut end = sockets.len().min(page.limit);
        while let Some(id) = sockets.get(end).map(|socket| &socket.id)
            && sockets.get(end.wrapping_sub(1)).is_some_and(|last| last.id.cmp(id) == Ordering::Equal)
        {
            end += 1;
        }
        let next = (end < sockets.len()).then(|| page.following(&sockets[end - 1].id));
        sockets.truncate(end);
        Self { sockets, next, silent }
    }
}

impl FetchedRooms {
    /// Makes a page of names of all servers. Each server has sent those of the page, and one more
    /// if it has more, or all of its names.
    pub(crate) fn of(AllRooms { rooms, silent }: AllRooms, page: &Page) -> Self {
        let begin = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut names = BTreeSet::range::<str, _>(&rooms, (begin, Bound::Unbounded));
        let rooms: Vec<String> = names.by_ref().take(page.limit).cloned().collect();
        let next = rooms.last().filter(|_| names.next().is_some()).map(|last| page.following(last));
        Self { rooms, next, silent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = String> {
        "[a-c\u{e9}]{0,3}"
    }

    fn listed(names: &[String], page: &Page) -> Listed<String> {
        let mut selecting = Selecting::new(page);
        names.iter().for_each(|name| selecting.offer(name.clone(), || name.clone()));
        selecting.finish()
    }

    /// Lists all pages. `change` may change what there is before each.
    fn all(limit: usize, mut page: impl FnMut(&Page) -> (Vec<String>, Option<Page>)) -> Vec<String> {
        let (mut all, mut next) = (Vec::new(), Some(Page::new().limit(limit)));
        while let Some(wanted) = next {
            let (entries, following) = page(&wanted);
            all.extend(entries);
            next = following;
        }
        all
    }

    proptest! {
        #[test]
        fn what_stays_is_listed_once_and_in_order(
            stays in prop::collection::btree_set(name(), 0..20),
            others in prop::collection::vec(prop::collection::btree_set(name(), 0..6), 1..8),
            limit in 1..5_usize,
        ) {
            let mut others = others.iter().cycle();
            let found = all(limit, |page| {
                let names: BTreeSet<_> = stays.union(others.next().expect("it has no end")).cloned().collect();
                // In another order.
                let names: Vec<_> = names.into_iter().rev().collect();
                let Listed { entries, next } = listed(&names, page);
                assert!(entries.len() <= limit && (next.is_none() || entries.len() == limit));
                (entries, next)
            });
            prop_assert!(found.is_sorted());
            let unique: BTreeSet<_> = found.iter().cloned().collect();
            prop_assert_eq!(unique.len(), found.len());
            prop_assert!(stays.is_subset(&unique));
        }

        #[test]
        fn sockets_of_all_servers_are_listed_once(
            servers in prop::collection::vec(prop::collection::btree_set(name(), 0..12), 1..4),
            sends_all in prop::collection::vec(any::<bool>(), 4),
            limit in 1..5_usize,
        ) {
            let expected: usize = servers.iter().map(BTreeSet::len).sum();
            let mut seen = BTreeSet::new();
            let mut next = Some(Page::new().limit(limit));
            while let Some(page) = next {
                let sockets = servers.iter().zip(&sends_all).enumerate().flat_map(|(number, (ids, sends_all))| {
                    let after = |id: &&String| *sends_all || page.is_after(id);
                    let most = if *sends_all { usize::MAX } else { limit + 1 };
                    ids.iter().filter(after).take(most).map(move |id| {
                        let mut socket = RemoteSocket::new(id);
                        socket.server = Some(number.to_string().into());
                        socket
                    })
                });
                let fetched = FetchedPage::of(Fetched::new(sockets.collect()), &page);
                for socket in &fetched.sockets {
                    prop_assert!(seen.insert((socket.id.clone(), socket.server.clone())), "listed twice");
                }
                next = fetched.next;
            }
            prop_assert_eq!(seen.len(), expected);
        }

        #[test]
        fn rooms_of_all_servers_are_listed_once(
            servers in prop::collection::vec(prop::collection::vec(name(), 0..12), 1..4),
            sends_all in prop::collection::vec(any::<bool>(), 4),
            limit in 1..5_usize,
        ) {
            let sent = |names: &[String], page: &Page| {
                let mut selecting = Selecting::names(page);
                names.iter().for_each(|name| selecting.offer_name(name));
                selecting.into_names()
            };
            let found = all(limit, |page| {
                let mut collected = Selecting::names(page);
                for (names, sends_all) in servers.iter().zip(&sends_all) {
                    let names = sent(names, if *sends_all { &Page::ALL } else { page });
                    assert!(*sends_all || names.len() <= limit + 1);
                    names.iter().for_each(|name| collected.offer_name(name));
                }
                let names = collected.into_names();
                assert!(names.len() <= limit + 1);
                let FetchedRooms { rooms, next, .. } = FetchedRooms::of(AllRooms::new(names), page);
                (rooms, next)
            });
            let unique: BTreeSet<_> = servers.into_iter().flatten().collect();
            prop_assert_eq!(found, unique.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn numbers_and_texts_of_a_request_make_a_page() {
        assert_eq!(Page::new().limit(0).size(), 1);
        assert_eq!(Page::new().limit(usize::MAX).size(), Page::MAX_LIMIT);
        let page = Page::new().limit(1).after("\u{10ffff}");
        assert_eq!(listed(&["a".to_owned()], &page), Listed { entries: Vec::new(), next: None });
        assert_eq!(page.cursor(), Some("\u{10ffff}"));
    }
}
