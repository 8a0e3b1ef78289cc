//! Test messages: sent beside everything else, so that a person who waits for one does not wait for a server that hangs
//! over an alarm.

use std::sync::Arc;

use catalog::Catalog;

use crate::delivery::{Way, writer};
use crate::progress::{Kind, Last};
use crate::service::{Host, Shared, TestState, Tuning};

pub(crate) struct Tests {
    pub shared: Arc<Shared>,
    pub catalog: Catalog,
    pub host: Arc<dyn Host>,
    pub tuning: Tuning,
}

impl Tests {
    /// Sends every test that is asked for; never returns.
    pub async fn run(&self) {
        loop {
            self.shared.test_asked.notified().await;
            self.send().await;
        }
    }

    async fn send(&self) {
        let in_force = self.shared.book.now();
        let Some(test) = self.shared.state().test.clone() else { return };
        let text = writer(&self.catalog, &*self.host, &in_force.settings).test(&test.text);
        let mut way = Way::new(in_force, self.tuning.answer_within);
        for (address, _) in &test.recipients {
            self.note(address, TestState::Sending);
            let outcome = way.send(address, &text, &*self.host).await;
            let mut state = self.shared.state();
            if let Some(one) = state.progress.recipients.iter_mut().find(|one| one.address == *address) {
                let failure = outcome.clone().err();
                one.last = Some(Last { utc_us: self.host.now_us(), kind: Kind::Test, failure });
            }
            drop(state);
            self.note(address, outcome.map_or_else(TestState::Failed, |()| TestState::Sent));
        }
        way.close().await;
        // Mail that waits goes out now if the way is open, and the states of all are written down.
        self.shared.changed.notify_one();
    }

    fn note(&self, address: &str, now: TestState) {
        let mut state = self.shared.state();
        let recipients = state.test.iter_mut().flat_map(|test| &mut test.recipients);
        for (_, state) in recipients.filter(|(one, _)| one == address) {
            *state = now.clone();
        }
    }
}
