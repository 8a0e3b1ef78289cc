//! The uplink thread: dials the platform, talks until either side has enough, and dials again. When the platform comes of
//! its own, that is the connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use uplink::message::ToPlatform;
use uplink::station_end::{Said, Wanted, dial, secure, talk};
use uplink::{Fingerprint, Retry, UplinkError};

use super::World;
use super::again::Again;
use super::asked::{Asked, Stream};
use super::commands::Commands;
use super::link::Changed;
use super::outbox::Outbox;
use super::outbox_handle::OutboxHandle;
use super::ports::changed;

/// What the connection has room for that is not said yet.
const SAID: usize = 16;
/// How often commands are looked at, and what waits is counted.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often live audio is passed on.
const AUDIO_EVERY: Duration = Duration::from_millis(20);
/// After a panic, and for a resolver that does not come back at the end.
const PANIC_PAUSE: Duration = Duration::from_secs(10);
const RESOLVER_WAIT: Duration = Duration::from_millis(100);

/// Runs until the link is stopped. A panic costs the connection and no more: the station records on, and the outbox is
/// held against the journal again.
pub(super) fn run(world: &Arc<World>) {
    loop {
        match catch_unwind(AssertUnwindSafe(|| run_once(world))) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                world.link.failed(&UplinkError::OwnDisk(error), world.keeper.now_us());
            }
            Err(_) => {
                let error = std::io::Error::other("the uplink thread failed, and begins again");
                world.link.failed(&UplinkError::OwnDisk(error), world.keeper.now_us());
            }
        }
        if world.link.is_stopped() {
            return;
        }
        std::thread::sleep(PANIC_PAUSE.min(world.tuning.link_longest_pause));
    }
}

fn run_once(world: &Arc<World>) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut dialler = Dialler {
        world: world.clone(),
        outbox: None,
        again: Vec::new(),
        commands: Commands::new(world.clone()),
        pause: Duration::ZERO,
    };
    runtime.block_on(dialler.run());
    runtime.shutdown_timeout(RESOLVER_WAIT);
    Ok(())
}

/// How the next connection begins.
enum Way {
    /// With this address, which has a port.
    Dial(String),
    /// The platform has come.
    Asked(Asked),
}

struct Dialler {
    world: Arc<World>,
    outbox: Option<OutboxHandle>,
    /// What commands wait for while there is no outbox.
    again: Vec<Again>,
    commands: Commands,
    /// Before the next try, without its jitter.
    pause: Duration,
}

impl Dialler {
    async fn run(&mut self) {
        let link = self.world.link.clone();
        let mut changes = link.changes();
        let mut visited = false;
        loop {
            if changes.borrow_and_update().stop {
                return;
            }
            let settings = link.settings();
            let asked = link.take_asked().map(Way::Asked);
            let Some(way) = asked.or_else(|| settings.dials().map(Way::Dial)) else {
                self.outbox = None;
                // What came of a visit is shown until something is changed, or the next one.
                if !std::mem::take(&mut visited) {
                    link.off(self.world.keeper.now_us());
                }
                // The sender lives in the link, which is at hand.
                let _ = changes.changed().await;
                continue;
            };
            visited = matches!(way, Way::Asked(_));
            let error = self.connect(way, settings.fingerprint, &mut changes).await;
            if let Some(outbox) = &self.outbox {
                let mut outbox = outbox.lock();
                outbox.connection_ended();
                self.world.link.counted(outbox.waiting());
            }
            self.commands.connection_ended();
            if visited {
                link.visit_ended(error.as_ref(), self.world.keeper.now_us());
                self.pause = Duration::ZERO;
                continue;
            }
            let Some(error) = error else {
                self.pause = Duration::ZERO;
                continue;
            };
            if matches!(error, UplinkError::OwnDisk(_))
                && let Some(outbox) = self.outbox.take()
            {
                // Opened anew, it is held against the journal.
                self.again = outbox.lock().take_again();
            }
            link.failed(&error, self.world.keeper.now_us());
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep(self.next_pause(error.retry())) => {}
            }
        }
    }

    /// Longer with every try, never quite the same: a thousand stations do not come back at one moment.
    fn next_pause(&mut self, retry: Retry) -> Duration {
        let (first, longest) = (self.world.tuning.link_first_pause, self.world.tuning.link_longest_pause);
        self.pause = (self.pause * 2).clamp(first, longest);
        let pause = match retry {
            Retry::Soon => self.pause,
            Retry::After(least) => self.pause.max(least.min(longest)),
            // Who changes something there wants to see it work: within seconds.
            Retry::WhenChanged => longest / 8,
        };
        pause.mul_f64(0.75 + fastrand::f64() * 0.5)
    }

    /// One connection, from its beginning to its end. `None`: something was changed here, or the platform has come anew.
    async fn connect(
        &mut self,
        way: Way,
        pinned: Option<Fingerprint>,
        changes: &mut watch::Receiver<Changed>,
    ) -> Option<UplinkError> {
        if matches!(way, Way::Dial(_)) {
            self.world.link.dialling(self.world.keeper.now_us());
        }
        let mut outbox = match self.ready_outbox() {
            Ok(outbox) => outbox,
            Err(error) => return Some(UplinkError::OwnDisk(error)),
        };
        let stream = tokio::select! {
            biased;
            _ = changes.changed() => return None,
            opened = self.open(way, pinned) => match opened {
                Ok(stream) => stream,
                Err(error) => return Some(error),
            },
        };
        let beside = outbox.clone();
        let hello = self.world.hello();
        let (said_in, mut said) = mpsc::channel(SAID);
        let (wanted_in, mut wanted) = mpsc::unbounded_channel();
        let attending = self.attend(beside, &hello.ports, said_in, &mut wanted);
        tokio::select! {
            biased;
            _ = changes.changed() => None,
            ended = talk(stream, &hello, &mut outbox, &mut said, &wanted_in) => {
                Some(ended.err().unwrap_or(UplinkError::Closed))
            }
            () = attending => None,
        }
    }

    async fn open(&self, way: Way, pinned: Option<Fingerprint>) -> Result<Box<dyn Stream>, UplinkError> {
        let key = self.world.link.key()?;
        Ok(match way {
            Way::Dial(address) => Box::new(dial(&address, key, pinned).await?),
            Way::Asked(Asked { stream, address }) => Box::new(secure(stream, &address, key, pinned).await?),
        })
    }

    fn ready_outbox(&mut self) -> std::io::Result<OutboxHandle> {
        let outbox = match self.outbox.take() {
            Some(outbox) => outbox,
            None => {
                let world = &self.world;
                let folder = world.data.path().join("outbox");
                let mut outbox = Outbox::open(folder, world.catalog.clone(), world.data.clone())?;
                outbox.go_on_with(std::mem::take(&mut self.again));
                OutboxHandle::new(outbox, world.clone())
            }
        };
        {
            let mut ready = outbox.lock();
            if let Err(error) = ready.connection_begins() {
                self.again = ready.take_again();
                return Err(error);
            }
            self.world.link.counted(ready.waiting());
        }
        self.outbox = Some(outbox.clone());
        Ok(outbox)
    }

    /// Everything beside the items: what the platform wants, what the ports do, what is heard on them. Ends with the
    /// connection only.
    async fn attend(
        &mut self,
        outbox: OutboxHandle,
        shown: &[uplink::message::PortNow],
        said: mpsc::Sender<Said>,
        wanted: &mut mpsc::UnboundedReceiver<Wanted>,
    ) {
        let world = self.world.clone();
        let mut shown = shown.to_vec();
        let mut live = world.live.changes();
        let (mut look, mut audio) = (interval(LOOK_EVERY), interval(AUDIO_EVERY));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        audio.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut to_say = Vec::new();
            tokio::select! {
                asked = wanted.recv() => match asked {
                    Some(Wanted::Welcomed(welcome)) => {
                        self.pause = Duration::ZERO;
                        world.link.welcomed(&welcome, world.keeper.moment());
                    }
                    Some(Wanted::Do(command)) => to_say.extend(self.commands.begin(command, &outbox)),
                    Some(Wanted::Cancel(command)) => self.commands.cancel(command, &outbox),
                    Some(Wanted::Bundle { command, offset, bytes }) => {
                        to_say.extend(self.commands.piece(command, offset, &bytes));
                    }
                    None => return,
                },
                result = self.commands.next_result(&outbox) => to_say.extend(result),
                _ = live.changed() => {
                    let ports = world.ports();
                    let news = changed(&shown, &ports);
                    to_say.extend(news.into_iter().map(|port| Said::Message(ToPlatform::Port(port))));
                    shown = ports;
                }
                () = world.link.news.notified() => to_say.push(Said::News),
                _ = audio.tick(), if self.commands.anybody_listens() => self.commands.pass_audio_on(&said),
                _ = look.tick() => {
                    to_say.extend(self.commands.look(&outbox));
                    world.link.counted(outbox.lock().waiting());
                }
            }
            for one in to_say {
                if said.send(one).await.is_err() {
                    return;
                }
            }
        }
    }
}
