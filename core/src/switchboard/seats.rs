//! Seats of the node and of each address, and connect rates.

use super::audit::{Inconsistency, same};
use super::connection::ConnectionState;
use super::ips::Ips;
use super::phase::{ConnectRate, Phase, Seat};
use super::recount::Recount;
use crate::base::hash::Keyed;
use crate::{IpKey, Limits, Rate, Refused, Time};

/// The least share of one address in the seats for handshakes and pages.
const LEAST_SHARE: usize = 20;

/// How many connections are in each kind of phase, on the node and per address.
#[derive(Debug)]
pub(super) struct Seats {
    /// Connections that are open.
    open: usize,
    /// Connections that hold a handshake seat.
    handshakes: usize,
    /// Those of them that have been refused.
    refused: usize,
    /// Connections that wait for a page or read it, in seats of their own.
    pages: usize,
    /// Connections that are closing.
    closing: usize,
    ips: Ips,
}

impl Seats {
    pub(super) fn new(keyed: Keyed) -> Self {
        Self {
            open: 0,
            handshakes: 0,
            refused: 0,
            pages: 0,
            closing: 0,
            ips: Ips::new(keyed),
        }
    }

    /// Returns the number of open connections.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Returns the number of connections that hold a handshake seat.
    pub(super) fn handshakes(&self) -> usize {
        self.handshakes
    }

    /// Returns the number of seats that an address has.
    pub(super) fn of_address(&self, ip: IpKey) -> usize {
        self.ips.seats(ip)
    }

    /// Returns the number of refused connections that hold a handshake seat, and how many may.
    pub(super) fn refused(&self, limits: &Limits) -> (usize, usize) {
        (self.refused, limits.handshakes.max(2).div_ceil(2))
    }

    /// Returns the number of seats for handshakes and pages that an address holds, and its share of them.
    pub(super) fn share_of_address(&self, ip: IpKey, limits: &Limits) -> (usize, usize) {
        (self.ips.entering(ip), share(limits))
    }

    /// Returns the number of connections that are closing.
    pub(super) fn closing(&self) -> usize {
        self.closing
    }

    /// Checks for a handshake seat for a new stream. The `client` is not known yet behind a proxy.
    ///
    /// # Errors
    /// If there is not even a seat to tell it that it is refused.
    pub(super) fn admits(&self, client: Option<IpKey>, limits: &Limits) -> Result<(), Refused> {
        if self.handshakes >= 2 * limits.handshakes {
            return Err(Refused::RefusalsFull);
        }
        let held = client.map(|ip| self.ips.entering(ip));
        if held.is_some_and(|held| is_greedy(limits, self.handshakes, held)) {
            // Telling it so would take one more seat for its address.
            return Err(Refused::IpLimit);
        }
        Ok(())
    }

    /// Returns whether a refused connection takes one of the last seats for clients that have yet
    /// to read a Close frame. They get at most half of the handshake seats.
    pub(super) fn refusals_are_crowded(&self, limits: &Limits) -> bool {
        let (held, most) = self.refused(limits);
        held >= most
    }

    /// Takes the handshake seat of a new connection.
    pub(super) fn enter(&mut self, connection: &ConnectionState) {
        let seat = connection.phase.seat();
        self.add(seat);
        if seat.is_entering() {
            self.ips.add_entering(connection.ip);
        }
    }

    /// Changes the phase of a connection, and moves it to the seat of the new one.
    pub(super) fn move_to(&mut self, connection: &mut ConnectionState, phase: Phase, now: Time) {
        let (old, new, ip) = (connection.phase.seat(), phase.seat(), connection.ip);
        connection.phase = phase;
        self.add(new);
        self.subtract(old);
        // Not where the one follows from the other: finding an address takes longer than all the rest.
        match (old.is_entering(), new.is_entering()) {
            (false, true) => self.ips.add_entering(ip),
            (true, false) => self.ips.remove_entering(ip, now),
            _ => {}
        }
    }

    /// Releases the seats of a connection that has been removed.
    pub(super) fn release(&mut self, seat: Seat, ip: IpKey, ip_seat: bool, now: Time) {
        self.subtract(seat);
        if seat.is_entering() {
            self.ips.remove_entering(ip, now);
        }
        if ip_seat {
            self.ips.leave(ip, now);
        }
    }

    /// Assigns a connection to the address of its client: the seat, and the connect unless that was
    /// charged on arrival.
    pub(super) fn settle_address(
        &mut self,
        connection: &mut ConnectionState,
        ip: IpKey,
        rate: Option<Rate>,
        now: Time,
    ) {
        let before = std::mem::replace(&mut connection.ip, ip);
        if before != ip {
            self.ips.add_entering(ip);
            self.ips.remove_entering(before, now);
        }
        if connection.connect_rate == ConnectRate::Unchecked {
            let charged = rate.is_none_or(|rate| self.ips.charge(ip, rate, now));
            connection.connect_rate = if charged {
                ConnectRate::Within
            } else {
                ConnectRate::Exceeded
            };
        }
    }

    /// Returns whether the address of a connection that has a handshake seat holds more than its
    /// share of them.
    pub(super) fn exceeds_share(&self, ip: IpKey, limits: &Limits) -> bool {
        is_greedy(limits, self.handshakes - 1, self.ips.entering(ip) - 1)
    }

    /// Checks for a seat for a page.
    ///
    /// # Errors
    /// If the address connects too fast or holds its share, or if all seats are taken.
    pub(super) fn page_seat(
        &self,
        connection: &ConnectionState,
        limits: &Limits,
    ) -> Result<(), Refused> {
        let held = self.ips.entering(connection.ip);
        if connection.connect_rate == ConnectRate::Exceeded
            || is_greedy(limits, self.pages, held - 1)
        {
            Err(Refused::IpLimit)
        } else if self.pages >= limits.handshakes {
            Err(Refused::HandshakesFull)
        } else {
            Ok(())
        }
    }

    /// Takes a seat of its address for a connection.
    ///
    /// # Errors
    /// If the connect rate did not allow the connection, or if the seats are taken.
    pub(super) fn seat_address(
        &mut self,
        connection: &mut ConnectionState,
        limits: &Limits,
        now: Time,
    ) -> Result<(), Refused> {
        connection.ip_seat = connection.connect_rate != ConnectRate::Exceeded
            && self.ips.seat(connection.ip, limits.per_ip, now);
        if connection.ip_seat {
            Ok(())
        } else {
            Err(Refused::IpLimit)
        }
    }

    /// Gives the seat of its address back, if the connection has one.
    pub(super) fn leave_address(&mut self, connection: &mut ConnectionState, now: Time) {
        if std::mem::take(&mut connection.ip_seat) {
            self.ips.leave(connection.ip, now);
        }
    }

    /// Returns when an address can be forgotten next, in driver time.
    #[inline]
    pub(super) fn next(&self) -> Option<Time> {
        self.ips.next()
    }

    /// Forgets addresses that hold nothing.
    pub(super) fn tick(&mut self, now: Time) {
        self.ips.tick(now);
    }

    /// Compares the seats of an address with those that connections hold.
    pub(super) fn audit_address(
        &self,
        ip: IpKey,
        held: [usize; 2],
        limits: &Limits,
    ) -> Result<(), Inconsistency> {
        self.ips.audit_address(ip, held, limits)
    }

    /// Compares the seats with the phases of all connections.
    pub(super) fn audit(&self, counted: &Recount, limits: &Limits) -> Result<(), Inconsistency> {
        same("open", self.open, counted.seats(Seat::Open))?;
        same("closing", self.closing, counted.seats(Seat::Closing))?;
        same("pages", self.pages, counted.seats(Seat::Page))?;
        let refused = counted.seats(Seat::Refused);
        same("refused", self.refused, refused)?;
        let handshakes = counted.seats(Seat::Handshake) + refused;
        same("handshakes", self.handshakes, handshakes)?;
        same("open <= limit", self.open <= limits.connections, true)?;
        let held = self.handshakes <= 2 * limits.handshakes;
        same("handshakes <= limit", held, true)?;
        same("pages <= limit", self.pages <= limits.handshakes, true)?;
        same("closing <= limit", self.closing <= limits.closing, true)?;
        self.ips.audit(counted.addresses.len())
    }

    fn add(&mut self, seat: Seat) {
        *self.count(seat) += 1;
        self.refused += usize::from(seat == Seat::Refused);
    }

    fn subtract(&mut self, seat: Seat) {
        *self.count(seat) -= 1;
        self.refused -= usize::from(seat == Seat::Refused);
    }

    fn count(&mut self, seat: Seat) -> &mut usize {
        match seat {
            Seat::Open => &mut self.open,
            Seat::Closing => &mut self.closing,
            Seat::Page => &mut self.pages,
            Seat::Handshake | Seat::Refused => &mut self.handshakes,
        }
    }
}

/// Returns whether an address that holds `held` seats gets no more of a kind of which `taken` are
/// taken.
fn is_greedy(limits: &Limits, taken: usize, held: usize) -> bool {
    2 * taken >= limits.handshakes && held >= share(limits)
}

/// Returns the share of one address.
fn share(limits: &Limits) -> usize {
    (limits.handshakes / 10).max(LEAST_SHARE)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::base::hash::Secrets;
    use crate::switchboard::phase::Ending;

    const NOW: Time = Time::from_millis(1_000);

    fn address(last: u8) -> IpKey {
        IpKey::of(IpAddr::from([10, 0, 0, last]))
    }

    fn seats() -> Seats {
        Seats::new(Secrets::expand(1).keyed)
    }

    fn arrives(seats: &mut Seats, ip: IpKey) -> ConnectionState {
        let connection = ConnectionState::new(ip, NOW, Time::MAX);
        seats.enter(&connection);
        connection
    }

    fn limits(handshakes: usize) -> Limits {
        Limits {
            handshakes,
            per_ip: 2,
            ..Limits::default()
        }
    }

    #[test]
    fn a_connection_holds_one_seat_in_each_phase() {
        let mut seats = seats();
        let mut connection = arrives(&mut seats, address(1));
        assert_eq!(
            (seats.open(), seats.handshakes(), seats.closing()),
            (0, 1, 0)
        );
        seats.move_to(&mut connection, Phase::Open, NOW);
        assert_eq!(
            (seats.open(), seats.handshakes(), seats.closing()),
            (1, 0, 0)
        );
        seats.move_to(&mut connection, Phase::Closing(Ending::default()), NOW);
        assert_eq!(
            (seats.open(), seats.handshakes(), seats.closing()),
            (0, 0, 1)
        );
        seats.release(Seat::Closing, connection.ip, false, NOW);
        assert_eq!(
            (seats.open(), seats.handshakes(), seats.closing()),
            (0, 0, 0)
        );
        assert_eq!(seats.ips.len(), 0);
    }

    #[test]
    fn an_address_with_its_share_gets_no_more_once_half_of_the_seats_are_taken() {
        let mut seats = seats();
        let limits = limits(40);
        for _ in 0..20 {
            assert_eq!(seats.admits(Some(address(1)), &limits), Ok(()));
            arrives(&mut seats, address(1));
        }
        let refused = Err(Refused::IpLimit);
        assert_eq!(seats.admits(Some(address(1)), &limits), refused);
        assert_eq!(seats.admits(Some(address(2)), &limits), Ok(()));
        assert_eq!(seats.admits(None, &limits), Ok(()));
    }

    #[test]
    fn an_address_has_as_many_seats_as_configured() {
        let mut seats = seats();
        let limits = limits(100);
        let mut held: Vec<_> = (0..3).map(|_| arrives(&mut seats, address(1))).collect();
        let verdicts: Vec<_> = held
            .iter_mut()
            .map(|connection| seats.seat_address(connection, &limits, NOW))
            .collect();
        assert_eq!(verdicts, [Ok(()), Ok(()), Err(Refused::IpLimit)]);
        seats.leave_address(&mut held[0], NOW);
        seats.leave_address(&mut held[0], NOW);
        assert_eq!(seats.seat_address(&mut held[2], &limits, NOW), Ok(()));
    }

    #[test]
    fn the_connect_rate_is_charged_to_the_client_and_not_to_its_proxy() {
        let mut seats = seats();
        let limits = limits(100);
        let rate = Rate {
            per_second: 1,
            burst: 1,
        };
        let mut paid = |from: u8| {
            let mut connection = arrives(&mut seats, address(9));
            seats.settle_address(&mut connection, address(from), Some(rate), NOW);
            seats.seat_address(&mut connection, &limits, NOW)
        };
        assert_eq!(paid(1), Ok(()));
        assert_eq!(paid(2), Ok(()));
        assert_eq!(paid(1), Err(Refused::IpLimit));
    }
}
