//! From the request to an admitted connection.

use std::sync::Arc;

use super::admitted::{Admission, Data};
use super::call::{Call, Lobby, Login, Step};
use super::input::Input;
use super::node::{Held, Node};
use super::state::{Hook, Session};
use crate::base::name::anonymous_user;
use crate::http::address::set_client;
use crate::protocol::RequestId;
use crate::{Identity, Reach, Refused, Request, RequestOutcome, Rooms, Token, Wire, check_user};

impl Session {
    /// Takes the request that the application has answered with 101.
    pub fn begin(&mut self, node: &mut impl Node, request: Request) -> Option<Step> {
        self.take_request(node, request, true)
    }

    /// Like [`begin`](Self::begin), for a client whose identity the application states with its
    /// request: it is not asked to authenticate it.
    pub fn begin_as(
        &mut self,
        node: &mut impl Node,
        request: Request,
        admission: Admission,
    ) -> Option<Step> {
        match self.begin(node, request)? {
            Step::Call(Call::Authenticate(login)) => {
                self.call_over();
                self.identified(node, login, admission)
            }
            step => Some(step),
        }
    }

    pub(super) fn take_request(
        &mut self,
        node: &mut impl Node,
        mut request: Request,
        answered: bool,
    ) -> Option<Step> {
        let (id, peer) = (self.id, self.peer);
        set_client(&mut request, peer, &node.config().trusted_proxies);
        node.client_known(request.peer());
        self.deflate = request.deflate().is_some();
        let (answer, mode) = node.hold(|held| {
            if request.method() == "HEAD" {
                held.omit_body(id);
            }
            let answer = held.request(id, &request, answered);
            (answer, held.read_mode(id))
        });
        self.input = if request.is_event_stream() {
            Input::Posts
        } else {
            Input::Nothing
        };
        self.set_mode(node, mode);
        match answer {
            RequestOutcome::Authenticate => Some(self.authenticate(request, None)),
            RequestOutcome::Page => Some(self.call(Hook::Admission, Call::Page(request))),
            RequestOutcome::Refused => None,
        }
    }

    pub(super) fn authenticate(
        &mut self,
        request: Request,
        answers: Option<RequestId<'static>>,
    ) -> Step {
        let hook = if self.user.is_none() {
            Hook::Admission
        } else {
            Hook::Running
        };
        self.call(hook, Call::Authenticate(Login { request, answers }))
    }

    pub(super) fn ask_token(&mut self, token: Token, answers: Option<RequestId<'static>>) -> Step {
        let request = match self.waiting.request() {
            Some(request) => request.clone().with_token(token),
            None => Request::for_refresh(self.peer, token),
        };
        self.authenticate(request, answers)
    }

    pub(super) fn identified(
        &mut self,
        node: &mut impl Node,
        login: Login,
        admission: Admission,
    ) -> Option<Step> {
        let Login { request, answers } = login;
        let config = node.config();
        let named = match admission.identity() {
            Identity::User { name, .. } => check_user(name, config.limits.name_bytes).is_ok(),
            _ => true,
        };
        // The node refuses illegal names, so do not ask the application about the lobby for one.
        let asks_lobby = named && self.user.is_none() && config.rooms == Rooms::Ask;
        match (admission.identity(), request.shared_lobby()) {
            (Identity::FirstMessage, _) => {
                self.waiting.set_request(Some(request));
                self.authenticated(node, Ok(admission), answers.as_ref())
            }
            (identity, Some(room)) if asks_lobby => {
                let user = match identity {
                    Identity::User { name, .. } => name.as_str().into(),
                    _ => anonymous_user(self.id).into(),
                };
                let json = config.wire == Wire::Json;
                let from = if json { request.join_from() } else { Ok(None) };
                let lobby = Lobby {
                    user,
                    room,
                    // The node has already refused illegal values.
                    from: from.ok().flatten().unwrap_or_default(),
                    reach: Reach::All,
                    admission,
                    answers,
                };
                Some(self.call(Hook::Admission, Call::Lobby(lobby)))
            }
            _ => self.authenticated(node, Ok(admission), answers.as_ref()),
        }
    }

    pub(super) fn authenticated(
        &mut self,
        node: &mut impl Node,
        verdict: Result<Admission, Refused>,
        request: Option<&RequestId<'_>>,
    ) -> Option<Step> {
        let plain = verdict
            .as_ref()
            .is_ok_and(|admission| !admission.compresses());
        let (verdict, data, presence) = match verdict.map(Admission::into_parts) {
            Ok((identity, data, presence)) => (Ok(identity), data, presence),
            Err(refused) => (Err(refused), Data::default(), None),
        };
        if verdict != Ok(Identity::FirstMessage) {
            self.waiting.set_request(None);
        }
        let id = self.id;
        let in_cluster = node.config().cluster.is_some();
        let later = self.user.is_some();
        let (user, undecided) = node.hold(|held| {
            if !later && plain {
                held.stop_compressing(id);
            }
            // Rooms are notified at once of who enters them, but only if the login succeeded.
            if !later && let Some(info) = presence.clone() {
                held.set_presence(id, info);
            }
            let user = held.authenticated(id, verdict, request);
            if later && user.is_some() {
                if plain {
                    held.stop_compressing(id);
                }
                if let Some(info) = presence {
                    held.set_presence(id, info);
                }
            }
            let undecided = (in_cluster || user.is_none()) && held.is_undecided(id);
            (user.filter(|_| !undecided), undecided)
        });
        self.undecided = undecided;
        self.learn_rooms(node);
        // A login that was refused changes nothing.
        if !data.is_empty() && (undecided || user.is_some()) {
            self.data = data;
        }
        self.admitted(user)
    }

    /// Looks whether the client is admitted or refused by now. Returns the user if it is admitted.
    pub(super) fn decision(&mut self, node: &mut impl Node) -> Option<Arc<str>> {
        let id = self.id;
        let (user, undecided) = node.hold(|held| {
            let undecided = held.is_undecided(id);
            let user = if undecided { None } else { held.user(id) };
            (user, undecided)
        });
        self.undecided = undecided;
        self.learn_rooms(node);
        user
    }

    pub(super) fn admitted(&mut self, user: Option<Arc<str>>) -> Option<Step> {
        if self.user.is_some() {
            return None;
        }
        self.user = Some(user?);
        Some(self.call(Hook::Running, Call::Connect))
    }

    /// Gives up admitting the connection.
    pub(super) fn abandon_admission(&mut self) {
        self.undecided = false;
        if self.hook == Hook::Admission {
            self.call_over();
        }
    }
}
