use super::message::*;
use super::*;
use crate::wire::packet::Packet;
use bytes::Bytes;
use std::borrow::Cow;
use std::marker::PhantomData;
pub(crate) fn encode(_: Dialect, _: &str, _: &str, _: &Outgoing<'_>, _: &mut Vec<u8>) {}
pub(crate) fn add_sequence(_: Dialect, _: &mut Vec<u8>, _: usize, _: u64) {}
pub(crate) fn sequence(_: Dialect, _: &[u8]) -> Option<u64> {
    None
}
pub(crate) struct Received<'a> {
    pub(crate) server: Option<Cow<'a, str>>,
    pub(crate) message: Incoming<'a>,
}
pub(crate) type Incoming<'a> = Message<'a, RawPacket<'a>, RawValue<'a>>;
#[derive(Debug)]
pub(crate) struct Malformed;
pub(crate) struct RawPacket<'a>(PhantomData<&'a u8>);
pub(crate) struct RawValue<'a>(PhantomData<&'a u8>);
pub(crate) fn decode<'a>(_: Dialect, _: Topic<'a>, _: &'a Bytes) -> Result<Received<'a>, Malformed> {
    Err(Malformed)
}
impl RawPacket<'_> {
    pub(crate) fn packet(&self) -> Result<Packet, Malformed> {
        Err(Malformed)
    }
}
impl RawValue<'_> {
    pub(crate) fn value(&self) -> Result<ReceivedValue, Malformed> {
        Err(Malformed)
    }
}
pub(crate) fn server_of(_: Dialect, _: &Bytes) -> Option<&str> {
    None
}
