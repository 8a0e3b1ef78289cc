//! What a platform takes from one station: offers are looked at, files grow piece by piece, and what is whole is kept
//! in groups and acknowledged. An item that is in hand is never begun a second time: no part of a file has two owners.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle, JoinSet, spawn_blocking};

use crate::arriving::{Arriving, Ended, Opened, Parts};
use crate::error::UplinkError;
use crate::frame::{AudioHead, Frame, MAX_AUDIO_BYTES, Offer};
use crate::message::{self, Held, ItemRefusal, RefusedItem, ToPlatform, ToStation};
use crate::order::WINDOW;
use crate::platform_end::{Arrived, ArrivedAudio, Intake, Lacks};

/// Both lanes of a station full.
const MAX_UNDER_WAY: usize = 2 * WINDOW;
/// Entries in hand at once, in bytes; one alone may be longer.
const MAX_PAYLOADS_BYTES: usize = 32 * 1024 * 1024;
/// After a file has come wrong this often, what is wrong is the station's copy.
const MAX_MISMATCHES: u32 = 2;
/// Each step of a `Taking` answers with fewer messages than this.
pub(crate) const ANSWERS_AT_ONCE: usize = 8;

/// A frame that waits for the network.
pub(crate) struct ToWrite {
    pub frame: Frame,
    /// Given back when it is written.
    pub turn: Option<OwnedSemaphorePermit>,
}

impl From<Frame> for ToWrite {
    fn from(frame: Frame) -> Self {
        Self { frame, turn: None }
    }
}

pub(crate) struct Taking<I> {
    intake: I,
    serial: String,
    parts: Parts,
    answers: Sender<ToWrite>,
    /// Given to a piece of a bundle until it is written: who wants much waits.
    piece_turn: Arc<Semaphore>,
    /// Offers whose parts are long, and being read; `None`: they are not wanted any more.
    beginning: HashMap<u64, Option<Offer>>,
    begun: JoinSet<(u64, io::Result<Arriving>)>,
    /// Ends the reading.
    given_up: Arc<AtomicBool>,
    /// Items whose files are coming.
    under_way: HashMap<u64, UnderWay>,
    /// Whole, and waiting for the next group.
    arrived: Vec<Arrived>,
    /// The group that is being kept.
    keeping: Option<Keeping>,
}

struct UnderWay {
    offer: Offer,
    arriving: Arriving,
    mismatches: u32,
}

struct Keeping {
    items: Vec<u64>,
    payloads_bytes: usize,
    kept: JoinHandle<Result<Vec<RefusedItem>, Held>>,
}

/// What has come to its end beside the connection.
pub(crate) enum Step {
    Kept(Result<Result<Vec<RefusedItem>, Held>, JoinError>),
    Begun(Result<(u64, io::Result<Arriving>), JoinError>),
}

impl<I: Intake> Taking<I> {
    pub(crate) fn new(intake: I, serial: String, parts: Parts, answers: Sender<ToWrite>) -> Self {
        Self {
            intake,
            serial,
            parts,
            answers,
            piece_turn: Arc::new(Semaphore::new(1)),
            beginning: HashMap::new(),
            begun: JoinSet::new(),
            given_up: Arc::default(),
            under_way: HashMap::new(),
            arrived: Vec::new(),
            keeping: None,
        }
    }

    /// Works on one frame of the station.
    pub(crate) async fn hear(&mut self, frame: Frame) -> Result<(), UplinkError> {
        match frame {
            Frame::Offer(offer) => self.offered(offer).await?,
            Frame::Audio { item, offset, bytes } => self.piece(item, offset, bytes).await?,
            Frame::LiveAudio { listener, bytes } => self.intake.heard(&self.serial, listener, bytes),
            Frame::Message(json) => match message::decode(&json)? {
                ToPlatform::Unavailable { item, reason } => self.unavailable(item, reason),
                ToPlatform::Want { command, from, most_bytes } => {
                    self.piece_of_bundle(command, from, most_bytes).await?;
                }
                ToPlatform::Hello(_) => return Err(UplinkError::Nonsense("its name twice".into())),
                ToPlatform::Unknown => {}
                message => {
                    if matches!(message, ToPlatform::Heartbeat(_)) {
                        self.answer(ToStation::Heartbeat)?;
                    }
                    self.intake.told(&self.serial, message);
                }
            },
            // Bundles go the other way.
            Frame::Bundle { .. } | Frame::Unknown(_) => {}
        }
        self.keep_next();
        Ok(())
    }

    /// Waits for what goes on beside the connection; for ever if there is nothing. Given up, nothing is lost.
    pub(crate) async fn next_step(&mut self) -> Step {
        let keeping = &mut self.keeping;
        let kept = async {
            match keeping {
                Some(keeping) => (&mut keeping.kept).await,
                None => pending().await,
            }
        };
        tokio::select! {
            kept = kept => Step::Kept(kept),
            Some(begun) = self.begun.join_next() => Step::Begun(begun),
        }
    }

    /// Works on what has come to its end.
    pub(crate) async fn work_on(&mut self, step: Step) -> Result<(), UplinkError> {
        match step {
            Step::Kept(kept) => {
                let items = self.keeping.take().map_or_else(Vec::new, |keeping| keeping.items);
                self.kept(items, kept.map_err(io::Error::from)?)?;
            }
            Step::Begun(begun) => {
                let (item, arriving) = begun.map_err(io::Error::from)?;
                self.has_begun(item, arriving).await?;
            }
        }
        self.keep_next();
        Ok(())
    }

    fn kept(&mut self, mut items: Vec<u64>, kept: Result<Vec<RefusedItem>, Held>) -> Result<(), UplinkError> {
        match kept {
            Ok(refused) => {
                items.retain(|item| !refused.iter().any(|one| one.item == *item));
                if !items.is_empty() {
                    self.answer(ToStation::Acknowledged { items })?;
                }
                if refused.is_empty() {
                    Ok(())
                } else {
                    self.answer(ToStation::ItemsRefused { items: refused })
                }
            }
            Err(held) => self.hold(held),
        }
    }

    /// Lets what is being done come to its end: after this nothing here touches a part any more.
    pub(crate) async fn put_away(mut self) {
        self.given_up.store(true, Relaxed);
        while self.begun.join_next().await.is_some() {}
        if let Some(keeping) = self.keeping.take() {
            // Its items are kept or not; either way the station offers what it was not told of again.
            let _ = keeping.kept.await;
        }
    }

    async fn offered(&mut self, offer: Offer) -> Result<(), UplinkError> {
        if self.is_in_hand(&offer)? {
            return Ok(());
        }
        let item = offer.head.item;
        if self.beginning.len() + self.under_way.len() + self.arrived.len() >= MAX_UNDER_WAY {
            return Err(UplinkError::Nonsense(format!("more than {MAX_UNDER_WAY} items at once")));
        }
        self.check_payloads(&offer)?;
        let lacks = match self.intake.lacks(&self.serial, &offer).await {
            Ok(lacks) => lacks,
            Err(held) => return self.hold(held),
        };
        match (lacks, offer.head.audio.clone()) {
            (Lacks::Nothing, _) => self.answer(ToStation::Acknowledged { items: vec![item] }),
            (Lacks::Refused(code), _) => self.refuse(item, code),
            (Lacks::EntryAndAudio, Some(audio)) if audio.bytes > 0 => self.begin(offer, audio).await,
            _ => {
                let audio = match &offer.head.unavailable {
                    Some(reason) => ArrivedAudio::Unavailable(reason.clone()),
                    None => ArrivedAudio::None,
                };
                self.arrived.push(Arrived { offer, audio });
                Ok(())
            }
        }
    }

    /// Offered again after a hold, an item may still be in hand: what was begun of it goes on, and is answered then.
    fn is_in_hand(&mut self, offer: &Offer) -> Result<bool, UplinkError> {
        let item = offer.head.item;
        let kept = |keeping: &Keeping| keeping.items.contains(&item);
        if self.keeping.as_ref().is_some_and(kept)
            || self.arrived.iter().any(|arrived| arrived.offer.head.item == item)
        {
            return Ok(true);
        }
        if self.beginning.contains_key(&item) {
            self.beginning.insert(item, None);
            self.check_payloads(offer)?;
            self.beginning.insert(item, Some(offer.clone()));
            return Ok(true);
        }
        let Some(under_way) = self.under_way.get(&item) else { return Ok(false) };
        if under_way.offer != *offer {
            // Another one by now: what has come of the former one is left.
            self.under_way.remove(&item);
            return Ok(false);
        }
        let from = under_way.arriving.next();
        self.answer(ToStation::Send { item, from })?;
        Ok(true)
    }

    /// Entries are in memory until they are kept.
    fn check_payloads(&self, more: &Offer) -> Result<(), UplinkError> {
        let beginning = self.beginning.values().flatten().map(|offer| offer.payload.len());
        let under_way = self.under_way.values().map(|under_way| under_way.offer.payload.len());
        let arrived = self.arrived.iter().map(|arrived| arrived.offer.payload.len());
        let keeping = self.keeping.iter().map(|keeping| keeping.payloads_bytes);
        let bytes: usize = beginning.chain(under_way).chain(arrived).chain(keeping).sum();
        if bytes > 0 && bytes + more.payload.len() > MAX_PAYLOADS_BYTES {
            return Err(UplinkError::Nonsense(format!(
                "more than {MAX_PAYLOADS_BYTES} bytes of entries at once"
            )));
        }
        Ok(())
    }

    async fn begin(&mut self, offer: Offer, audio: AudioHead) -> Result<(), UplinkError> {
        let (item, parts) = (offer.head.item, self.parts.clone());
        match spawn_blocking(move || parts.begin(item, &audio)).await.map_err(io::Error::from)? {
            Ok(Opened::Ready(arriving)) => self.go_on(UnderWay { offer, arriving, mismatches: 0 }).await,
            Ok(Opened::Long(unread)) => {
                let given_up = self.given_up.clone();
                self.beginning.insert(item, Some(offer));
                self.begun.spawn_blocking(move || (item, unread.read(&given_up)));
                Ok(())
            }
            Err(error) => self.disk_failed(&error),
        }
    }

    /// A long part has been read.
    async fn has_begun(&mut self, item: u64, arriving: io::Result<Arriving>) -> Result<(), UplinkError> {
        let Some(offer) = self.beginning.remove(&item).flatten() else { return Ok(()) };
        let Some(audio) = offer.head.audio.clone() else { return Ok(()) };
        match arriving {
            Ok(arriving) if arriving.is_of(&audio) => {
                self.go_on(UnderWay { offer, arriving, mismatches: 0 }).await
            }
            Ok(_) => self.begin(offer, audio).await,
            Err(error) => self.disk_failed(&error),
        }
    }

    async fn piece(&mut self, item: u64, offset: u64, bytes: bytes::Bytes) -> Result<(), UplinkError> {
        // After a hold pieces still come that were under way.
        let Some(mut under_way) = self.under_way.remove(&item) else { return Ok(()) };
        if let Err(held) = self.intake.room(bytes.len()) {
            return self.hold(held);
        }
        let taken = spawn_blocking(move || {
            let taken = under_way.arriving.take(offset, &bytes);
            (under_way, taken)
        });
        match taken.await.map_err(io::Error::from)? {
            (under_way, Ok(true)) if under_way.arriving.is_complete() => self.go_on(under_way).await,
            (under_way, Ok(true)) => {
                self.under_way.insert(item, under_way);
                Ok(())
            }
            (_, Ok(false)) => Err(UplinkError::Nonsense(format!(
                "a piece of item {item} at byte {offset} that joins on nothing"
            ))),
            (_, Err(error)) => self.disk_failed(&error),
        }
    }

    /// Asks for what is lacking of a file, or takes it as whole.
    async fn go_on(&mut self, mut under_way: UnderWay) -> Result<(), UplinkError> {
        let item = under_way.offer.head.item;
        if !under_way.arriving.is_complete() {
            self.answer(ToStation::Send { item, from: under_way.arriving.next() })?;
            self.under_way.insert(item, under_way);
            return Ok(());
        }
        let arriving = under_way.arriving;
        let audio = match spawn_blocking(move || arriving.end()).await.map_err(io::Error::from)? {
            Ok(Ended::Whole(part)) => ArrivedAudio::Part(part),
            Ok(Ended::Mismatch) if under_way.mismatches + 1 < MAX_MISMATCHES => {
                under_way.mismatches += 1;
                return self.once_more(under_way.offer, under_way.mismatches).await;
            }
            Ok(Ended::Mismatch) => {
                ArrivedAudio::Unavailable("the file does not hold what its facts say".into())
            }
            Err(error) => return self.disk_failed(&error),
        };
        self.arrived.push(Arrived { offer: under_way.offer, audio });
        Ok(())
    }

    /// The file came wrong: from its first byte on.
    async fn once_more(&mut self, offer: Offer, mismatches: u32) -> Result<(), UplinkError> {
        let (item, parts, head) = (offer.head.item, self.parts.clone(), offer.head.audio.clone());
        let again = spawn_blocking(move || head.map(|head| parts.begin(item, &head)).transpose());
        match again.await.map_err(io::Error::from)? {
            // The wrong part has been removed: nothing is there to be read.
            Ok(Some(Opened::Ready(arriving))) => {
                self.answer(ToStation::Send { item, from: arriving.next() })?;
                self.under_way.insert(item, UnderWay { offer, arriving, mismatches });
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => self.disk_failed(&error),
        }
    }

    fn unavailable(&mut self, item: u64, reason: String) {
        if let Some(under_way) = self.under_way.remove(&item) {
            let audio = ArrivedAudio::Unavailable(reason);
            self.arrived.push(Arrived { offer: under_way.offer, audio });
        }
    }

    fn refuse(&self, item: u64, code: ItemRefusal) -> Result<(), UplinkError> {
        self.answer(ToStation::ItemsRefused { items: vec![RefusedItem { item, code }] })
    }

    fn disk_failed(&mut self, error: &io::Error) -> Result<(), UplinkError> {
        let held = self.intake.failed(error);
        self.hold(held)
    }

    /// Nothing more is taken; what was offered and is not kept is to be offered again.
    fn hold(&mut self, held: Held) -> Result<(), UplinkError> {
        self.beginning.values_mut().for_each(|wanted| *wanted = None);
        self.under_way.clear();
        self.arrived.clear();
        self.answer(ToStation::Hold(held))
    }

    fn keep_next(&mut self) {
        if self.keeping.is_some() || self.arrived.is_empty() {
            return;
        }
        let arrived = std::mem::take(&mut self.arrived);
        let items = arrived.iter().map(|arrived| arrived.offer.head.item).collect();
        let payloads_bytes = arrived.iter().map(|arrived| arrived.offer.payload.len()).sum();
        let (intake, serial) = (self.intake.clone(), self.serial.clone());
        let kept = tokio::spawn(async move { intake.keep(&serial, arrived).await });
        self.keeping = Some(Keeping { items, payloads_bytes, kept });
    }

    /// While it is read, nothing more of this station is listened to.
    async fn piece_of_bundle(&self, command: u64, from: u64, most_bytes: u32) -> Result<(), UplinkError> {
        let most_bytes = (most_bytes as usize).clamp(1, MAX_AUDIO_BYTES);
        // Without the one before being written nothing is heard of this station, and no more of it is in memory.
        let turn = self.piece_turn.clone().acquire_owned().await.map_err(io::Error::other)?;
        let piece = self.intake.bundle(&self.serial, command, from, most_bytes).await;
        match piece.map_err(UplinkError::OwnDisk)? {
            Some(bytes) => {
                let frame = Frame::Bundle { command, offset: from, bytes };
                self.put(ToWrite { frame, turn: Some(turn) })
            }
            None => self.answer(ToStation::Cancel { command }),
        }
    }

    fn answer(&self, message: ToStation) -> Result<(), UplinkError> {
        self.put(message.frame()?.into())
    }

    /// Whoever calls has seen to it that there is room. The writer ends with the connection; then nobody is left to be
    /// answered.
    fn put(&self, one: ToWrite) -> Result<(), UplinkError> {
        match self.answers.try_send(one) {
            Err(TrySendError::Full(_)) => Err(UplinkError::Unheard),
            _ => Ok(()),
        }
    }
}
