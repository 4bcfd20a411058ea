//! A shared application is an application.

use std::future::Future;

use switchboard_core::protocol::Json;
use switchboard_core::{
    Admission, CloseReason, Denied, Identity, JoinFrom, Notice, Reach, Request,
};

use crate::application::Application;
use crate::hub::{Connection, Delivery, Entry, Message};
use crate::sync::Arc;

/// For an application of which others keep a handle, too.
impl<T: Application> Application for Arc<T> {
    fn authenticate(
        &self,
        request: &Request,
    ) -> impl Future<Output = Result<Identity, Denied>> + Send {
        (**self).authenticate(request)
    }

    fn admit(&self, request: &Request) -> impl Future<Output = Result<Admission, Denied>> + Send {
        (**self).admit(request)
    }

    fn authorize_join(
        &self,
        client: &Connection,
        room: &str,
        entry: Entry,
    ) -> impl Future<Output = Result<(), Denied>> + Send {
        (**self).authorize_join(client, room, entry)
    }

    fn authorize_join_from(
        &self,
        client: &Connection,
        room: &str,
        entry: Entry,
        from: &JoinFrom,
    ) -> impl Future<Output = Result<Reach, Denied>> + Send {
        (**self).authorize_join_from(client, room, entry, from)
    }

    fn authorize_direct(
        &self,
        client: &Connection,
        to: &str,
    ) -> impl Future<Output = Result<(), Denied>> + Send {
        (**self).authorize_direct(client, to)
    }

    fn on_connect(&self, client: &Connection) -> impl Future<Output = ()> + Send {
        (**self).on_connect(client)
    }

    fn on_join(&self, client: &Connection, room: &str) -> impl Future<Output = ()> + Send {
        (**self).on_join(client, room)
    }

    fn on_leave(&self, client: &Connection, room: &str) -> impl Future<Output = ()> + Send {
        (**self).on_leave(client, room)
    }

    fn on_message(
        &self,
        client: &Connection,
        message: Message,
    ) -> impl Future<Output = Result<(), Denied>> + Send {
        (**self).on_message(client, message)
    }

    fn process_message(
        &self,
        client: &Connection,
        message: Message,
    ) -> impl Future<Output = Result<Delivery, Denied>> + Send {
        (**self).process_message(client, message)
    }

    fn on_call(
        &self,
        client: &Connection,
        method: &str,
        params: &str,
    ) -> impl Future<Output = Result<Json, Denied>> + Send {
        (**self).on_call(client, method, params)
    }

    fn on_disconnect(
        &self,
        client: &Connection,
        rooms: &[Arc<str>],
        reason: CloseReason,
    ) -> impl Future<Output = ()> + Send {
        (**self).on_disconnect(client, rooms, reason)
    }

    fn on_notice(&self, notice: &Notice) {
        (**self).on_notice(notice);
    }
}
