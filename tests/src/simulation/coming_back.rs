//! Clients that come back: what they say of the position that they had, and their sessions.

use super::broadcasts::LeftOut;
use super::recoveries::Wish;
use super::world::World;

impl World {
    /// Draws from where on a client wants the messages of a room.
    fn draw_wish(&mut self, c: u32, r: u32) -> Wish {
        if !self.plan.keeps {
            return Wish::Rule;
        }
        let known = self.clients[c as usize].positions.get(&r).cloned();
        let Some((epoch, seq)) = known.filter(|_| self.calm || self.rng.u8(..8) > 0) else {
            return if self.rng.bool() {
                Wish::Last(self.rng.u64(..80))
            } else {
                Wish::Rule
            };
        };
        if self.calm {
            return Wish::Since(epoch, seq);
        }
        match self.rng.u8(..24) {
            0 => Wish::Since(epoch, seq + 1_000),
            1 => Wish::Since("nowhere-1".to_owned(), seq),
            2 | 3 => Wish::Since(epoch, seq.saturating_sub(self.rng.u64(..8))),
            _ => Wish::Since(epoch, seq),
        }
    }

    /// Returns a request to enter a room.
    pub(super) fn subscribe_text(&mut self, c: u32, r: u32, id: u64) -> String {
        let more = match self.draw_wish(c, r) {
            Wish::Rule => String::new(),
            Wish::Last(last) => format!(",\"last\":{last}"),
            Wish::Since(epoch, seq) => {
                format!(",\"since\":{{\"epoch\":\"{epoch}\",\"seq\":{seq}}}")
            }
        };
        format!("{{\"type\":\"subscribe\",\"channel\":\"r{r}\",\"id\":{id}{more}}}")
    }

    /// Returns the parameters in the URL of a client: its session, and what it wants of its lobby.
    pub(super) fn url_parameters(&mut self, c: u32) -> Vec<String> {
        let client = &self.clients[c as usize];
        let (session, lobby) = (client.session.clone(), client.lobby);
        let (Some(l), true) = (client.link, self.plan.keeps) else {
            return Vec::new();
        };
        let wish = lobby.map_or(Wish::Rule, |r| self.draw_wish(c, r));
        let mut parameters = Vec::new();
        if let Some(session) = &session {
            parameters.push(format!("session={session}"));
        }
        match &wish {
            Wish::Rule => {}
            Wish::Last(last) => parameters.push(format!("last={last}")),
            Wish::Since(epoch, seq) => parameters.push(format!("since={epoch}.{seq}")),
        }
        let shadow = &mut self.links[l as usize].shadow;
        shadow.session = session;
        shadow.lobby_entering.wish = wish;
        parameters
    }

    /// A client is connected again: it goes back to the rooms where it was.
    pub(super) fn come_back(&mut self, c: u32, l: u32) {
        let client = &self.clients[c as usize];
        let lobby = client.lobby;
        let rooms: Vec<u32> = client.positions.keys().copied().collect();
        for r in rooms.into_iter().filter(|&r| Some(r) != lobby) {
            let id = self.next_id();
            let text = self.subscribe_text(c, r, id);
            self.send_text(l, &text);
        }
    }

    /// Draws what else a client says with a message to a room: returns the content and further
    /// fields.
    pub(super) fn draw_fields(
        &mut self,
        c: u32,
        r: u32,
        content: String,
        has_id: bool,
    ) -> (String, String) {
        let keeping = self.oracle.rooms[r as usize].keeping;
        let by_key = keeping.is_some_and(|it| it.keys.is_some());
        if !self.plan.keeps || self.calm {
            return (content, String::new());
        }
        match self.rng.u8(..40) {
            0..5 => (content, ",\"volatile\":true".to_owned()),
            5 | 6 if has_id => {
                let positions = &self.clients[c as usize].positions;
                let seq = positions.get(&r).map_or(0, |&(_, seq)| seq);
                let again = match self.rng.u8(..4) {
                    0 => seq + self.rng.u64(..20),
                    1 => 0,
                    _ => seq.saturating_sub(self.rng.u64(..4)),
                };
                (content, format!(",\"again\":{again}"))
            }
            7 => (content, format!(",\"key\":\"{}\"", self.draw_key())),
            8..36 if by_key => {
                let removes = self.rng.u8(..6) == 0;
                let content = if removes { "null".to_owned() } else { content };
                (content, format!(",\"key\":\"{}\"", self.draw_key()))
            }
            _ => (content, String::new()),
        }
    }

    /// Returns the open connection of the same session and user.
    pub(super) fn in_session(&self, l: u32, user: &str) -> Option<u32> {
        let session = self.links[l as usize].shadow.session.as_ref()?;
        let mut devices = self.oracle.users.get(user)?.iter().copied();
        devices.find(|&other| self.links[other as usize].shadow.session.as_ref() == Some(session))
    }

    pub(super) fn is_anonymous(&self, l: u32) -> bool {
        let user = self.links[l as usize].shadow.user.as_ref();
        user.is_none_or(|user| user.starts_with("anon-"))
    }

    /// Returns the name by which rooms know the session of a connection.
    pub(super) fn session_name(&self, l: u32) -> Option<String> {
        let shadow = &self.links[l as usize].shadow;
        let session = shadow.session.as_ref()?;
        let user = shadow.user.as_deref().filter(|_| !self.is_anonymous(l));
        Some(format!("session {session} of {}", user.unwrap_or_default()))
    }

    /// Returns the sessions and users to which a message of the application is not given later either.
    pub(super) fn hidden_from(&self, left_out: &LeftOut) -> Vec<String> {
        if !self.plan.keeps {
            return Vec::new();
        }
        let sessions = left_out.links.iter().filter_map(|&l| self.session_name(l));
        let users = left_out.users.iter().map(|user| format!("user {user}"));
        sessions.chain(users).collect()
    }
}
