//! What a platform takes from one station: offers are looked at, files grow piece by piece, and what is whole is kept
//! in groups and acknowledged.

use std::collections::HashMap;
use std::future::pending;
use std::io;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::arriving::{Arriving, Ended, Parts};
use crate::error::UplinkError;
use crate::frame::{Frame, Offer};
use crate::message::{self, Held, HeldCode, ToPlatform, ToStation};
use crate::order::WINDOW;
use crate::platform_end::{Arrived, ArrivedAudio, Intake, Lacks};

/// Both lanes of a station full.
const MAX_UNDER_WAY: usize = 2 * WINDOW;
/// After a file has come wrong this often, what is wrong is the station's copy.
const MAX_MISMATCHES: u32 = 2;
/// How long a station waits after a disk of the platform has failed in the middle of a file.
const DISK_RETRY_S: u32 = 30;

pub(crate) struct Taking<I> {
    intake: I,
    serial: String,
    parts: Parts,
    answers: UnboundedSender<ToStation>,
    /// Items whose files are coming.
    under_way: HashMap<u64, UnderWay>,
    /// Whole, and waiting for the next group.
    arrived: Vec<Arrived>,
    /// The group that is being kept.
    keeping: Option<JoinHandle<Kept>>,
}

struct UnderWay {
    offer: Offer,
    arriving: Arriving,
    mismatches: u32,
}

/// The items of a group, and what became of it.
type Kept = (Vec<u64>, Result<(), Held>);

impl<I: Intake> Taking<I> {
    pub(crate) fn new(intake: I, serial: String, parts: Parts, answers: UnboundedSender<ToStation>) -> Self {
        Self { intake, serial, parts, answers, under_way: HashMap::new(), arrived: Vec::new(), keeping: None }
    }

    /// Works on one frame of the station.
    pub(crate) async fn hear(&mut self, frame: Frame) -> Result<(), UplinkError> {
        match frame {
            Frame::Offer(offer) => self.offered(offer).await?,
            Frame::Audio { item, offset, bytes } => self.piece(item, offset, bytes).await?,
            Frame::LiveAudio { listener, bytes } => self.intake.heard(&self.serial, listener, bytes),
            Frame::Message(json) => match message::decode(&json)? {
                ToPlatform::Unavailable { item, reason } => self.unavailable(item, reason),
                ToPlatform::Hello(_) => return Err(UplinkError::Nonsense("its name twice".into())),
                ToPlatform::Unknown => {}
                message => {
                    if matches!(message, ToPlatform::Heartbeat(_)) {
                        self.answer(ToStation::Heartbeat);
                    }
                    self.intake.told(&self.serial, message);
                }
            },
            Frame::Unknown(_) => {}
        }
        self.keep_next();
        Ok(())
    }

    /// Waits for the group that is being kept; for ever if there is none.
    pub(crate) async fn kept(&mut self) -> Result<(), UplinkError> {
        let (items, result) = match &mut self.keeping {
            Some(keeping) => keeping.await.map_err(io::Error::from)?,
            None => pending().await,
        };
        self.keeping = None;
        match result {
            Ok(()) => self.answer(ToStation::Acknowledged { items }),
            Err(held) => self.hold(held),
        }
        self.keep_next();
        Ok(())
    }

    /// Lets the group that is being kept come to its end: after this nothing here touches a part any more.
    pub(crate) async fn put_away(mut self) {
        if let Some(keeping) = self.keeping.take() {
            // Its items are kept or not; either way the station offers what it was not told of again.
            let _ = keeping.await;
        }
    }

    async fn offered(&mut self, offer: Offer) -> Result<(), UplinkError> {
        let item = offer.head.item;
        if self.under_way.len() + self.arrived.len() >= MAX_UNDER_WAY {
            return Err(UplinkError::Nonsense(format!("more than {MAX_UNDER_WAY} items at once")));
        }
        let lacks = match self.intake.lacks(&self.serial, &offer).await {
            Ok(lacks) => lacks,
            Err(held) => {
                self.hold(held);
                return Ok(());
            }
        };
        match (lacks, offer.head.audio.clone()) {
            (Lacks::Nothing, _) => self.answer(ToStation::Acknowledged { items: vec![item] }),
            (Lacks::EntryAndAudio, Some(audio)) if audio.bytes > 0 => {
                let parts = self.parts.clone();
                match spawn_blocking(move || parts.begin(item, &audio)).await.map_err(io::Error::from)? {
                    Ok(arriving) => self.go_on(UnderWay { offer, arriving, mismatches: 0 }).await?,
                    Err(error) => self.hold(disk_trouble(&error)),
                }
            }
            _ => {
                let audio = match &offer.head.unavailable {
                    Some(reason) => ArrivedAudio::Unavailable(reason.clone()),
                    None => ArrivedAudio::None,
                };
                self.arrived.push(Arrived { offer, audio });
            }
        }
        Ok(())
    }

    async fn piece(&mut self, item: u64, offset: u64, bytes: bytes::Bytes) -> Result<(), UplinkError> {
        // After a hold pieces still come that were under way.
        let Some(mut under_way) = self.under_way.remove(&item) else { return Ok(()) };
        if let Err(held) = self.intake.room(bytes.len()) {
            self.hold(held);
            return Ok(());
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
            (_, Err(error)) => {
                self.hold(disk_trouble(&error));
                Ok(())
            }
        }
    }

    /// Asks for what is lacking of a file, or takes it as whole.
    async fn go_on(&mut self, mut under_way: UnderWay) -> Result<(), UplinkError> {
        let item = under_way.offer.head.item;
        if !under_way.arriving.is_complete() {
            self.answer(ToStation::Send { item, from: under_way.arriving.next() });
            self.under_way.insert(item, under_way);
            return Ok(());
        }
        let arriving = under_way.arriving;
        let audio = match spawn_blocking(move || arriving.end()).await.map_err(io::Error::from)? {
            Ok(Ended::Whole(part)) => ArrivedAudio::Part(part),
            Ok(Ended::Mismatch) if under_way.mismatches + 1 < MAX_MISMATCHES => {
                let (parts, head) = (self.parts.clone(), under_way.offer.head.audio.clone());
                let again = spawn_blocking(move || head.map(|head| parts.begin(item, &head)).transpose());
                match again.await.map_err(io::Error::from)? {
                    Ok(Some(arriving)) => {
                        self.answer(ToStation::Send { item, from: arriving.next() });
                        under_way.mismatches += 1;
                        let UnderWay { offer, mismatches, .. } = under_way;
                        self.under_way.insert(item, UnderWay { offer, arriving, mismatches });
                    }
                    Ok(None) => {}
                    Err(error) => self.hold(disk_trouble(&error)),
                }
                return Ok(());
            }
            Ok(Ended::Mismatch) => {
                ArrivedAudio::Unavailable("the file does not hold what its facts say".into())
            }
            Err(error) => {
                self.hold(disk_trouble(&error));
                return Ok(());
            }
        };
        self.arrived.push(Arrived { offer: under_way.offer, audio });
        Ok(())
    }

    fn unavailable(&mut self, item: u64, reason: String) {
        if let Some(under_way) = self.under_way.remove(&item) {
            let audio = ArrivedAudio::Unavailable(reason);
            self.arrived.push(Arrived { offer: under_way.offer, audio });
        }
    }

    /// Nothing more is taken; what was offered and is not kept is to be offered again.
    fn hold(&mut self, held: Held) {
        self.under_way.clear();
        self.arrived.clear();
        self.answer(ToStation::Hold(held));
    }

    fn keep_next(&mut self) {
        if self.keeping.is_some() || self.arrived.is_empty() {
            return;
        }
        let arrived = std::mem::take(&mut self.arrived);
        let items = arrived.iter().map(|arrived| arrived.offer.head.item).collect();
        let (intake, serial) = (self.intake.clone(), self.serial.clone());
        self.keeping = Some(tokio::spawn(async move { (items, intake.keep(&serial, arrived).await) }));
    }

    /// The writer ends with the connection; then nobody is left to be answered.
    fn answer(&self, message: ToStation) {
        let _ = self.answers.send(message);
    }
}

fn disk_trouble(error: &io::Error) -> Held {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => HeldCode::DiskFull,
        _ => HeldCode::DiskUnwritable,
    };
    Held { code, retry_after_s: DISK_RETRY_S }
}
