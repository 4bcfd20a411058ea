//! What the specification promises, sentence by sentence, as scenarios in virtual time: a
//! switchboard, a clock that is a variable, and clients that are vectors of bytes.

mod admission;
mod client;
mod clock;
mod delivery;
mod ending;
mod health;
mod limits;
mod login;
mod presence;
mod rooms;
mod slow;
mod users;
mod world;
