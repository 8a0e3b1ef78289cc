//! The process: takes connections, sees who asks, reads a line, tells progress and the end. A connection that keeps to
//! nothing costs itself and nobody else.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::clock::ClockTuning;
use crate::error::ApplianceError;
use crate::network::NetworkTuning;
use crate::socket::Socket;
use crate::wire::{Answer, LONGEST_LINE_BYTES, Request};
use crate::work::{self, World};

/// Connections at once; further ones wait at the door.
const MOST_CONNECTIONS: usize = 16;
/// After a failure to take one (too many open files), before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What the process is started with.
#[derive(Clone)]
pub struct Config {
    pub socket: PathBuf,
    /// May ask beside root, and owns the socket. `None`: the process's own user.
    pub for_uid: Option<u32>,
    /// Of a D-Bus, such as `unix:path=/tmp/bus`. `None`: the system's.
    pub bus: Option<String>,
    /// What is to outlast a restart of the box; made when there is something.
    pub folder: PathBuf,
    /// Of the system that is looked at and set: `/`, or a folder of a test.
    pub root: PathBuf,
    pub tuning: Tuning,
}

/// What tests choose otherwise: they set no clock, and wait for no minute. The default is what a box has.
#[derive(Clone)]
pub struct Tuning {
    pub clock: ClockTuning,
    /// A request has come by then, and an answer has been taken.
    pub talk_within: Duration,
    /// The progress is told again after this long without another.
    pub heartbeat: Duration,
    /// From the answer to the restart, so that whoever asked can put the answer away.
    pub restart_after: Duration,
    /// An installation that has said nothing for this long has failed.
    pub install_silent_for: Duration,
    pub network: NetworkTuning,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            clock: ClockTuning::default(),
            talk_within: Duration::from_secs(5),
            heartbeat: Duration::from_secs(5),
            restart_after: Duration::from_secs(2),
            install_silent_for: Duration::from_secs(30 * 60),
            network: NetworkTuning::default(),
        }
    }
}

/// The appliance process, listening.
pub struct Server {
    socket: Socket,
    may_ask: MayAsk,
    world: Arc<World>,
    talk_within: Duration,
    heartbeat: Duration,
}

/// Users who may ask.
#[derive(Clone, Copy)]
struct MayAsk {
    own_uid: u32,
    for_uid: Option<u32>,
}

impl MayAsk {
    fn allows(self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid || Some(uid) == self.for_uid
    }
}

impl Server {
    /// Listens, and answers from `run` on. To be called within a tokio runtime.
    ///
    /// # Errors
    /// One sentence: another process has the socket, a file lies there, a folder is missing or not writable.
    pub fn bind(config: Config) -> Result<Self, ApplianceError> {
        let own_uid = geteuid().as_raw();
        let socket = Socket::bind(&config.socket, config.for_uid.filter(|uid| *uid != own_uid))?;
        let (talk_within, heartbeat) = (config.tuning.talk_within, config.tuning.heartbeat);
        Ok(Self {
            socket,
            may_ask: MayAsk { own_uid, for_uid: config.for_uid },
            world: Arc::new(World::new(config.bus, &config.root, config.folder, config.tuning)),
            talk_within,
            heartbeat,
        })
    }

    /// Answers until `stop` is ready; then the socket is gone, and a restart that was promised is still done.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut conversations = JoinSet::new();
        let mut clock = std::pin::pin!(self.world.clock.keep());
        let network = self.world.network.clone();
        let settling = tokio::spawn(async move { network.settle().await });
        loop {
            let stream = tokio::select! {
                () = &mut stop => break,
                () = &mut clock => continue,
                Some(_) = conversations.join_next() => continue,
                stream = self.next_connection(&places) => stream,
            };
            let Some((stream, place)) = stream else { continue };
            let conversation =
                Conversation { talk_within: self.talk_within, heartbeat: self.heartbeat, stream };
            let (world, may_ask) = (self.world.clone(), self.may_ask);
            conversations.spawn(async move {
                // Whoever does not hear the answer has gone.
                let _ = conversation.hold(may_ask, &world).await;
                drop(place);
            });
        }
        settling.abort();
        drop(self.socket);
        self.world.clock.end();
        self.world.restarts.finish().await;
    }

    /// Cancelled between place and connection it has taken neither.
    async fn next_connection(
        &self,
        places: &Arc<Semaphore>,
    ) -> Option<(UnixStream, tokio::sync::OwnedSemaphorePermit)> {
        let place = places.clone().acquire_owned().await.ok()?;
        match self.socket.listener.accept().await {
            Ok((stream, _)) => Some((stream, place)),
            Err(error) => {
                eprintln!("a connection could not be taken: {error}");
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

/// One connection: one request and its answer.
struct Conversation {
    stream: UnixStream,
    talk_within: Duration,
    heartbeat: Duration,
}

impl Conversation {
    async fn hold(mut self, may_ask: MayAsk, world: &World) -> std::io::Result<()> {
        let uid = self.stream.peer_cred()?.uid();
        if !may_ask.allows(uid) {
            return self.say(&Answer::failed(&ApplianceError::NotAllowed { uid })).await;
        }
        let request = match self.request().await? {
            None => return Ok(()),
            Some(Err(error)) => return self.say(&Answer::failed(&error)).await,
            Some(Ok(request)) => request,
        };
        if !request.only_looks() {
            eprintln!("user {uid} asks: {request:?}");
        }
        let (progress, mut told) = watch::channel(0);
        let mut work = std::pin::pin!(work::on(request, world, &progress));
        let result = loop {
            let percent = tokio::select! {
                result = &mut work => break result,
                Ok(()) = told.changed() => *told.borrow_and_update(),
                () = sleep(self.heartbeat) => *told.borrow(),
            };
            self.say(&Answer::Progress(percent)).await?;
        };
        let answer = match result {
            Ok(detail) => Answer::Done(detail),
            Err(error) => {
                eprintln!("{error}");
                Answer::failed(&error)
            }
        };
        self.say(&answer).await
    }

    /// `None`: it has gone without a word.
    async fn request(&mut self) -> std::io::Result<Option<Result<Request, ApplianceError>>> {
        let bad = |reason: String| Some(Err(ApplianceError::BadRequest { reason }));
        let mut line = Vec::new();
        let mut reader = BufReader::new(&mut self.stream).take(LONGEST_LINE_BYTES as u64);
        let Ok(read) = timeout(self.talk_within, reader.read_until(b'\n', &mut line)).await else {
            let seconds = self.talk_within.as_secs_f32();
            return Ok(bad(format!("it was not there after {seconds} s")));
        };
        read?;
        Ok(match line.last() {
            None => None,
            Some(b'\n') => Some(Request::read(&line)),
            Some(_) if line.len() == LONGEST_LINE_BYTES => {
                bad(format!("it is longer than {LONGEST_LINE_BYTES} bytes"))
            }
            Some(_) => bad("it ended before its line did".to_owned()),
        })
    }

    async fn say(&mut self, answer: &Answer) -> std::io::Result<()> {
        timeout(self.talk_within, self.stream.write_all(&answer.line())).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_oneself_and_the_named_user_may_ask() {
        let named = MayAsk { own_uid: 0, for_uid: Some(990) };
        for (uid, may) in [(0, true), (990, true), (991, false), (989, false), (u32::MAX, false)] {
            assert_eq!(named.allows(uid), may, "{uid}");
        }
        let own = MayAsk { own_uid: 1000, for_uid: None };
        for (uid, may) in [(0, true), (1000, true), (1001, false), (990, false)] {
            assert_eq!(own.allows(uid), may, "{uid}");
        }
    }
}
