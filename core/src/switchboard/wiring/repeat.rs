//! Replaying a recording: telling a node the same again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::switchboard::Switchboard;
use crate::base::hash::Secrets;
use crate::protocol::RequestId;
use crate::recorder::{
    Ended, Input, Recording, Sent, What, bad_request_of, content_of, pong_of, presence_of,
    request_id,
};
use crate::switchboard::audit::Inconsistency;
use crate::switchboard::log::Turn;
use crate::switchboard::recipients::Exclude;
use crate::switchboard::to_all::ToAll;
use crate::switchboard::to_user::ToUser;
use crate::{
    Config, ConfigError, ConnectionId, FlightRecorder, Identity, Refused, RoomMessage, Time,
};

/// The memory of the recorder of a replay, which shall forget nothing.
const EVERYTHING: usize = 1 << 40;

/// A node that is told what another one was told.
///
/// Payloads are others of the same length. Nothing depends on them.
#[derive(Debug)]
pub struct Replay {
    board: Switchboard,
    /// Turns that are not reported yet.
    turns: BTreeMap<u64, Turn>,
    to_all: BTreeMap<u64, ToAll>,
    to_user: BTreeMap<u64, ToUser>,
}

/// A replay that is not like the recording.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlike {
    /// The actions differ.
    Actions,
    /// A writer had other connections to write to.
    Jobs,
    /// An input is not one that a node can be told.
    Illegal,
}

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Actions => "the actions before it are others",
            Self::Jobs => "the writer had other connections to write to",
            Self::Illegal => "it is not something that a node can be told",
        })
    }
}

impl std::error::Error for Unlike {}

/// What a replay did.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Inputs that the node was told.
    pub inputs: usize,
    /// The number of the line from which on it was not like the recording, and in what.
    pub unlike: Option<(u64, Unlike)>,
    /// Connections that ended.
    pub ends: Vec<Ended>,
    /// What an audit of the node says at the end.
    pub audit: Result<(), Inconsistency>,
}

impl Replay {
    /// Replays a whole recording.
    ///
    /// # Errors
    ///
    /// If this version does not accept the configuration.
    pub fn run(recording: &Recording) -> Result<Replayed, ConfigError> {
        let mut replay = Self::new(recording)?;
        let (mut inputs, mut unlike) = (0, None);
        for line in &recording.lines {
            let told = match &line.what {
                What::Input { input, trace, held } => {
                    inputs += 1;
                    let alike = replay.catch_up(*held, *trace);
                    replay.tell(line.at, input).and(alike)
                }
                What::Dump { trace, held } => replay.catch_up(*held, *trace),
                What::Ended(_) => Ok(()),
            };
            if let Err(how) = told {
                unlike.get_or_insert((line.number, how));
            }
        }
        let own = replay
            .board
            .dump(recording.now)
            .map(|dump| dump.to_string());
        let own = Recording::read(&own.unwrap_or_default());
        Ok(Replayed {
            inputs,
            unlike,
            ends: own.map_or_else(|_| Vec::new(), |own| own.ends().cloned().collect()),
            audit: replay.board.audit(),
        })
    }

    /// Creates a node like the one that was recorded.
    fn new(recording: &Recording) -> Result<Self, ConfigError> {
        let config = Config {
            recorder: FlightRecorder { bytes: EVERYTHING },
            ..recording.config.clone()
        };
        config.check()?;
        let beginning = recording.beginning;
        let secrets = Secrets {
            epochs: beginning.epochs,
            rng: fastrand::Rng::with_seed(beginning.rng),
            ..Secrets::expand(0)
        };
        let start = Time::from_nanos(beginning.start);
        Ok(Self {
            board: Switchboard::with_secrets(config, secrets, start),
            turns: BTreeMap::new(),
            to_all: BTreeMap::new(),
            to_user: BTreeMap::new(),
        })
    }

    /// Carries out the actions, unless they were `held` back in the recording, and compares them with the hash
    /// there.
    fn catch_up(&mut self, held: bool, trace: u32) -> Result<(), Unlike> {
        if held {
            return Ok(());
        }
        while self.board.poll_action().is_some() {}
        let found = self.board.recorder.as_ref().map(|it| it.trace());
        if found == Some(trace) {
            Ok(())
        } else {
            Err(Unlike::Actions)
        }
    }

    /// Tells the node what was recorded.
    fn tell(&mut self, at: Time, input: &Input<'_>) -> Result<(), Unlike> {
        let board = &mut self.board;
        match input {
            Input::Take { turn, most } => {
                let mut taken = Turn::default();
                board.take_turn(&mut taken, *most);
                self.turns.insert(*turn, taken);
            }
            Input::Report {
                turn,
                jobs,
                short,
                failed,
                ..
            } => return self.report(at, (*turn, *jobs), short, failed),
            Input::BroadcastAll {
                number,
                frame,
                exclude,
            } => {
                let users: Vec<&str> = exclude.users.iter().map(String::as_str).collect();
                let exclude = exclude_of(&exclude.conns, &users);
                let all = self.to_all.entry(*number);
                let all = all.or_insert_with(|| ToAll::new(frame.frame()));
                if !matches!(board.broadcast_all_part(at, all, exclude), Ok(None)) {
                    self.to_all.remove(number);
                }
            }
            Input::SendToUser {
                user,
                frame,
                everywhere,
                number,
            } => {
                let to = self.to_user.entry(*number);
                let to = to.or_insert_with(|| ToUser::new(user, frame.frame()));
                let through = if *everywhere {
                    !matches!(board.send_to_user_everywhere_part(at, to), Ok(None))
                } else {
                    !matches!(board.send_to_user_part(at, to), Ok(None))
                };
                if through {
                    self.to_user.remove(number);
                }
            }
            input => {
                let told = board.hear_of_connections(at, input);
                return told
                    .or_else(|| board.hear_of_streams(at, input))
                    .or_else(|| board.hear_of_application(at, input))
                    .ok_or(Unlike::Illegal);
            }
        }
        Ok(())
    }

    fn report(
        &mut self,
        at: Time,
        (turn, jobs): (u64, usize),
        short: &[(ConnectionId, usize, usize)],
        failed: &[(ConnectionId, usize)],
    ) -> Result<(), Unlike> {
        let mut turn = self.turns.remove(&turn).unwrap_or_default();
        let like = turn.len() == jobs;
        turn.write_each(|_, bytes| bytes.len());
        for &(_, index, written) in short {
            turn.wrote(index, written);
        }
        for &(_, index) in failed {
            turn.failed(index);
        }
        self.board.report(at, &mut turn);
        if like { Ok(()) } else { Err(Unlike::Jobs) }
    }
}

fn exclude_of<'a>(connections: &'a [ConnectionId], users: &'a [&'a str]) -> Exclude<'a> {
    Exclude { connections, users }
}

fn frame_of(frame: Sent) -> crate::Frame {
    frame.frame()
}

/// What a call returns, its caller was told when it was recorded.
fn ignore<T>(_: T) {}

// Each returns `None` for an input that is not about its subject, or not legal.
impl Switchboard {
    fn hear_of_connections(&mut self, at: Time, input: &Input<'_>) -> Option<()> {
        match input {
            Input::Connect { peer } => ignore(self.connect(at, *peer)),
            Input::Request {
                conn,
                request,
                answered: true,
            } => ignore(self.upgraded(at, *conn, &request.request(""))),
            Input::Request { conn, request, .. } => {
                ignore(self.request(at, *conn, &request.request("")));
            }
            Input::OmitBody { conn } => ignore(self.omit_body(*conn)),
            Input::Malformed { conn, bad } => {
                ignore(self.malformed(at, *conn, bad_request_of(bad)));
            }
            Input::Page { conn, bytes } => ignore(self.answer_page(at, *conn, vec![0; *bytes])),
            Input::Consider { request, identity } => {
                let identity = identity.as_ref().map(Identity::from);
                let _ = self.consider(at, &request.request(""), identity.as_ref());
            }
            Input::Post {
                conn,
                request,
                stream,
                messages,
            } => {
                let path = stream.map_or_else(String::new, |stream| self.posts.secret(stream));
                ignore(self.post(at, *conn, &request.request(&path), messages.into()));
            }
            Input::NextPosted { conn } => ignore(self.next_posted(*conn)),
            Input::Login {
                conn,
                who,
                refused,
                id,
            } => {
                let verdict = match (who, refused) {
                    (Some(who), _) => Ok(Identity::from(who)),
                    (None, refused) => Err(Refused::from((*refused)?)),
                };
                let request: Option<RequestId<'_>> = id.as_deref().and_then(request_id);
                ignore(self.authenticated(at, *conn, verdict, request.as_ref()));
            }
            Input::LimitLobby { conn, reach } => ignore(self.limit_lobby(*conn, (*reach).into())),
            Input::ExplainRefusal { conn, text } => ignore(self.explain_refusal(*conn, text)),
            _ => return None,
        }
        Some(())
    }

    fn hear_of_streams(&mut self, at: Time, input: &Input<'_>) -> Option<()> {
        match input {
            Input::Event { conn, event } => {
                let mut payload = Vec::new();
                ignore(self.handle(at, *conn, event.event(&mut payload)));
            }
            Input::Pong {
                conn,
                bytes,
                number,
            } => ignore(self.pong(at, *conn, &pong_of(*bytes, *number))),
            Input::Message {
                conn,
                binary,
                bytes,
                retry_after,
            } => {
                let charged = retry_after.map_or(Ok(()), |wait| Err(Duration::from_nanos(wait)));
                ignore(self.message(at, *conn, *binary, *bytes, charged));
            }
            Input::Command { conn, said } => {
                ignore(said.with(|command| self.command(at, *conn, command))?);
            }
            Input::Answer { conn, to, answer } => {
                ignore(self.answer(at, *conn, to.question()?, answer.into()));
            }
            Input::Tick => self.tick(at),
            _ => return None,
        }
        Some(())
    }

    fn hear_of_application(&mut self, at: Time, input: &Input<'_>) -> Option<()> {
        match input {
            Input::Presence { conn, info } => {
                ignore(self.set_presence(at, *conn, presence_of(*info)));
            }
            Input::UserPresence { user, info } => {
                self.set_user_presence(at, user, presence_of(*info));
            }
            Input::Broadcast {
                room,
                content,
                key,
                volatile,
                sender,
                id,
                again,
                epoch,
                exclude,
            } => {
                let (content, sender) = (content_of(*content), sender.as_deref());
                let content = content.as_content();
                let users: Vec<&str> = exclude.users.iter().map(String::as_str).collect();
                let exclude = exclude_of(&exclude.conns, &users);
                if *volatile {
                    ignore(self.broadcast_volatile(at, room, content, sender, exclude));
                } else {
                    let message = RoomMessage::new(room, content).from_user(sender);
                    let message = message.with_key(key.as_deref()).in_epoch(epoch.as_deref());
                    let message = match id {
                        Some(id) => message.with_id(id, *again),
                        None => message,
                    };
                    ignore(self.broadcast_message(at, &message, exclude));
                }
            }
            Input::BroadcastRaw {
                room,
                frame,
                exclude,
            } => {
                let users: Vec<&str> = exclude.users.iter().map(String::as_str).collect();
                let exclude = exclude_of(&exclude.conns, &users);
                ignore(self.broadcast_raw(at, room, frame_of(*frame), exclude));
            }
            Input::Send { conn, frame } => ignore(self.send(at, *conn, frame_of(*frame))),
            Input::Join { conn, room } => ignore(self.join(at, *conn, room)),
            Input::Leave { conn, room } => ignore(self.leave(at, *conn, room)),
            Input::ReleaseSeat { room, user } => ignore(self.release_seat(at, room, user)),
            input => return self.hear_of_ends(at, input),
        }
        Some(())
    }

    fn hear_of_ends(&mut self, at: Time, input: &Input<'_>) -> Option<()> {
        match input {
            Input::Close { conn, reason, text } => match (reason, text) {
                (crate::CloseReason::Application(code), Some(text)) => {
                    ignore(self.close_with(at, *conn, *code, text));
                }
                (reason, _) => ignore(self.close(at, *conn, *reason)),
            },
            Input::DisconnectUser {
                user,
                reason,
                everywhere,
            } => {
                if *everywhere {
                    self.disconnect_user_everywhere(at, user, *reason);
                } else {
                    self.disconnect_user(at, user, *reason);
                }
            }
            Input::Extend { conn, expires_in } => {
                ignore(self.extend(at, *conn, expires_in.map(Duration::from_nanos)));
            }
            Input::PingUser { user, timeout } => {
                self.ping_user(at, user, Duration::from_nanos(*timeout));
            }
            Input::Drain { window, deadline } => {
                let (window, deadline) = (*window, *deadline);
                self.drain(
                    at,
                    Duration::from_nanos(window),
                    Duration::from_nanos(deadline),
                );
            }
            Input::AwaitDisconnectHooks => self.await_disconnect_hooks(),
            Input::DisconnectHookDone => self.disconnect_hook_done(at),
            Input::WallClock { unix } => self.set_wall_clock(at, *unix),
            Input::ShutDown => {
                self.shut_down_part(at);
            }
            _ => return None,
        }
        Some(())
    }
}
