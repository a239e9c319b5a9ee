//! A round of attempts: cells become attempts, both ends are heard, and what each saw
//! is put together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use anyhow::anyhow;
use ringfence_probe::wire::{Attempt, AttemptResult, Round};
use ringfence_probe::{Environment, Report};
use ringfence_probe::{
    HalfOpen, Outcome, Protocol, correlate, correlate_half_open, half_open_among,
};

use super::deployment::Deployment;
use super::filter::Filter;
use super::namespace::Namespace;
use super::services::Target;
use crate::model::{Cell, Endpoint, Observation, Pod, Via};

impl Deployment {
    /// Attempts every cell; one observation for each, in order.
    pub(super) fn probe(
        &mut self,
        cells: &[Cell],
        deadline_us: u64,
    ) -> anyhow::Result<Vec<Observation>> {
        self.raise_services(cells)?;
        self.forget_connections(cells.len())?;
        // What arrived late, after its round was over, belongs to no attempt of this one.
        drop(self.servers.take_arrivals());
        self.rounds += 1;
        let mut observations: Vec<Option<Observation>> = vec![None; cells.len()];
        let mut attempts = Vec::with_capacity(cells.len());
        let mut arriving = Vec::with_capacity(cells.len());
        for (number, cell) in cells.iter().enumerate() {
            match self.attempt(number as u32, cell) {
                Ok((attempt, reached)) => {
                    attempts.push(attempt);
                    arriving.push(reached);
                }
                Err(reason) => observations[number] = Some(Observation::broken(reason)),
            }
        }
        let mut round = Round { round: self.rounds, deadline_us, attempts };
        let mut results = self.run(&round)?;
        let arrivals = self.servers.take_arrivals();
        correlate(&round, &mut results, arrivals.iter().map(|(_, arrival)| arrival));
        // Listeners know nothing of Services.
        for (attempt, reached) in round.attempts.iter_mut().zip(arriving) {
            attempt.target = reached;
        }
        let half_open = self.half_open(cells, &round, &results);
        correlate_half_open(&round, &mut results, &half_open);
        for result in results {
            let number = result.id as usize;
            observations[number] = Some(Observation::from(result));
        }
        Ok(observations
            .into_iter()
            .map(|found| found.unwrap_or_else(|| Observation::broken("the prober forgot it")))
            .collect())
    }

    /// A cell's attempt, and the address and port at which it is to arrive.
    pub(super) fn attempt(
        &mut self,
        id: u32,
        cell: &Cell,
    ) -> Result<(Attempt, SocketAddr), String> {
        let Cell { source, destination, protocol, .. } = cell;
        let from = self
            .network
            .place(source)
            .ok_or_else(|| format!("expected `{source}` to have a network, found none"))?;
        let Target { dialled, reached } = self.target(cell)?;
        self.nonces += 1;
        let attempt = Attempt {
            id,
            nonce: self.nonces,
            from,
            protocol: *protocol,
            target: dialled,
            expect: destination.to_string(),
        };
        Ok((attempt, reached))
    }

    /// Whether an end has a network, or is about to have one.
    fn has_network(&self, end: &Endpoint) -> bool {
        let pod = end.as_pod().and_then(|name| self.topology().pods.get(name));
        pod.is_none_or(Pod::has_network)
    }

    fn target(&self, cell: &Cell) -> Result<Target, String> {
        let Cell { destination, port, family, via, .. } = cell;
        match via {
            Via::Pod => {
                let address = self
                    .topology()
                    .address(destination, *family)
                    .filter(|_| self.has_network(destination))
                    .ok_or_else(|| {
                        format!("expected `{destination}` to have an {family} address, found none")
                    })?;
                let reached = SocketAddr::new(address, *port);
                Ok(Target { dialled: reached, reached })
            }
            Via::Service => self.services.target(cell),
            Via::NodePort | Via::LocalNodePort => {
                Err(format!("the embedded cluster has no way via {via}"))
            }
        }
    }

    /// Makes the attempts on all probers at once: those of one place on one prober.
    /// The results are in the order of the attempts.
    fn run(&mut self, round: &Round) -> anyhow::Result<Vec<AttemptResult>> {
        let probers = self.probers.len();
        let attempts = &round.attempts;
        // Always the same for a place, which always has the same addresses: so no port of an
        // address comes back soon, whoever has it.
        let prober_of = |place: u32| place as usize % probers;
        let mut rounds = vec![Round { attempts: Vec::new(), ..*round }; probers];
        for attempt in attempts {
            rounds[prober_of(attempt.from)].attempts.push(attempt.clone());
        }
        let topology = &self.world.topology;
        let pods = topology.pods.keys().cloned().map(Endpoint::Pod);
        let nodes = topology.nodes.keys().cloned().map(Endpoint::Node);
        let externals = topology.externals.keys().cloned().map(Endpoint::External);
        let owners = pods
            .chain(nodes)
            .chain(externals)
            .filter_map(|endpoint| Some((prober_of(self.network.place(&endpoint)?), endpoint)))
            .flat_map(|(prober, endpoint)| {
                topology.addresses(&endpoint).iter().map(move |address| (*address, prober))
            })
            .collect();
        let queues = vec![Vec::new(); probers];
        let desk = Mutex::new(Desk { filters: &mut self.filters, owners, queues });
        let (places, desk) = (self.network.places(), &desk);
        let mut results = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .probers
                .iter_mut()
                .zip(&rounds)
                .enumerate()
                .filter(|(_, (_, round))| !round.attempts.is_empty())
                .map(|(number, (prober, round))| {
                    scope.spawn(move || prober.round(round, &mut Walk { places, number, desk }))
                })
                .collect();
            let mut results = Vec::with_capacity(attempts.len());
            for thread in threads {
                results.extend(thread.join().map_err(|_| anyhow!("a prober thread panicked"))?);
            }
            anyhow::Ok(results)
        })?;
        results.sort_unstable_by_key(|result| result.id);
        let answered = results.iter().map(|result| result.id);
        if !answered.eq(attempts.iter().map(|attempt| attempt.id)) {
            return Err(anyhow!("expected one result for each attempt, in order of their numbers"));
        }
        Ok(results)
    }

    /// Half-open handshakes at the listeners of silent TCP attempts: a request proper comes
    /// only after the handshake, so a lost SYN-ACK leaves no other trace.
    fn half_open(
        &self,
        cells: &[Cell],
        round: &Round,
        results: &[AttemptResult],
    ) -> HashSet<HalfOpen> {
        // Where the packet filter says that it dropped the request, nothing is left to ask.
        let silent = round.attempts.iter().zip(results).filter(|(attempt, result)| {
            attempt.protocol == Protocol::Tcp
                && result.outcome == Outcome::Dropped
                && result.evidence.is_none()
        });
        let mut places: BTreeMap<u32, (&Endpoint, HashSet<HalfOpen>)> = BTreeMap::new();
        for (attempt, result) in silent {
            let destination = &cells[result.id as usize].destination;
            if let (Some(place), Some(client)) = (self.network.place(destination), result.local) {
                let (_, candidates) =
                    places.entry(place).or_insert_with(|| (destination, HashSet::new()));
                candidates.insert(HalfOpen { listener: attempt.target, client });
            }
        }
        places
            .into_values()
            .filter(|(destination, _)| self.network.enter(destination).is_ok())
            .filter_map(|(_, candidates)| half_open_among(&candidates).ok())
            .flatten()
            .collect()
    }
}

/// Where the packet filters' reports come in, for whichever prober they are.
struct Desk<'a> {
    filters: &'a mut [Filter],
    /// The prober that dials from an address.
    owners: HashMap<IpAddr, usize>,
    queues: Vec<Vec<Report>>,
}

/// One prober's way through the cluster.
struct Walk<'a> {
    places: &'a [Option<Namespace>],
    number: usize,
    desk: &'a Mutex<Desk<'a>>,
}

impl Environment for Walk<'_> {
    fn enter(&mut self, place: u32) -> io::Result<()> {
        let namespace = self.places.get(place as usize).and_then(Option::as_ref);
        namespace
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no place {place}")))?
            .enter()
    }

    fn reports(&mut self, sink: &mut dyn FnMut(Report)) {
        let mut desk = self.desk.lock().expect("no holder panics");
        let Desk { filters, owners, queues } = &mut *desk;
        for filter in filters.iter_mut() {
            filter.reports(&mut |report| {
                // A packet on its way back belongs to the prober that waits for it.
                let there = owners.get(&report.source.ip());
                let back = owners.get(&report.target.ip()).filter(|back| Some(*back) != there);
                if let Some(back) = back {
                    queues[*back].push(report.clone());
                }
                if let Some(there) = there {
                    queues[*there].push(report);
                }
            });
        }
        let mine = std::mem::take(&mut queues[self.number]);
        drop(desk);
        mine.into_iter().for_each(sink);
    }
}
