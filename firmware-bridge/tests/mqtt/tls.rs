//! TLS against a real mosquitto, with certificates made here: who is believed, who is not, and what is said then.

use super::mosquitto::Mosquitto;
use super::{Host, is_leased, start_arm, word};
use llmos_firmware_bridge::DeviceName;
use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent, Identity, Tls, TlsError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::Path;
use std::time::Duration;

/// An authority of our own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both PEM.
struct Papers {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        // Its name must not be that of what it vouches for.
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this host name, that is valid until this year.
    fn vouch(&self, name: &str, until: i32) -> Papers {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate").pem();
        let key = key.serialize_pem();
        Papers { certificate, key }
    }
}

/// A broker with these papers; `mutual` where it wants certificates of its clients.
fn start(authority: &Authority, papers: &Papers, mutual: bool) -> Option<Mosquitto> {
    let settings = |folder: &Path| {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let ca = file("ca.pem", &authority.pem());
        let certificate = file("broker.pem", &papers.certificate);
        let key = file("broker.key", &papers.key);
        format!(
            "allow_anonymous true\ncafile {ca}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate {mutual}\n"
        )
    };
    Mosquitto::start(settings)
}

fn url(port: u16, ca: &str, identity: Option<&Papers>) -> BrokerUrl {
    let identity = identity.map(|papers| Identity {
        certificate: papers.certificate.as_bytes(),
        key: papers.key.as_bytes(),
    });
    let tls = Tls::new(Some(ca.as_bytes()), identity).expect("TLS");
    let url = BrokerUrl::parse(&format!("mqtts://localhost:{port}")).expect("an address");
    url.with_tls(tls)
}

/// Why this broker and we do not come together.
async fn refusal(url: &BrokerUrl) -> String {
    let (_bus, mut events) = Bus::connect(url, "refused");
    let first = tokio::time::timeout(Duration::from_secs(8), events.recv());
    match first.await.expect("an answer") {
        Some(BusEvent::Disconnected(why)) => why,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

async fn drives(url: &BrokerUrl, name: &str) {
    let device = DeviceName::parse(name).expect("a name");
    let _arm = start_arm(url, &device);
    let mut host = Host::new(url, &device);
    host.wait_for("lease", is_leased).await;
    host.act("tool", &[("state", word("on"))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_is_believed_only_with_the_right_papers() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let Some(good) = start(&ours, &ours.vouch("localhost", 2_090), false) else {
        return;
    };
    drives(&url(good.port, &ours.pem(), None), "arm-tls").await;

    for wrong in [theirs, Authority::new("ours")] {
        let why = refusal(&url(good.port, &wrong.pem(), None)).await;
        assert!(why.contains("CA file"), "wrong authority: {why}");
    }
    let plain = BrokerUrl::local(good.port);
    let why = refusal(&plain).await;
    assert!(why.contains("mqtts://"), "no TLS: {why}");

    let other = start(&ours, &ours.vouch("elsewhere.example", 2_090), false).expect("mosquitto is there");
    let why = refusal(&url(other.port, &ours.pem(), None)).await;
    assert!(why.contains("another host name"), "wrong name: {why}");

    let old = start(&ours, &ours.vouch("localhost", 2_021), false).expect("mosquitto is there");
    let why = refusal(&url(old.port, &ours.pem(), None)).await;
    assert!(why.contains("expired"), "expired: {why}");

    let unencrypted = Mosquitto::open().expect("mosquitto is there");
    let why = refusal(&url(unencrypted.port, &ours.pem(), None)).await;
    assert!(why.contains("does not speak TLS"), "a broker without TLS: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_wants_papers_gets_them() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let Some(mutual) = start(&ours, &ours.vouch("localhost", 2_090), true) else {
        return;
    };
    drives(
        &url(mutual.port, &ours.pem(), Some(&ours.vouch("arm", 2_090))),
        "arm-mutual",
    )
    .await;

    let why = refusal(&url(mutual.port, &ours.pem(), None)).await;
    assert!(why.contains("wants a client certificate"), "none: {why}");
    for papers in [theirs.vouch("arm", 2_090), ours.vouch("arm", 2_021)] {
        let why = refusal(&url(mutual.port, &ours.pem(), Some(&papers))).await;
        assert!(
            why.contains("does not accept our client certificate"),
            "foreign or expired: {why}"
        );
    }
}

#[test]
fn papers_that_are_none_are_named() {
    let ours = Authority::new("ours");
    let (one, other) = (ours.vouch("arm", 2_090), ours.vouch("arm", 2_090));
    let check = |ca: &str, certificate: &str, key: &str, part: &str| {
        let identity = Identity {
            certificate: certificate.as_bytes(),
            key: key.as_bytes(),
        };
        let error: TlsError = Tls::new(Some(ca.as_bytes()), Some(identity)).expect_err("no TLS");
        assert!(error.to_string().contains(part), "{error}");
    };
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    check("", &one.certificate, &one.key, "the CA file");
    check(broken, &one.certificate, &one.key, "the CA file");
    check(&ours.pem(), "none", &one.key, "the client certificate");
    check(&ours.pem(), &one.certificate, &one.certificate, "the client key");
    check(&ours.pem(), &one.certificate, &other.key, "belong together");
    let tls = Tls::new(Some(ours.pem().as_bytes()), None).expect("TLS");
    assert_eq!(format!("{tls:?}"), "Tls", "nothing of it is shown");
}
