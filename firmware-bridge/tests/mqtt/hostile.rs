//! Somebody else on the broker who may write everywhere: repeats, forges, shouts and floods. No rules stand in the way here, and still
//! nothing is done twice, nothing is done that the host did not order, and the host and the device work on.

use super::mosquitto::{Mosquitto, Stranger};
use super::{Host, is_leased, point, reading, start_arm, word};
use llmos_firmware_bridge::Plain;
use llmos_firmware_bridge::io::BrokerUrl;
use llmos_firmware_bridge::{DeviceName, LinkEvent};

/// Messages of the flood on each topic.
const FLOOD: usize = 1_000;

struct Scene {
    mosquitto: Mosquitto,
    device: DeviceName,
    host: Host,
    stranger: Stranger,
    _arm: llmos_firmware_bridge::sim::SimHandle,
}

impl Scene {
    async fn new(name: &str) -> Option<Scene> {
        let mosquitto = Mosquitto::open()?;
        let device = DeviceName::parse(name).expect("a name");
        let stranger = Stranger::anonymous(mosquitto.port, "stranger", &["llmos/#"]).await;
        let url = BrokerUrl::local(mosquitto.port);
        let arm = start_arm(&url, &device);
        let mut host = Host::new(&url, &device);
        host.wait_for("lease", is_leased).await;
        Some(Scene {
            mosquitto,
            device,
            host,
            stranger,
            _arm: arm,
        })
    }

    fn topic(&self, subject: &str) -> String {
        format!("llmos/v1/{}/{subject}", self.device)
    }

    /// The stranger says all of it, and the broker takes it.
    async fn say(&self, messages: &[(&str, Vec<u8>)], retain: bool) {
        let before = *self.stranger.acknowledged.lock().expect("a lock");
        for (subject, payload) in messages {
            self.stranger.say(&self.topic(subject), payload.clone(), retain).await;
        }
        let count = u32::try_from(messages.len()).expect("few");
        self.stranger.all_taken(before + count).await;
    }

    /// Lifts the arm by 1 cm, and returns how high it is then.
    async fn lift(&mut self) -> i64 {
        let arguments = [("direction", word("up")), ("distance", Plain::Number(10_000))];
        let report = self.host.act("move", &arguments).await;
        match reading(&report, "", "position") {
            Some(Plain::Point([_, _, z])) => z,
            other => panic!("no position: {other:?}"),
        }
    }

    async fn pass(&mut self, ms: u64) {
        let end = std::time::Instant::now() + std::time::Duration::from_millis(ms);
        while std::time::Instant::now() < end {
            self.host.turn().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_commands_said_again_move_nothing() {
    let Some(mut scene) = Scene::new("arm-again").await else {
        return;
    };
    scene.host.act("move_to", &[("to", point(80, 0, 80))]).await;
    let mut height = scene.lift().await;
    for _ in 0..3 {
        height = scene.lift().await;
    }
    let commands = scene.stranger.heard("/cmd");
    assert!(commands.len() >= 5, "{}", commands.len());
    let forward: Vec<_> = commands.iter().map(|command| ("cmd", command.clone())).collect();
    let backward: Vec<_> = forward.iter().rev().cloned().collect();
    scene.say(&forward, false).await;
    scene.say(&backward, false).await;
    scene.say(&forward, true).await;
    // A command of a session that nobody leased, above every number so far; and a lease and a return of it by a stranger.
    let forged = r#"{"session":99,"seq":4000000000,"id":1,"expires_ms":9000000000,"tool":"move","args":{"direction":"up","distance":0.5}}"#;
    scene.say(&[("cmd", forged.into())], false).await;
    let lease = |ttl_ms: u32| ("lease", format!(r#"{{"session":99,"ttl_ms":{ttl_ms}}}"#).into_bytes());
    scene
        .say(&[lease(60_000), lease(0), ("cmd", forged.into())], false)
        .await;
    scene.pass(300).await;
    assert_eq!(scene.lift().await, height + 10_000, "one lift, and nothing else");

    // Whoever comes after a restart finds the kept ones, and does not do them either.
    let url = BrokerUrl::local(scene.mosquitto.port);
    let other = start_arm(&url, &scene.device);
    scene.pass(500).await;
    drop(other);
    scene.host.wait_for("lease", is_leased).await;
    scene.lift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_on_every_topic_is_outlived() {
    let Some(mut scene) = Scene::new("arm-flood").await else {
        return;
    };
    scene.host.act("move_to", &[("to", point(80, 0, 80))]).await;
    let height = scene.lift().await;
    let subjects = ["lease", "cmd", "ack", "state", "event", "online", "manifest", "program"];
    let texts: [&[u8]; 5] = [
        b"",
        b"{",
        b"{\"boot\":1e999}",
        b"\xff\xfe\x00",
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    ];
    let mut flood = Vec::new();
    for number in 0..FLOOD {
        for (at, subject) in subjects.iter().enumerate() {
            flood.push((*subject, texts[(number + at) % texts.len()].to_vec()));
        }
    }
    for subject in subjects {
        flood.push((subject, vec![b'['; 200_000]));
        flood.push((subject, vec![b'x'; 1_000_000]));
    }
    tokio::join!(
        scene_say(&scene.stranger, &scene.device, &flood),
        drive(&mut scene.host)
    );
    // What the device says of itself and nobody can check, in its name: from far in the future, and gone.
    let future = r#"{"boot":BOOT,"uptime_ms":9000000000000,"busy":false,"done":0,"failed":null,"stopped":false}"#;
    let boot = String::from_utf8(scene.stranger.heard("/state").last().expect("a state").clone());
    let boot = boot.ok().and_then(|text| {
        let state: serde_json::Value = serde_json::from_str(&text).ok()?;
        state["boot"].as_u64()
    });
    let boot = boot.unwrap_or(1).to_string();
    scene
        .say(
            &[
                ("state", future.replace("BOOT", &boot).into()),
                ("online", b"0".to_vec()),
            ],
            false,
        )
        .await;
    scene.host.heard.clear();
    scene
        .host
        .wait_for("loss", |event| matches!(event, LinkEvent::Lost(_)))
        .await;
    scene.host.wait_for("lease", is_leased).await;
    assert_eq!(scene.lift().await, height + 10_000, "one lift, and nothing else");
}

async fn scene_say(stranger: &Stranger, device: &DeviceName, flood: &[(&str, Vec<u8>)]) {
    let before = *stranger.acknowledged.lock().expect("a lock");
    for (subject, payload) in flood {
        stranger
            .say(&format!("llmos/v1/{device}/{subject}"), payload.clone(), false)
            .await;
    }
    stranger
        .all_taken(before + u32::try_from(flood.len()).expect("few"))
        .await;
}

/// The host lives on meanwhile.
async fn drive(host: &mut Host) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(4);
    while std::time::Instant::now() < end {
        host.turn().await;
    }
}
