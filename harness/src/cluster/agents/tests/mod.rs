//! Sessions and rounds with agents that follow a script; time is the runtime's own.

mod fixture;
mod rounds;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use super::{Agents, Patience};
use fixture::{Fake, endpoint};

/// Agents of these names, as scripted.
fn agents(fakes: &[(&str, &Fake)]) -> Agents {
    let patience = Patience { connect: Duration::from_secs(5), answer: Duration::from_secs(30) };
    let mut agents = Agents::new("run".to_owned(), patience);
    for (name, fake) in fakes {
        agents.add(endpoint(name), format!("a/{name}"), Arc::new((*fake).clone()));
    }
    agents
}
