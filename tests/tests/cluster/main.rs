//! Several machines of a cluster and one broker, in virtual time: random commands, random faults, and
//! what must hold all the same.

mod acts;
mod asking;
mod faults;
mod login_stories;
mod logins;
mod process;
mod room_stories;
mod runs;
mod seats;
mod stories;
mod witness;
mod world;
