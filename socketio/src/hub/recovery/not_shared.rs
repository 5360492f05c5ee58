//! Without the feature `cluster`, nothing is shared with other servers. These types have no values.

use std::sync::Arc;
use std::time::Duration;

use super::namespace::{Order, RecoveryOf};
use super::resuming::Claim;
use super::session::Session;
use crate::hub::revoking::Revoked;
use crate::hub::socket::{Socket, SocketId};
use crate::wire::offset::Offset;

#[derive(Debug)]
pub(crate) enum Shared {}

pub(crate) enum Store {}

#[derive(Debug, Default)]
pub(crate) struct InCluster {}

impl Shared {
    pub(super) fn position(&self) -> Offset {
        match *self {}
    }

    pub(super) fn left(
        &self,
        _order: &Order<'_>,
        _socket: &Socket,
        _session: &Session,
        _kept: Option<(SocketId, Vec<Arc<str>>)>,
    ) -> Option<Store> {
        match *self {}
    }

    pub(super) fn revoke(&self, _revoked: &Arc<Revoked>, _kept: Duration) {
        match *self {}
    }

    pub(super) fn store(&self, store: Store) {
        match store {}
    }

    pub(crate) fn changed(&self, _recovery: &Arc<RecoveryOf>, _socket: &Socket) {
        match *self {}
    }

    pub(crate) async fn restore(&self, _recovery: &Arc<RecoveryOf>, _socket: &Socket, _claim: &Claim<'_>) {
        match *self {}
    }
}
