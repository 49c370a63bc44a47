//! Who may come in, and who may say what there: the embedded broker beyond loopback, and mosquitto with the rules of our own page.

use super::mosquitto::{Mosquitto, Stranger};
use super::{Host, is_leased, start_arm, word};
use llmos_firmware_bridge::DeviceName;
use llmos_firmware_bridge::io::broker::{self, BrokerError, Users};
use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent};
use rumqttc::MqttOptions;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Whether this broker lets us in as who we say we are, and what is heard if it does not.
async fn lets_in(url: &BrokerUrl) -> Result<(), String> {
    let (_bus, mut events) = Bus::connect(url, "asks");
    match tokio::time::timeout(Duration::from_secs(5), events.recv()).await {
        Ok(Some(BusEvent::Connected)) => Ok(()),
        Ok(Some(BusEvent::Disconnected(why))) => Err(why),
        other => panic!("expected an answer, found {other:?}"),
    }
}

fn as_user(port: u16, user: &str, password: &str) -> BrokerUrl {
    BrokerUrl::local(port)
        .with_user(user)
        .with_password(password.to_owned())
}

fn free_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.local_addr().expect("its address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_beyond_loopback_lets_in_whom_it_knows() {
    let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, free_port()));
    let refused = broker::start_on(listen, Users::new());
    assert!(matches!(refused, Err(BrokerError::NoUsers(_))), "{refused:?}");
    assert!(
        TcpListener::bind(listen).is_ok(),
        "nothing was started where everybody would have come in"
    );

    let users = Users::from([("robot".to_owned(), "right".to_owned())]);
    let start = move || broker::start_on(listen, users);
    let ours = tokio::task::spawn_blocking(start)
        .await
        .expect("a thread")
        .expect("a broker");
    let port = listen.port();
    assert_eq!(lets_in(&as_user(port, "robot", "right")).await, Ok(()));
    for url in [
        BrokerUrl::local(port),
        as_user(port, "robot", "wrong"),
        as_user(port, "robot", ""),
        as_user(port, "nobody", "right"),
    ] {
        let why = lets_in(&url).await.expect_err("nobody it knows");
        assert!(why.contains("a user that it knows"), "{why}");
    }
    let device = DeviceName::parse("arm-known").expect("a name");
    let _arm = start_arm(&ours, &device);
    let mut host = Host::new(&as_user(port, "robot", "right"), &device);
    host.wait_for("lease", is_leased).await;
    host.act("tool", &[("state", word("on"))]).await;

    let again = broker::start_on(listen, Users::from([("a".to_owned(), "b".to_owned())]));
    assert!(matches!(again, Err(BrokerError::Address(..))), "{again:?}");
}

/// The rules that the page shows, with users for them: `host`, and devices that are named like their users.
fn start_with_rules() -> Option<Mosquitto> {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../workspace/mosquitto/acl");
    let settings = |folder: &Path| {
        let passwords = folder.join("passwords");
        std::fs::write(&passwords, "").expect("a file");
        for user in ["host", "arm", "pump"] {
            let made = Command::new("mosquitto_passwd")
                .arg("-b")
                .arg(&passwords)
                .args([user, user])
                .status();
            assert!(made.expect("mosquitto_passwd is there").success());
        }
        format!(
            "allow_anonymous false\npassword_file {}\nacl_file {rules}\n",
            passwords.display()
        )
    };
    Mosquitto::start(settings)
}

async fn client(port: u16, user: &str, topics: &[&str]) -> Stranger {
    let mut options = MqttOptions::new(format!("{user}-by-hand"), "127.0.0.1", port);
    options.set_credentials(user, user);
    Stranger::new(options, topics).await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_our_rules_a_host_drives_and_no_device_speaks_for_another() {
    let Some(mosquitto) = start_with_rules() else { return };
    let port = mosquitto.port;
    let why = lets_in(&BrokerUrl::local(port)).await.expect_err("no user");
    assert!(why.contains("a user and a password that it knows"), "{why}");
    let why = lets_in(&as_user(port, "arm", "wrong")).await.expect_err("no password");
    assert!(why.contains("a user and a password that it knows"), "{why}");

    // What each may hear, and what each can make the others hear.
    let everything = client(port, "host", &["llmos/v1/#"]).await;
    let arm = client(port, "arm", &["llmos/v1/#"]).await;
    let pump = client(port, "pump", &["llmos/v1/#"]).await;
    let subjects = [
        "lease", "cmd", "stop", "program", "ack", "state", "event", "online", "manifest",
    ];
    for (name, from) in [("host", &everything), ("arm", &arm), ("pump", &pump)] {
        for device in ["arm", "pump"] {
            for subject in subjects {
                from.say(&format!("llmos/v1/{device}/{subject}"), name, false).await;
            }
        }
        from.say("llmos/v1/arm/unknown", name, false).await;
        from.say("elsewhere", name, false).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let from_host = ["lease", "cmd", "stop", "program"];
    let from_device = ["ack", "state", "event", "online", "manifest"];
    let expected = |hears: &str| {
        let mut all = Vec::new();
        for device in ["arm", "pump"] {
            for subject in from_host {
                if hears == device || hears == "host" && subject == "stop" {
                    all.push((format!("llmos/v1/{device}/{subject}"), b"host".to_vec()));
                }
            }
            for subject in from_device {
                if hears == "host" {
                    all.push((format!("llmos/v1/{device}/{subject}"), device.as_bytes().to_vec()));
                }
            }
        }
        all.sort();
        all
    };
    for (name, client) in [("host", &everything), ("arm", &arm), ("pump", &pump)] {
        let mut seen = client.seen.lock().expect("a lock").clone();
        seen.sort();
        assert_eq!(seen, expected(name), "what {name} hears");
    }

    // And the whole way works under these rules.
    let device = DeviceName::parse("arm").expect("a name");
    let _arm = start_arm(&as_user(port, "arm", "arm"), &device);
    let mut host = Host::new(&as_user(port, "host", "host"), &device);
    host.wait_for("lease", is_leased).await;
    host.act("tool", &[("state", word("on"))]).await;
    host.tell(llmos_firmware_bridge::LinkInput::Stop { reason: "test" });
    host.wait_for(
        "latch",
        |event| matches!(event, llmos_firmware_bridge::LinkEvent::State(report) if report.stopped),
    )
    .await;
}
