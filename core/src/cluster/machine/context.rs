//! What the change of a room may look at, and where it says what follows.

use std::collections::VecDeque;
use std::sync::Arc;

use super::figures::Figures;
use super::output::Output;
use super::registrations::Registrations;
use super::timers::Timers;

/// What the change of a room may look at, and where it says what follows.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) node: &'a Arc<str>,
    pub(super) registrations: Registrations<'a>,
    pub(super) figures: &'a mut Figures,
    pub(super) timers: &'a mut Timers,
    pub(super) outputs: &'a mut VecDeque<Output>,
}

impl Context<'_> {
    pub(super) fn tell(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
}
