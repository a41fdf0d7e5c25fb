//! What a test does to links, paths, names and brokers.

use std::time::Duration;

use bytes::Bytes;
use ottla_core::Disconnect;

use super::Stage;
use super::link::Cut;
use super::network::{Dial, Lookup};

/// Brokers and names.
impl Stage {
    /// Takes a broker down, as [`Model::stop_broker`](crate::Model::stop_broker) does; its links end.
    pub fn stop_broker(&mut self, broker: i32) {
        self.model.stop_broker(broker);
        for connection in self.network.links_to(broker) {
            let serial = self.network.links[&connection].serial;
            self.hang_up(serial);
        }
    }

    /// Brings a broker up again.
    pub fn start_broker(&mut self, broker: i32) {
        self.model.start_broker(broker);
    }

    /// What becomes of the dials to a broker from now on.
    pub fn set_dial(&mut self, broker: i32, dial: Dial) {
        self.network.path(broker).dial = dial;
    }

    /// Has work on a batch take so long from now on; a millisecond, if nothing is said.
    pub fn set_work_time(&mut self, time: Duration) {
        self.work_time = time;
    }

    /// Whether work on a batch comes back undone from now on, as from a codec that panics.
    pub fn leave_work(&mut self, on: bool) {
        self.leaves_work = on;
    }

    /// What a name resolves to from now on. Unless said otherwise the name of a broker resolves to its address, and others
    /// to nothing.
    pub fn set_lookup(&mut self, host: &str, lookup: Lookup) {
        self.network.lookups.insert(host.to_owned(), lookup);
    }
}

/// Links. What holds for a broker holds for all links to it, those to come included.
impl Stage {
    /// How long bytes are on the way to or from a broker; 1 ms by default.
    pub fn set_latency(&mut self, broker: i32, one_way: Duration) {
        self.network.path(broker).latency = one_way;
    }

    /// Keeps a broker's answers back until [`release_answers`](Stage::release_answers).
    pub fn hold_answers(&mut self, broker: i32) {
        self.network.path(broker).is_held = true;
    }

    /// Lets go of the answers of a broker that were kept back.
    pub fn release_answers(&mut self, broker: i32) {
        self.network.path(broker).is_held = false;
        for connection in self.network.links_to(broker) {
            let link = self
                .network
                .links
                .get_mut(&connection)
                .expect("it is one of the links");
            for frame in std::mem::take(&mut link.held) {
                self.network.send_answer(self.now, connection, frame);
            }
        }
    }

    /// Loses what the producer writes to a broker. A link that lost something stays deaf.
    pub fn lose_requests(&mut self, broker: i32, on: bool) {
        self.network.path(broker).loses_requests = on;
    }

    /// Loses what a broker sends, but for the next `bytes` of it. A link that lost something stays mute.
    pub fn lose_answers_after(&mut self, broker: i32, bytes: usize) {
        self.network.path(broker).answers_left = Some(bytes);
    }

    /// Loses nothing of what a broker sends on links to come.
    pub fn pass_answers(&mut self, broker: i32) {
        self.network.path(broker).answers_left = None;
    }

    /// How many bytes the producer's sockets to a broker take in a millisecond; `None` for all at once.
    pub fn set_writer(&mut self, broker: i32, bytes: Option<usize>) {
        self.network.path(broker).writes = bytes;
    }

    /// Has a broker's bytes come in pieces, with a pause between them; `None` for whole answers.
    pub fn set_pieces(&mut self, broker: i32, pieces: Option<(usize, Duration)>) {
        self.network.path(broker).pieces = pieces;
    }

    /// Cuts all links to a broker now: what is on its way is lost, and the producer knows at once.
    pub fn cut(&mut self, broker: i32) {
        for connection in self.network.links_to(broker) {
            let serial = self.network.links[&connection].serial;
            self.forget(serial);
            self.lose(connection, Disconnect::Reset);
        }
        self.turn();
    }

    /// Cuts the link on which the next Produce request to a broker is written, while that is written.
    pub fn cut_at_next_produce(&mut self, broker: i32, cut: Cut) {
        self.network.path(broker).cut = Some(cut);
    }

    /// Changes the bytes of a broker's next answer to a Produce request, the frame's length in front included.
    pub fn tamper(&mut self, broker: i32, change: impl FnOnce(&mut Vec<u8>) + 'static) {
        self.network.path(broker).tamper = Some(Box::new(change));
    }

    /// Changes the bytes of a broker's next answer to whatever request, the frame's length in front included.
    pub fn tamper_any(&mut self, broker: i32, change: impl FnOnce(&mut Vec<u8>) + 'static) {
        self.network.path(broker).tamper_any = Some(Box::new(change));
    }

    /// Has a broker send bytes on all its links that nobody asked for.
    pub fn send_stray_bytes(&mut self, broker: i32, bytes: &[u8]) {
        for connection in self.network.links_to(broker) {
            self.network
                .send_answer(self.now, connection, Bytes::copy_from_slice(bytes));
        }
    }

    /// How many links to a broker there are, those that are being opened included.
    pub fn links(&self, broker: i32) -> usize {
        self.network.links_to(broker).len()
    }
}
