//! A WebSocket of the pages: who may open one, when it ends, and what its client has really got.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use catalog::Right;
use hyper::header::{self, HeaderMap, HeaderName};
use tokio::sync::watch;
use tokio::time::{Interval, timeout};

use crate::app::App;
use crate::guard::not_logged_in;
use crate::problem::{Code, Problem};
use crate::scope::scope_of;
use crate::session::Caller;

/// How often the session is looked at, so that an open page counts as in use; its end is told at once.
const CHECK_EVERY: Duration = Duration::from_secs(20);
/// A client that takes nothing, or gives no sign of life, for so long has gone.
const GONE_AFTER: Duration = Duration::from_secs(30);
/// Incoming messages are answers to pings and closing: nothing large.
const MOST_INCOMING_BYTES: usize = 4096;
/// Close code for a session that has ended.
const SESSION_OVER: u16 = 4001;

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

/// What whoever reads must still be allowed.
#[derive(Clone, Debug)]
pub struct Needs {
    pub right: Right,
    /// A port of a station that the caller must see.
    pub port: Option<(String, u16)>,
}

impl Needs {
    pub fn right(right: Right) -> Self {
        Self { right, port: None }
    }
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
        needs: &Needs,
    ) -> Result<(), Gone> {
        loop {
            tokio::select! {
                incoming = self.socket.recv() => match incoming {
                    Some(Ok(Message::Pong(_))) => self.asked = None,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Gone),
                    Some(Ok(_)) => {}
                },
                // Whose session ends sees and hears nothing more from that moment on.
                Ok(()) = self.sessions.changed() => self.check(app, caller, needs).await?,
                _ = tick.tick() => break,
            }
        }
        if self.behind() >= GONE_AFTER {
            return Err(Gone);
        }
        if self.checked.elapsed() >= CHECK_EVERY {
            self.check(app, caller, needs).await?;
        }
        Ok(())
    }

    /// Ends the connection of a session that is over or has lost the right.
    async fn check(&mut self, app: &App, caller: &Caller, needs: &Needs) -> Result<(), Gone> {
        self.checked = Instant::now();
        let now = app.sessions.caller(caller.key, caller.ip, Instant::now());
        if let Some(now) = now.filter(|now| now.has(needs.right) && !now.must_change_password)
            && sees(app, now, needs.port.clone()).await
        {
            return Ok(());
        }
        let reason = not_logged_in().code.name().into();
        self.send(Message::Close(Some(CloseFrame { code: SESSION_OVER, reason }))).await?;
        Err(Gone)
    }
}

/// Whether the port is still the caller's to hear.
async fn sees(app: &App, caller: Caller, port: Option<(String, u16)>) -> bool {
    let Some((serial, port)) = port else { return true };
    let look = move |app: &App| {
        let now_us = app.platform()?.now_us();
        Ok(scope_of(app, &caller)?.port_now(&serial, port, now_us))
    };
    app.blocking(look).await.unwrap_or(false)
}
