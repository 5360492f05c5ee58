//! [`Fields`]: the fields of a message, read in any order.

use std::borrow::Cow;

use super::document::{Document, Read};
use super::types::{classic, messages};
use super::value::RawValue;
use crate::cluster::Dialect;
use crate::cluster::message::{FetchPage, Flags, MAX_TIMEOUT, Names, Options};

/// The fields that a message may have. In the dialects `Messages` and `Streams`, most are in an
/// inner map.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) kind: Option<u64>,
    pub(super) server: Option<Cow<'a, str>>,
    pub(super) namespace: Option<Cow<'a, str>>,
    pub(super) request: Option<Cow<'a, str>>,
    pub(super) options: Option<Options<'a>>,
    pub(super) rooms: Names<'a>,
    pub(super) has_rooms: bool,
    pub(super) close: bool,
    pub(super) reason: Option<Cow<'a, str>>,
    pub(super) socket: Option<Cow<'a, str>>,
    pub(super) room: Option<Cow<'a, str>>,
    /// In the classic dialect.
    pub(super) data: Option<RawValue<'a>>,
    pub(super) packet: Option<RawValue<'a>>,
    /// What `packet` is in a broadcast, if the type came before it.
    pub(super) event: Option<EventFields<'a>>,
    pub(super) sockets: Option<RawValue<'a>>,
    pub(super) clients: Option<u64>,
    pub(super) probe: Option<u64>,
    pub(super) page: Option<FetchPage<'a>>,
    /// In the dialects `Messages` and `Streams`: what is fetched are the names of rooms.
    pub(super) room_page: Option<FetchPage<'a>>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(document: &mut Document<'a>, dialect: Dialect) -> Read<Self> {
        let mut fields = Self::default();
        let mut left = document.map()?;
        while let Some(key) = document.key(&mut left)? {
            match &*key {
                // A value of `null` is a missing one, but not that of an argument or an answer.
                "type" => fields.kind = document.unless_null(Document::unsigned)?,
                "uid" => fields.server = document.unless_null(Document::text)?,
                "nsp" => fields.namespace = document.unless_null(Document::text)?,
                "data" if dialect != Dialect::Classic => fields.read_inner(document, dialect)?,
                "data" => fields.data = Some(document.value()?),
                key if dialect == Dialect::Classic => fields.inner(key, document, dialect)?,
                _ => drop(document.value()?),
            }
        }
        Ok(fields)
    }

    /// Reads the fields of a message from its data alone.
    pub(super) fn read_data(document: &mut Document<'a>, dialect: Dialect, kind: u8) -> Read<Self> {
        let mut fields = Self { kind: Some(kind.into()), ..Self::default() };
        fields.read_inner(document, dialect)?;
        Ok(fields)
    }

    fn read_inner(&mut self, document: &mut Document<'a>, dialect: Dialect) -> Read<()> {
        if document.null() {
            return Ok(());
        }
        let mut left = document.map()?;
        while let Some(key) = document.key(&mut left)? {
            self.inner(&key, document, dialect)?;
        }
        Ok(())
    }

    fn inner(&mut self, key: &str, document: &mut Document<'a>, dialect: Dialect) -> Read<()> {
        let broadcast = match dialect {
            Dialect::Classic => classic::BROADCAST,
            Dialect::Messages | Dialect::Streams => messages::BROADCAST,
        };
        match key {
            "requestId" => self.request = document.unless_null(Document::text)?,
            "opts" => self.options = document.unless_null(options)?,
            "packet" if self.kind == Some(broadcast) => self.event = Some(EventFields::read(document)?),
            "packet" => self.packet = Some(document.value()?),
            "rooms" => (self.rooms, self.has_rooms) = (document.names()?, true),
            "close" => self.close = document.unless_null(Document::boolean)?.unwrap_or_default(),
            "reason" => self.reason = document.unless_null(Document::text)?,
            "sid" => self.socket = document.unless_null(Document::text)?,
            "room" => self.room = document.unless_null(Document::name)?,
            "sockets" => self.sockets = Some(document.value()?),
            "clientCount" => self.clients = document.unless_null(Document::unsigned)?,
            "probe" => self.probe = document.unless_null(Document::unsigned)?,
            "page" => self.page = document.unless_null(page)?,
            "roomPage" => self.room_page = document.unless_null(page)?,
            _ => drop(document.value()?),
        }
        Ok(())
    }
}

/// The fields of the packet in a broadcast.
#[derive(Debug, Default)]
pub(super) struct EventFields<'a> {
    pub(super) kind: Option<u64>,
    /// The event's name and arguments.
    pub(super) data: Option<RawValue<'a>>,
    pub(super) namespace: Option<Cow<'a, str>>,
    /// Whether an answer is expected. Servers on Node.js log such events of a single socket too.
    pub(super) has_id: bool,
}

impl<'a> EventFields<'a> {
    pub(super) fn read(document: &mut Document<'a>) -> Read<Self> {
        let mut fields = Self::default();
        let mut left = document.map()?;
        while let Some(key) = document.key(&mut left)? {
            match &*key {
                "type" => fields.kind = document.unless_null(Document::unsigned)?,
                "data" => fields.data = Some(document.value()?),
                "nsp" => fields.namespace = document.unless_null(Document::text)?,
                "id" => fields.has_id = document.unless_null(Document::value)?.is_some(),
                _ => drop(document.value()?),
            }
        }
        Ok(fields)
    }
}

/// Reads options.
pub(super) fn options<'a>(document: &mut Document<'a>) -> Read<Options<'a>> {
    let mut options = Options::default();
    let mut left = document.map()?;
    while let Some(key) = document.key(&mut left)? {
        match &*key {
            "rooms" => options.rooms = document.names()?,
            "except" => options.except = document.names()?,
            "flags" => options.flags = document.unless_null(flags)?.unwrap_or_default(),
            _ => drop(document.value()?),
        }
    }
    Ok(options)
}

/// Reads which sockets or rooms are fetched. Without a limit these are all.
fn page<'a>(document: &mut Document<'a>) -> Read<FetchPage<'a>> {
    let mut page = FetchPage::ALL;
    let mut left = document.map()?;
    while let Some(key) = document.key(&mut left)? {
        match &*key {
            "after" => page.after = document.unless_null(Document::text)?,
            "limit" => page.limit = document.unless_null(Document::unsigned)?.unwrap_or(page.limit),
            _ => drop(document.value()?),
        }
    }
    Ok(page)
}

/// Reads flags. Applications may set any, so values of other types are ignored.
fn flags<'a>(document: &mut Document<'a>) -> Read<Flags<'a>> {
    let mut flags = Flags::default();
    let mut left = document.map()?;
    while let Some(key) = document.key(&mut left)? {
        let mut value = document.value()?.document();
        match &*key {
            "volatile" => flags.volatile = value.boolean().unwrap_or_default(),
            "latest" => flags.latest = value.text().ok(),
            "timeout" => flags.timeout = value.millis()?.map(|millis| millis.min(MAX_TIMEOUT)),
            "expectSingleResponse" => flags.expect_single_response = value.boolean().unwrap_or_default(),
            "raw" => flags.raw = value.boolean().unwrap_or_default(),
            "session" => flags.session = value.unsigned().ok(),
            _ => {}
        }
    }
    Ok(flags)
}
