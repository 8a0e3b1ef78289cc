//! `/ports/{port}/listen`: a port's audio as it happens, in messages of 60 ms; what is late is skipped, never queued.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use catalog::Right;
use hyper::HeaderMap;
use station::Listener;
use tokio::time::{MissedTickBehavior, interval};

use super::Answer;
use super::ports::port_of;
use crate::app::App;
use crate::problem::Problem;
use crate::push::{Needs, Push, own_upgrade};
use crate::session::Caller;
use crate::trail::Trail;

/// 60 ms at 8000 Hz.
pub const MESSAGE_SAMPLES: usize = 480;
/// How often the ring is looked at; a part of a message, so that the delay stays near one message.
pub const POLL_EVERY: Duration = Duration::from_millis(20);
/// Messages between two questions whether they have arrived: 300 ms.
pub const CONFIRM_EVERY: u32 = 5;
/// What the client has not confirmed for so long it is not given more of: the delay stays under a second.
pub const MOST_BEHIND: Duration = Duration::from_millis(500);

pub async fn listen_live(
    State(app): State<App>,
    caller: Caller,
    Path(port): Path<String>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let port = port_of(&app, &port)?.port;
    let upgrade = own_upgrade(&headers, upgrade)?;
    let place = app.turns.listener()?;
    let begun = Trail::of(&caller, "channel", "listen_start").port(port);
    // Written down before the first sample is heard.
    let listener = app
        .blocking(move |app| {
            let listener = app.station()?.listen(port).map_err(Problem::from);
            begun.ended(app.catalog(), listener)
        })
        .await?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let started = Instant::now();
        pass_on(&app, &caller, listener, socket).await;
        drop(place);
        let seconds = started.elapsed().as_secs();
        let ended = Trail::of(&caller, "channel", "listen_stop").port(port).with("seconds", seconds);
        if let Err(problem) = app.blocking(move |app| ended.ok(app.catalog())).await {
            eprintln!(
                "web: the end of listening to port {port} could not be written down: {}",
                problem.title
            );
        }
    }))
}

async fn pass_on(app: &App, caller: &Caller, mut listener: Listener, socket: WebSocket) {
    let mut push = Push::new(socket, app);
    let needs = Needs::right(Right::Listen);
    let mut tick = interval(POLL_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut samples, mut filled, mut unconfirmed) = ([0_i16; MESSAGE_SAMPLES], 0, 0);
    while push.next_tick(&mut tick, app, caller, &needs).await.is_ok() {
        loop {
            filled += listener.read(&mut samples[filled..]);
            if filled < MESSAGE_SAMPLES {
                break;
            }
            filled = 0;
            if push.behind() > MOST_BEHIND {
                continue;
            }
            let bytes: Bytes = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            if push.send(Message::Binary(bytes)).await.is_err() {
                return;
            }
            unconfirmed += 1;
            if unconfirmed >= CONFIRM_EVERY {
                unconfirmed = 0;
                if push.ask().await.is_err() {
                    return;
                }
            }
        }
        if listener.is_ended() {
            return;
        }
    }
}
