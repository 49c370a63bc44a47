//! The broker dies, or the host, in the middle of a motion: the arm is in its safe state in time, stays there, and the run says what
//! happened. Seen by somebody else on the broker, and with TLS and passwords as on a network.
#![cfg(unix)]

use crate::mosquitto::{Running, free_port, mosquitto, mosquitto_on, mosquitto_with, simulate_at, subscriber};
use crate::support::Llmos;
use serde_json::Value;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The arm's fastest, in metres a second, as its manifest says.
const SPEED: f64 = 0.5;
/// A heartbeat that is shorter than a leg, so that the arm does not arrive before it, and how long after it the arm may still move.
const HEARTBEAT: Duration = Duration::from_millis(500);
const SAFE: Duration = Duration::from_millis(500);
/// How often an arm that moves reports.
const REPORT: Duration = Duration::from_millis(100);

type Seen = Arc<Mutex<Vec<String>>>;

fn newest(seen: &Seen) -> Option<Value> {
    let seen = seen.lock().expect("a lock");
    seen.last().map(|text| serde_json::from_str(text).expect("a state"))
}

/// The newest report that is so.
fn wait_for(seen: &Seen, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if let Some(state) = newest(seen).filter(|state| wanted(state)) {
            return state;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("no {what}; the newest is {:?}", newest(seen));
}

fn height(state: &Value) -> f64 {
    state["position"][2].as_f64().expect("a position")
}

/// A slow arm on this broker, and a run that lifts it, once it is well on its way; also where it began.
fn lifting(llmos: &Llmos, port: u16, seen: &Seen) -> (Running, Child) {
    let broker = format!("mqtt://127.0.0.1:{port}");
    let arm = simulate_at(llmos, "arm", &broker, "1");
    let begun = height(&wait_for(seen, "report", |state| state["busy"] == false));
    let run = llmos
        .command(&["run", "--json", "--broker", &broker, "move the arm 150 cm up"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    wait_for(seen, "motion", |state| {
        state["busy"] == true && height(state) > begun + 0.05
    });
    (arm, run)
}

fn is_in_safe_state(state: &Value) -> bool {
    state["busy"] == false && state["failed"]["reason"] == "lease_lost"
}

/// It stays where it is from now on.
fn stays(seen: &Seen) {
    let at = height(&newest(seen).expect("a state"));
    thread::sleep(Duration::from_millis(1_200));
    let later = newest(seen).expect("a state");
    assert!((height(&later) - at).abs() < 1e-6, "it moves again: {later}");
}

#[test]
fn a_broker_that_dies_in_a_motion_leaves_the_arm_safe_and_the_run_failed() {
    let Some((broker, port)) = mosquitto() else { return };
    let llmos = Llmos::new();
    let seen = subscriber(port, &["llmos/v1/arm/state"]);
    let (_arm, run) = lifting(&llmos, port, &seen);
    let before = newest(&seen).expect("a state");
    drop(broker);
    let output = run.wait_with_output().expect("the program ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(
        (report["status"].as_str(), output.status.code()),
        (Some("failed"), Some(1)),
        "{report}"
    );
    let reason = report["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("lost") && reason.contains("connection to the broker"),
        "{report}"
    );

    let _broker = mosquitto_on(port);
    let seen = subscriber(port, &["llmos/v1/arm/state"]);
    let after = wait_for(&seen, "report", |state| {
        state["uptime_ms"].as_u64() > before["uptime_ms"].as_u64()
    });
    assert!(is_in_safe_state(&after), "{after}");
    let way = height(&after) - height(&before);
    let most = SPEED * (SAFE + REPORT).as_secs_f64();
    assert!(
        (0.0..most).contains(&way),
        "it went on for {way} m, and may for {most} m: {before} {after}"
    );
    stays(&seen);
}

#[test]
fn a_host_that_dies_in_a_motion_leaves_the_arm_safe_within_its_heartbeat() {
    let Some((_broker, port)) = mosquitto() else { return };
    let llmos = Llmos::new();
    assert_eq!(llmos.run(&["device", "ls"]).status.code(), Some(0));
    let manifest = llmos.workspace().join("devices/arm.md");
    let text = std::fs::read_to_string(&manifest).expect("the arm's manifest");
    assert!(text.contains("heartbeat: \"1.5 s\""), "{text}");
    let text = text.replace("heartbeat: \"1.5 s\"", "heartbeat: \"500 ms\"");
    std::fs::write(&manifest, text).expect("the arm's manifest");
    let seen = subscriber(port, &["llmos/v1/arm/state"]);
    let (_arm, mut run) = lifting(&llmos, port, &seen);
    run.kill().expect("it is killed");
    let killed = Instant::now();
    run.wait().expect("it ends");
    wait_for(&seen, "safe state", is_in_safe_state);
    let took = killed.elapsed();
    assert!(took <= HEARTBEAT + SAFE, "{took:?}");
    stays(&seen);
}

/// A file that only its owner reads.
fn secret(llmos: &Llmos, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = llmos.home().join(name);
    std::fs::write(&path, text).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its permissions");
    path.display().to_string()
}

#[test]
fn as_on_a_network_with_tls_users_and_rules() {
    let llmos = Llmos::new();
    let key = rcgen::KeyPair::generate().expect("a key");
    let own = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = own.self_signed(&key).expect("a certificate").pem();
    let (certificate, key) = (
        secret(&llmos, "broker.pem", &certificate),
        secret(&llmos, "broker.key", &key.serialize_pem()),
    );
    let passwords = secret(&llmos, "passwords", "");
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../workspace/mosquitto/acl");
    let port = free_port();
    // Started by root it would otherwise become somebody who may not read its files.
    let config = format!(
        "user root\nlistener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\nallow_anonymous false\npassword_file {passwords}\nacl_file {rules}\n"
    );
    let config = secret(&llmos, "mosquitto.conf", &config);
    for user in ["host", "arm"] {
        let mut made = std::process::Command::new("mosquitto_passwd");
        let made = made.args(["-b", &passwords, user, &format!("word of {user}")]).output();
        // Where there is no mosquitto, starting it says so aloud.
        assert!(made.map_or(true, |made| made.status.success()));
    }
    let Some(_broker) = mosquitto_with(port, &["-c", &config]) else {
        return;
    };
    assert_eq!(llmos.run(&["device", "ls"]).status.code(), Some(0));
    let workspace = llmos.workspace();
    for other in ["base", "greenhouse"] {
        std::fs::remove_file(workspace.join(format!("devices/{other}.md"))).expect("the template's device");
    }
    let word = secret(&llmos, "word", "word of host\n");
    let table = format!(
        "[broker]\nurl = \"mqtts://host@localhost:{port}\"\npassword_file = \"{word}\"\nca = \"{certificate}\"\n"
    );
    std::fs::write(workspace.join("llmos.toml"), &table).expect("llmos.toml");
    let broker = format!("mqtts://arm@localhost:{port}");
    let mut arm = llmos.command(&["device", "sim", "arm", "--broker", &broker, "--haste", "20"]);
    arm.env("LLMOS_MQTT_PASSWORD_FILE", secret(&llmos, "arms-word", "word of arm"));
    arm.env("LLMOS_MQTT_CA", &certificate)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _arm = Running::new(arm.spawn().expect("the simulated device starts"));

    let (done, code) = llmos.json(&["run", "move the arm 30 cm to the left"]);
    assert_eq!((done["status"].as_str(), code), (Some("done"), 0), "{done}");
    let (found, code) = llmos.json(&["doctor"]);
    let checks = found["checks"].as_array().expect("checks");
    let broker = checks
        .iter()
        .find(|check| check["check"] == "broker")
        .expect("the broker");
    let text = broker["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("with TLS, as user host") && !text.contains("everybody"),
        "{found}"
    );
    assert_eq!((broker["found"].as_str(), code), (Some("ok"), 0), "{found}");

    let refused = |table: &str, part: &str| {
        std::fs::write(workspace.join("llmos.toml"), table).expect("llmos.toml");
        let (complaint, code) = llmos.complaint(&["run", "move the arm 30 cm to the left"]);
        assert!(code == 5 && complaint.contains(part), "{code}: {complaint}");
        assert!(!complaint.contains("word of"), "{complaint}");
    };
    refused(&table.replace("host@localhost", "host@127.0.0.1"), "another host name");
    refused(
        &table.replace("mqtts://host@", "mqtts://arm2@"),
        "a user and a password that it knows",
    );
    refused(&table.replace("ca = ", "certificate = "), "no key");
    refused("broker = \"mqtt://host:word of host@localhost\"", "file or environment");
}

#[test]
fn the_embedded_broker_beyond_this_machine_wants_users() {
    let llmos = Llmos::new();
    assert_eq!(llmos.run(&["device", "ls"]).status.code(), Some(0));
    let file = llmos.workspace().join("llmos.toml");
    let table = format!("[broker]\nlisten = \"127.0.0.1:{}\"\n", free_port());
    std::fs::write(&file, &table).expect("llmos.toml");
    let (complaint, code) = llmos.complaint(&["doctor"]);
    assert!(code == 5 && complaint.contains("users_file"), "{code}: {complaint}");
    let users = secret(&llmos, "users", "arm:word of arm\n");
    std::fs::write(&file, format!("{table}users_file = \"{users}\"\n")).expect("llmos.toml");
    let (found, _) = llmos.json(&["doctor"]);
    let checks = found["checks"].as_array().expect("checks");
    let broker = checks
        .iter()
        .find(|check| check["check"] == "broker")
        .expect("the broker");
    assert_eq!(broker["found"], "warn", "{found}");
    assert!(
        broker["text"].as_str().is_some_and(|text| text.contains("for 1 users")),
        "{found}"
    );
    assert!(!found.to_string().contains("word of"), "{found}");
}
