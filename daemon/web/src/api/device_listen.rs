//! `/devices/{serial}/ports/{port}/listen`: a port of a station as it happens, through its platform.

use std::time::Instant;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use bytes::BytesMut;
use catalog::Right;
use hyper::HeaderMap;
use platform::PortAudio;
use tokio::time::{MissedTickBehavior, interval};

use super::Answer;
use super::device_ports::port_of;
use super::listen::{CONFIRM_EVERY, MESSAGE_SAMPLES, MOST_BEHIND, POLL_EVERY};
use crate::app::App;
use crate::fleet::device_of;
use crate::problem::Problem;
use crate::push::{Needs, Push, own_upgrade};
use crate::scope::scope_of;
use crate::session::Caller;
use crate::trail::Trail;

const MESSAGE_BYTES: usize = 2 * MESSAGE_SAMPLES;
/// Close code: the station or its connection has ended it; the reason is a code.
const STATION_ENDED: u16 = 4002;

pub async fn listen_device(
    State(app): State<App>,
    caller: Caller,
    Path((serial, port)): Path<(String, String)>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let (who, asked) = (caller.clone(), serial.clone());
    let port = app
        .blocking(move |app| {
            let platform = app.platform()?;
            let scope = scope_of(app, &who)?;
            let now = device_of(platform, &scope, &asked)?;
            port_of(&scope, &now, platform.now_us(), &port)
        })
        .await?;
    let upgrade = own_upgrade(&headers, upgrade)?;
    let place = app.turns.listener()?;
    let trail = move |caller: &Caller, operation: &str, serial: &str| {
        Trail::of(caller, "device", operation).port(port).with("serial", serial)
    };
    let (begun, asked) = (trail(&caller, "listen_start", &serial), serial.clone());
    // Written down before the first sample is heard.
    let audio = app
        .blocking(move |app| {
            let audio = app.platform()?.listen(&asked, port).map_err(Problem::from);
            begun.ended(app.catalog(), audio)
        })
        .await?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let started = Instant::now();
        let needs = Needs { right: Right::Listen, port: Some((serial.clone(), port)) };
        pass_on(&app, &caller, &needs, audio, socket).await;
        drop(place);
        let seconds = started.elapsed().as_secs();
        let ended = trail(&caller, "listen_stop", &serial).with("seconds", seconds);
        if let Err(problem) = app.blocking(move |app| ended.ok(app.catalog())).await {
            eprintln!("web: the end of listening to {serial} could not be written down: {}", problem.title);
        }
    }))
}

async fn pass_on(app: &App, caller: &Caller, needs: &Needs, mut audio: PortAudio, socket: WebSocket) {
    let mut push = Push::new(socket, app);
    let mut tick = interval(POLL_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut unconfirmed) = (BytesMut::new(), 0);
    while push.next_tick(&mut tick, app, caller, needs).await.is_ok() {
        let ended = gather(&mut audio, &mut heard).await;
        while heard.len() >= MESSAGE_BYTES {
            let message = heard.split_to(MESSAGE_BYTES).freeze();
            if push.behind() > MOST_BEHIND {
                continue;
            }
            if push.send(Message::Binary(message)).await.is_err() {
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
        if ended {
            let reason = audio.why_ended().chars().take(100).collect::<String>().into();
            let close = CloseFrame { code: STATION_ENDED, reason };
            // The client may have gone by itself.
            let _ = push.send(Message::Close(Some(close))).await;
            return;
        }
    }
}

/// Takes what has come, without waiting for more. `true`: there will be no more.
async fn gather(audio: &mut PortAudio, heard: &mut BytesMut) -> bool {
    loop {
        tokio::select! {
            biased;
            piece = audio.next() => match piece {
                Some(piece) => heard.extend_from_slice(&piece),
                None => return true,
            },
            () = std::future::ready(()) => return false,
        }
    }
}
