//! Faults of connections, paths and names.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::FaultKind;
use crate::{Dialling, Resolving, World};

/// Where nobody is.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(10, 99, 99, 99);

impl World {
    pub(super) fn strike_link(&mut self, kind: FaultKind) -> Option<String> {
        let broker = self.any_broker()?;
        match kind {
            FaultKind::RefuseDials => self.dials_are(broker, Dialling::Refused),
            FaultKind::LoseDials => self.dials_are(broker, Dialling::Lost),
            FaultKind::CloseAtOnce => self.dials_are(broker, Dialling::Closed),
            FaultKind::Reset => self.reset(broker),
            FaultKind::Close => self.close_connections(broker),
            FaultKind::LoseRequests => self.loses(broker, true, false),
            FaultKind::LoseAnswers => self.loses(broker, false, true),
            FaultKind::HalfOpen => self.loses(broker, true, true),
            FaultKind::SlowWrites => {
                let (buffer, rate) = (self.chance.within(1..500), self.chance.within(200..20_000));
                self.set_send_buffer(broker, buffer);
                self.set_bandwidth(broker, Some(rate));
                self.undo_later(move |world| {
                    world.set_send_buffer(broker, 128 << 10);
                    world.set_bandwidth(broker, None);
                });
            }
            FaultKind::Detour => {
                let latency = self
                    .chance
                    .duration(Duration::from_millis(20)..Duration::from_secs(2));
                self.set_latency(broker, latency, latency / 4);
                self.undo_later(move |world| {
                    world.set_latency(broker, Duration::from_millis(1), Duration::ZERO);
                });
            }
            FaultKind::LookupFails => return self.lookups_are(broker, Resolving::Failing),
            FaultKind::LookupSilent => return self.lookups_are(broker, Resolving::Silent),
            FaultKind::LookupUnknown => return self.lookups_are(broker, Resolving::Unknown),
            FaultKind::LookupEmpty => return self.lookups_are(broker, Resolving::Empty),
            FaultKind::LookupMoves => {
                let host = self.host_of(broker);
                let address = self.address_of(broker)?;
                self.set_addresses(&host, &[NOWHERE, address]);
                // Nobody asks again for a name that leads to a connection.
                self.reset(broker);
                return Some(host);
            }
            _ => return None,
        }
        Some(format!("broker {broker}"))
    }

    fn dials_are(&mut self, broker: i32, dialling: Dialling) {
        self.set_dialling(broker, dialling);
        self.reset(broker);
        self.undo_later(move |world| world.set_dialling(broker, Dialling::Accepted));
    }

    fn loses(&mut self, broker: i32, requests: bool, answers: bool) {
        self.lose(broker, requests, answers);
        self.undo_later(move |world| world.lose(broker, false, false));
    }

    fn lookups_are(&mut self, broker: i32, resolving: Resolving) -> Option<String> {
        let host = self.host_of(broker);
        self.set_lookup(&host, resolving);
        self.reset(broker);
        let name = host.clone();
        self.undo_later(move |world| world.set_lookup(&name, Resolving::Found));
        Some(host)
    }

    fn host_of(&self, broker: i32) -> String {
        self.cluster.address(broker).0.to_owned()
    }
}
