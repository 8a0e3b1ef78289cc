//! What happens is seen and heard while it happens.

mod house;

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use house::{House, contract};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

async fn next(socket: &mut WebSocketStream<house::client::Tls>) -> Message {
    timeout(Duration::from_secs(10), socket.next()).await.expect("in time").expect("open").expect("a message")
}

async fn next_text(socket: &mut WebSocketStream<house::client::Tls>) -> Value {
    loop {
        if let Message::Text(text) = next(socket).await {
            let value = serde_json::from_str(&text).expect("JSON");
            contract::valid("/components/schemas/LiveMessage", &value, "a live message");
            return value;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_seen_as_it_happens() {
    let house = House::open().await;
    let admin = house.admin().await;
    let ports = admin.get("/ports").await.expect(200);
    assert_eq!(ports["items"].as_array().map(Vec::len), Some(2));
    let mut socket = admin.socket("/live", None).await.expect("opened");
    let all = next_text(&mut socket).await;
    assert_eq!((&all["type"], all["ports"].as_array().map(Vec::len)), (&json!("all"), Some(2)));
    let (started, mut messages) = (Instant::now(), 0_u32);
    let (mut states, mut loud, mut low) = (Vec::new(), false, false);
    while started.elapsed() < Duration::from_secs(6) {
        let change = next_text(&mut socket).await;
        messages += 1;
        assert_eq!(change["type"], "change");
        let meters = change["meters"].as_array().expect("meters");
        assert_eq!(meters.len(), 2);
        loud |= meters[0][0].as_f64().is_some_and(|level| level > -30.0);
        low |= meters[0][2].as_f64().is_some_and(|volts| (7.0..9.0).contains(&volts));
        for port in change["ports"].as_array().expect("ports") {
            states.push(port["state"].as_str().expect("a state").to_owned());
        }
    }
    // Five a second, one that waited when the clock was started, and the one that ended the loop.
    let most = started.elapsed().as_secs_f64() * 5.0 + 2.0;
    assert!(messages >= 10 && f64::from(messages) <= most, "{messages} messages, at most {most}");
    assert!(loud && low, "levels and voltage were seen: {loud} {low}");
    for state in ["recording", "idle"] {
        assert!(states.iter().any(|seen| seen == state), "{state} was seen: {states:?}");
    }
    house.close().await;
}

/// How the connection was closed, and after how long.
async fn closed(socket: &mut WebSocketStream<house::client::Tls>) -> (Option<u16>, Duration) {
    let asked = Instant::now();
    loop {
        match timeout(Duration::from_secs(60), socket.next()).await.expect("in time") {
            Some(Ok(Message::Close(frame))) => {
                return (frame.map(|frame| frame.code.into()), asked.elapsed());
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return (None, asked.elapsed()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_loses_the_account_sees_and_hears_nothing_more() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let mut person = house.person(&mut admin, "anna", &["live", "listen"]).await;
    let given = "words that were given";
    for change in [json!({ "password": given }), json!({ "disabled": true })] {
        let mut live = person.socket("/live", None).await.expect("opened");
        let mut sound = person.socket("/ports/1/listen", None).await.expect("opened");
        next_text(&mut live).await;
        admin.patch("/accounts/anna", change).await.expect(200);
        for socket in [&mut live, &mut sound] {
            let (code, after) = closed(socket).await;
            assert_eq!(code, Some(4001));
            assert!(after < Duration::from_secs(5), "closed after {after:?}");
        }
        if person.login("anna", given).await.status == 200 {
            let own = json!({ "old": given, "new": house::NEW_PASSWORD });
            person.post("/password", own).await.expect(200);
        }
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_does_not_record_says_so() {
    let house = House::open().await;
    let client = house.client();
    assert_eq!(client.get("/health").await.expect(200), json!({ "status": "ok" }));
    let station = house.station.clone();
    tokio::task::spawn_blocking(move || station.stop()).await.expect("no panic").expect("stopped");
    let problem = client.get("/health").await;
    let parts = problem.refused(503, "not_well")["parts"].clone();
    assert!(parts.as_array().is_some_and(|parts| parts.contains(&json!("capturing"))), "{parts}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_reading_gets_no_old_states() {
    let house = House::open().await;
    let admin = house.admin().await;
    let mut socket = admin.socket("/live", None).await.expect("opened");
    next_text(&mut socket).await;
    // Nobody reads, so nobody answers the ping that goes behind each state.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (started, mut quick) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_millis(100) {
        match timeout(Duration::from_millis(100), socket.next()).await {
            Ok(Some(Ok(Message::Text(_)))) => quick += 1,
            Ok(_) => {}
            Err(_) => break,
        }
    }
    assert!(quick <= 2, "{quick} states were waiting");
    let fresh = next_text(&mut socket).await;
    let box_time = admin.get("/box").await.expect(200)["time"].as_str().expect("a time").to_owned();
    let moment = |text: &str| chrono::DateTime::parse_from_rfc3339(text).expect("a time");
    let age = moment(&box_time) - moment(fresh["time"].as_str().expect("a time"));
    assert!(age.num_milliseconds().abs() < 1000, "{age}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_is_heard_as_it_happens_and_it_is_written_down() {
    let house = House::open().await;
    let admin = house.admin().await;
    let mut socket = admin.socket("/ports/1/listen", None).await.expect("opened");
    let (started, mut samples, mut loudest) = (Instant::now(), 0_usize, 0_u16);
    while started.elapsed() < Duration::from_secs(3) {
        if let Message::Binary(bytes) = next(&mut socket).await {
            assert_eq!(bytes.len(), 960, "60 ms of 16 bit");
            samples += bytes.len() / 2;
            let heard =
                bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs());
            loudest = loudest.max(heard.max().unwrap_or_default());
        }
    }
    let seconds = samples as f64 / 8000.0;
    let behind = started.elapsed().as_secs_f64() - seconds;
    println!("listened to {seconds:.2} s of audio, {behind:.2} s behind");
    // A busy machine hands over at the start what it could not at once, and catches up: a block early is no mistake.
    assert!((-0.12..1.0).contains(&behind), "{behind} s behind");
    assert!((5000..7000).contains(&loudest), "the tone is heard at {loudest}");
    socket.close(None).await.expect("closed");
    assert_eq!(admin.socket("/ports/9/listen", None).await.err(), Some(404));
    for _ in 0..50 {
        let trail = admin.get("/audit?item=channel&port=1").await.expect(200);
        let operations: Vec<&str> = trail["items"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|entry| entry["operation"].as_str())
            .collect();
        if operations == ["listen_stop", "listen_start"] {
            house.close().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the end of listening was not written down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_stalls_does_not_hear_the_past() {
    let house = House::open().await;
    let admin = house.admin().await;
    let mut socket = admin.socket("/ports/1/listen", None).await.expect("opened");
    next(&mut socket).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut waiting = 0;
    while let Ok(Some(Ok(message))) = timeout(Duration::from_millis(30), socket.next()).await {
        waiting += usize::from(message.is_binary());
    }
    assert!(waiting * 60 < 1500, "{} ms of the past were waiting", waiting * 60);
    socket.send(Message::Text("nobody reads this".into())).await.expect("sent");
    next(&mut socket).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_sends_is_bounded() {
    let house = House::open().await;
    let admin = house.admin().await;
    let mut socket = admin.socket("/live", None).await.expect("opened");
    next_text(&mut socket).await;
    let _ = socket.send(Message::Binary(vec![0; 100_000].into())).await;
    let ended = timeout(Duration::from_secs(5), async {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                break;
            }
        }
    });
    ended.await.expect("the socket was closed");
    admin.get("/box").await.expect(200);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_sockets_count_as_connections_of_their_address() {
    const MOST_OF_AN_ADDRESS: usize = 128;
    const SOCKETS: usize = 120;
    let house = House::open().await;
    let admin = house.admin().await;
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(admin.socket("/live", None).await.expect("opened"));
    }
    // Who is let in is waited for; who is not is hung up on.
    let let_in = async |count: usize| {
        let mut knocking = Vec::new();
        for _ in 0..count {
            knocking.push(TcpStream::connect(house.address).await.expect("connected"));
        }
        let mut let_in = 0;
        for stream in &mut knocking {
            let answer = timeout(Duration::from_millis(500), stream.read_u8()).await;
            let_in += usize::from(answer.is_err());
        }
        let_in
    };
    let room = MOST_OF_AN_ADDRESS - SOCKETS;
    assert!((1..=room).contains(&let_in(room + 4).await), "they are counted");
    drop(sockets);
    let begun = Instant::now();
    while let_in(room + 4).await < room + 4 {
        assert!(begun.elapsed() < Duration::from_secs(20), "places come back");
    }
    house.close().await;
}
