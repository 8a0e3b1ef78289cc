//! `/live`: the state of all ports by push. A client gets what is true now; what it was too slow for is skipped.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use catalog::Right;
use hyper::header::{self, HeaderMap, HeaderName};
use serde_json::{Value, json};
use station::PortLive;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::meta::alarm_counts_json;
use super::ports::{meter_json, port_json};
use super::{Answer, scope_of};
use crate::app::App;
use crate::contacts::Names;
use crate::guard::not_logged_in;
use crate::problem::{Code, Problem};
use crate::session::Caller;

/// Five messages a second are as many as an eye can use.
const EVERY: Duration = Duration::from_millis(200);
/// How often the session is looked at, so that an open page counts as in use; its end is told at once.
const CHECK_EVERY: Duration = Duration::from_secs(20);
/// A client that takes nothing, or gives no sign of life, for so long has gone.
const GONE_AFTER: Duration = Duration::from_secs(30);
/// Incoming messages are answers to pings and closing: nothing large.
pub const MOST_INCOMING_BYTES: usize = 4096;
/// Alarms are counted anew this often.
const COUNT_ALARMS_EVERY: Duration = Duration::from_secs(1);
/// Close code for a session that has ended.
const SESSION_OVER: u16 = 4001;

pub async fn live(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let upgrade = own_upgrade(&headers, upgrade)?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        if let Err(problem) = push(&app, &caller, socket).await {
            eprintln!("web: live push ended: {}", problem.title);
        }
    }))
}

/// A WebSocket that a page of this box asked for: browsers let any page ask.
pub fn own_upgrade(
    headers: &HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<WebSocketUpgrade, Problem> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(origin) = text(header::ORIGIN)
        && origin.strip_prefix("https://") != text(header::HOST)
    {
        return Err(Problem::new(Code::CsrfWrong, "This address is for pages of this box only."));
    }
    let upgrade =
        upgrade.map_err(|_| Problem::new(Code::WebsocketExpected, "This address speaks WebSocket only."))?;
    Ok(upgrade.max_message_size(MOST_INCOMING_BYTES).max_frame_size(MOST_INCOMING_BYTES))
}

/// A WebSocket that knows what the client has really got: a ping goes behind what was sent, and its pong says so. The
/// network's buffers would hold minutes of what nobody needs any more.
pub struct Push {
    socket: WebSocket,
    asked: Option<Instant>,
    checked: Instant,
    /// Tells that a session has ended or changed.
    sessions: watch::Receiver<()>,
}

/// The client has gone, or its session has ended.
#[derive(Debug)]
pub struct Gone;

impl Push {
    pub fn new(socket: WebSocket, app: &App) -> Self {
        let mut sessions = app.sessions.changes();
        // What changed between the upgrade and now is looked at with the first tick.
        sessions.mark_changed();
        Self { socket, asked: None, checked: Instant::now(), sessions }
    }

    pub async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(GONE_AFTER, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }

    /// Asks whether everything sent so far has arrived, unless that has been asked already.
    pub async fn ask(&mut self) -> Result<(), Gone> {
        if self.asked.is_none() {
            self.asked = Some(Instant::now());
            self.send(Message::Ping(Bytes::new())).await?;
        }
        Ok(())
    }

    /// For how long the client has not confirmed what was sent.
    pub fn behind(&self) -> Duration {
        self.asked.map_or(Duration::ZERO, |asked| asked.elapsed())
    }

    /// Waits for the next tick, hearing the client meanwhile; ends when it has gone or its session is over.
    pub async fn next_tick(
        &mut self,
        tick: &mut Interval,
        app: &App,
        caller: &Caller,
        right: Right,
    ) -> Result<(), Gone> {
        loop {
            tokio::select! {
                incoming = self.socket.recv() => match incoming {
                    Some(Ok(Message::Pong(_))) => self.asked = None,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Gone),
                    Some(Ok(_)) => {}
                },
                // Whose session ends sees and hears nothing more from that moment on.
                Ok(()) = self.sessions.changed() => self.check(app, caller, right).await?,
                _ = tick.tick() => break,
            }
        }
        if self.behind() >= GONE_AFTER {
            return Err(Gone);
        }
        if self.checked.elapsed() >= CHECK_EVERY {
            self.check(app, caller, right).await?;
        }
        Ok(())
    }

    /// Ends the connection of a session that is over or has lost the right.
    async fn check(&mut self, app: &App, caller: &Caller, right: Right) -> Result<(), Gone> {
        self.checked = Instant::now();
        let now = app.sessions.caller(caller.key, caller.ip, Instant::now());
        if now.is_some_and(|now| now.has(right) && !now.must_change_password) {
            return Ok(());
        }
        let reason = not_logged_in().code.name().into();
        self.send(Message::Close(Some(CloseFrame { code: SESSION_OVER, reason }))).await?;
        Err(Gone)
    }
}

async fn push(app: &App, caller: &Caller, socket: WebSocket) -> Result<(), Problem> {
    let mut push = Push::new(socket, app);
    let mut known = app.station.live().ports();
    let mut names = Names::of_ports(app, &known).await?;
    let mut alarms = alarm_counts(app, caller).await?;
    let mut counted = Instant::now();
    let mut ports: Vec<Value> = known.iter().map(|port| port_json(port, &names)).collect();
    let mut kind = "all";
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = push.send(message(app, kind, ports, &alarms)).await;
        if sent.is_err() || push.ask().await.is_err() {
            return Ok(());
        }
        // One state under way at a time: a slow client sees fewer, but never old ones.
        loop {
            if push.next_tick(&mut tick, app, caller, Right::Live).await.is_err() {
                return Ok(());
            }
            if push.behind().is_zero() {
                break;
            }
        }
        if counted.elapsed() >= COUNT_ALARMS_EVERY {
            counted = Instant::now();
            alarms = alarm_counts(app, caller).await?;
        }
        let now = app.station.live().ports();
        let changed: Vec<PortLive> = now
            .iter()
            .zip(&known)
            .filter(|(now, before)| now != before)
            .map(|(now, _)| now.clone())
            .collect();
        if !changed.is_empty() {
            names = Names::of_ports(app, &changed).await?;
        }
        ports = changed.iter().map(|port| port_json(port, &names)).collect();
        kind = "change";
        known = now;
    }
}

async fn alarm_counts(app: &App, caller: &Caller) -> Result<Value, Problem> {
    let scope = scope_of(caller);
    let counts = app.blocking(move |app| Ok(app.catalog().alarm_counts(&scope)?)).await?;
    Ok(alarm_counts_json(counts))
}

fn message(app: &App, kind: &str, ports: Vec<Value>, alarms: &Value) -> Message {
    let meters: Vec<Value> = app.station.live().meters().iter().map(meter_json).collect();
    let text = json!({
        "type": kind,
        "time": app.station.now(),
        "ports": ports,
        "meters": meters,
        "alarms": alarms,
        "records": app.catalog().health().journal_sequence,
    });
    Message::Text(text.to_string().into())
}
