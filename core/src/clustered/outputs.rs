//! What the cluster wants of the switchboard and of the adapter.

use std::sync::Arc;

use super::Clustered;
use crate::cluster::{
    Channel, ClusterNotice, Entry, Fate, Output, PositionKind, Question, RecallTicket, Ticket,
};
use crate::switchboard::Arrived;
use crate::{Position, SendError, Switchboard, Time, UserReport};

impl Clustered {
    pub(super) fn carry_out(&mut self, now: Time, board: &mut Switchboard, output: Output) {
        let output = if self.fillings.is_empty() {
            output
        } else if let Some(output) = self.fillings.put_off(output) {
            output
        } else {
            return;
        };
        match output {
            Output::Unsubscribe(channels) => {
                for channel in &channels {
                    if let Channel::Room(room) = channel {
                        board.room_forgotten(room);
                    }
                }
                self.orders.push_back(Output::Unsubscribe(channels));
            }
            Output::Connect | Output::Hangup | Output::Subscribe(_) | Output::Send(_) => {
                self.orders.push_back(output);
            }
            Output::Notice(notice) => self.tell(now, board, notice),
            output => self.carry_out_here(now, board, output),
        }
    }

    fn carry_out_here(&mut self, now: Time, board: &mut Switchboard, output: Output) {
        match output {
            Output::Position {
                room,
                epoch,
                seq,
                kind,
            } => self.position(now, board, &room, Position { epoch, seq }, kind),
            Output::Recalled {
                ticket, entries, ..
            } => self.recalled(now, board, ticket, &entries),
            Output::Deliver {
                room,
                seq,
                node,
                body,
                ticket,
            } => {
                let post = ticket.and_then(|ticket| self.posts.remove(&ticket));
                let arrived = Arrived {
                    seq,
                    body: &body,
                    is_own: node == *self.cluster.node(),
                    post,
                };
                let receipt = board.deliver(now, &room, arrived);
                if let Some(post) = post {
                    self.outcome = Some((post, Ok(receipt)));
                }
            }
            Output::Skip {
                room,
                from,
                to,
                lost,
            } => board.numbers_skipped(now, &room, (from, to), lost),
            Output::Published { ticket, fate } => self.published(now, board, ticket, fate),
            Output::CaughtUp { room, upto } => board.caught_up(now, &room, upto),
            Output::Unavailable { room } => board.room_unavailable(now, &room),
            Output::Volatile { room, body, .. } => board.volatile_arrived(now, &room, &body),
            Output::Occupants { room, joined, left } => {
                board.occupants_elsewhere(now, &room, &joined, &left);
            }
            output => self.carry_out_for_users(now, board, output),
        }
    }

    fn carry_out_for_users(&mut self, now: Time, board: &mut Switchboard, output: Output) {
        match output {
            Output::Seat { ticket, granted } => {
                if let Some(seat) = self.seats.remove(&ticket) {
                    board.seat_decided(now, seat, granted);
                }
            }
            Output::Admission {
                user,
                connection,
                admitted,
            } => board.login_decided(now, &user, connection, admitted),
            Output::Close {
                user,
                connection,
                reason,
            } => board.put_out(now, &user, connection, &reason),
            Output::Direct {
                node,
                question,
                user,
                body,
            } => {
                board.direct_arrived(now, &user, &body, (&node, question));
            }
            Output::Taken {
                question,
                nodes,
                queues: connections,
                complete,
            }
            | Output::Kicked {
                question,
                nodes,
                connections,
                complete,
            } => {
                let report = UserReport {
                    connections,
                    nodes,
                    complete,
                };
                self.reached(now, board, question, report);
            }
            Output::Everyone { body, .. } => board.everyone_arrived(now, &body),
            _ => {}
        }
    }

    fn reached(
        &mut self,
        now: Time,
        board: &mut Switchboard,
        question: Question,
        report: UserReport,
    ) {
        if let Some(ask) = self.questions.remove(&question) {
            board.user_reached(now, ask, report);
        }
    }

    fn tell(&mut self, now: Time, board: &mut Switchboard, notice: ClusterNotice) {
        match notice {
            ClusterNotice::Away => board.cluster_changed(now, false),
            ClusterNotice::Back => board.cluster_changed(now, true),
            _ => {}
        }
        self.notices.push_back(notice);
    }

    fn position(
        &mut self,
        now: Time,
        board: &mut Switchboard,
        room: &Arc<str>,
        at: Position,
        kind: PositionKind,
    ) {
        let alone = kind == PositionKind::Local;
        if board.keeps_values(room) {
            return self.position_by_key(now, board, room, (at, alone));
        }
        // The room continues at another position before the missing messages have been read.
        self.open(now, board, room, &[]);
        let missing = if alone {
            None
        } else if board.is_shared_room_open(room) {
            board.is_missing_to_returned(room, &at)
        } else {
            board.is_missing(room, &at)
        };
        match missing {
            Some(after) => {
                let ticket = self.recall(now, room, &at, after);
                self.fillings.begin(room.clone(), at, after, ticket);
            }
            None => self.open_at(now, board, room, (&at, alone), &[]),
        }
    }

    /// Handles the position of a room that keeps the latest value of each key: its values are read
    /// again.
    fn position_by_key(
        &mut self,
        now: Time,
        board: &mut Switchboard,
        room: &Arc<str>,
        (at, alone): (Position, bool),
    ) {
        if let Some(filling) = self.fillings.end(room) {
            for output in filling.later {
                self.carry_out_here(now, board, output);
            }
        }
        if alone {
            return self.open_at(now, board, room, (&at, alone), &[]);
        }
        for (terms, body) in board.values_to_restore(room, &at.epoch) {
            // Without a place for it, the others have to do.
            let _ = self.cluster.publish(now, room, terms, body.into());
        }
        let ticket = self.cluster.recall_values(now, room, &at.epoch, at.seq);
        self.recalls.entry(ticket).or_default().push(room.clone());
        self.fillings.begin(room.clone(), at, 0, ticket);
    }

    /// Reads the messages of a room up to a position.
    fn recall(&mut self, now: Time, room: &Arc<str>, at: &Position, after: u64) -> RecallTicket {
        let before = at.seq + 1;
        let ticket = self.cluster.recall(now, room, &at.epoch, after, before);
        self.recalls.entry(ticket).or_default().push(room.clone());
        ticket
    }

    fn recalled(
        &mut self,
        now: Time,
        board: &mut Switchboard,
        ticket: RecallTicket,
        entries: &[Entry],
    ) {
        if let Some((room, numbers)) = self.reads.remove(&ticket) {
            let entries = entries.iter().map(|entry| (entry.seq, &entry.body));
            board.older_read(now, &room, &numbers, entries);
        }
        for room in self.recalls.remove(&ticket).unwrap_or_default() {
            if self.fillings.waits_for(&room, ticket) && !self.reads_more(now, board, &room) {
                self.open(now, board, &room, entries);
            }
        }
    }

    /// Reads again if a member that needs older messages has arrived since. Returns whether it does.
    fn reads_more(&mut self, now: Time, board: &Switchboard, room: &Arc<str>) -> bool {
        let Some((at, after)) = self.fillings.reads(room) else {
            return false;
        };
        match board.is_missing_to_returned(room, at) {
            Some(earlier) if earlier < after => {
                let at = at.clone();
                let ticket = self.recall(now, room, &at, earlier);
                self.fillings.begin_again(room, earlier, ticket);
                true
            }
            _ => false,
        }
    }

    /// Opens or continues a room that was being filled, then handles the deferred outputs.
    fn open(&mut self, now: Time, board: &mut Switchboard, room: &Arc<str>, entries: &[Entry]) {
        let Some(filling) = self.fillings.end(room) else {
            return;
        };
        self.open_at(now, board, room, (&filling.at, false), entries);
        for output in filling.later {
            self.carry_out_here(now, board, output);
        }
    }

    fn open_at(
        &mut self,
        now: Time,
        board: &mut Switchboard,
        room: &Arc<str>,
        (at, alone): (&Position, bool),
        entries: &[Entry],
    ) {
        let entries = entries.iter().filter(|entry| entry.seq <= at.seq);
        let entries = entries.map(|entry| (entry.seq, &entry.body));
        if board.is_shared_room_open(room) {
            if board.keeps_values(room) && alone {
                board.values_go_alone(now, room, at);
            } else if board.keeps_values(room) {
                board.values_moved(now, room, (at, false), entries);
            } else {
                board.room_moved(now, room, (at, alone), entries);
            }
            return;
        }
        let elsewhere = self.cluster.users_elsewhere(room);
        let elsewhere: Vec<_> = elsewhere
            .map(|(user, info)| (user.clone(), info.clone()))
            .collect();
        board.room_opened(now, room, (at, alone), entries, &elsewhere);
    }

    fn published(&mut self, now: Time, board: &mut Switchboard, ticket: Ticket, fate: Fate) {
        let Some(post) = self.posts.remove(&ticket) else {
            return;
        };
        match fate {
            Fate::Numbered(epoch, seq) => {
                board.post_published(now, post, Some(Position { epoch, seq }));
            }
            Fate::NotKept => {
                let error = board.post_not_kept(now, post);
                self.outcome = Some((post, Err(error)));
            }
            Fate::Applied | Fate::Forwarded => board.post_published(now, post, None),
            Fate::Local | Fate::Refused => {
                let error = SendError::Unavailable;
                self.outcome = Some((post, Err(error)));
                board.post_refused(now, post, error);
            }
        }
    }
}
