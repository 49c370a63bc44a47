//! What the kernel knows: the workspace's documents as types, and what every device last said. Documents replace themselves when they
//! change; one with an error leaves the last good version of nothing but itself out. It must not know runs.

use crate::goal::{Lexicon, Name, NameKind};
use crate::intent::{self, Intents};
use crate::library::Library;
use crate::message::{Fact, News, State};
use crate::motion::Known;
use crate::names::Names;
use crate::options::WAIT;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::text::Diagnostic;
use crate::text::manifest;
use crate::text::node::Place;
use crate::text::trace::{self, Use};
use crate::tool::{Body, Device};
use llmos_follower::{Millis, Offer, Reading, Readings, Route, Symbol, Watch};
use std::collections::BTreeMap;

/// Documents, devices and what they report.
#[derive(Debug, Default)]
pub struct World {
    /// The devices whose manifests have no error, by name.
    pub devices: Vec<Device>,
    /// The digests of the parts of each device's manifest: `arm.limits`, `arm.move`.
    pub digests: BTreeMap<String, String>,
    /// The traces without an error.
    pub traces: Library,
    /// The ledger: every use of a trace.
    pub uses: Vec<Use>,
    /// Commands that were about to be sent when a run was broken off.
    pub intents: Intents,
    /// What is allowed.
    pub policy: Policy,
    /// What was found in each document, by path.
    pub findings: BTreeMap<String, Vec<Diagnostic>>,
    /// What each device last said.
    pub views: BTreeMap<String, View>,
    /// All reports, as the follower sees them.
    pub readings: Readings,
    /// Spellings of symbols.
    pub names: Names,
}

/// What a device last said.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Whether it takes our commands.
    pub online: bool,
    /// Why not.
    pub why: Option<String>,
    /// Whether that is because it serves another program.
    pub taken: bool,
    /// Its last report.
    pub state: State,
    /// When that came; `None` before the first.
    pub at: Option<Millis>,
    /// What the envelope has to know of its recent past.
    pub watch: Watch,
    /// The boot that granted us its lease, and the last sequence number that is used up.
    pub mark: Option<intent::Mark>,
}

impl World {
    /// Takes in a document.
    pub fn document(&mut self, path: &str, text: &str) {
        let parts: Vec<&str> = path.split('/').collect();
        let found = match parts.as_slice() {
            ["devices", file] if is_markdown(file) => self.manifest(text),
            ["traces", "ledger.jsonl"] => self.ledger(text),
            _ if path == intent::PATH => {
                let (intents, found) = Intents::read(text);
                self.intents = intents;
                found
            }
            ["traces", file] if is_markdown(file) => self.trace(text),
            ["policy.toml"] => {
                let (policy, found) = Policy::read(text);
                self.policy = policy;
                found
            }
            _ => Vec::new(),
        };
        self.findings.insert(path.to_owned(), found);
    }

    fn manifest(&mut self, text: &str) -> Vec<Diagnostic> {
        let (device, mut found) = manifest::read(text);
        let Some(device) = device else { return found };
        if let Err(message) = self.learn_names(&device) {
            found.push(Diagnostic::error(Place { line: 1, column: 1 }, message));
            return found;
        }
        self.digests
            .retain(|part, _| part.split('.').next() != Some(device.name.as_str()));
        let parts = manifest::digests(text).into_iter();
        self.digests
            .extend(parts.map(|(part, digest)| (format!("{}.{part}", device.name), digest)));
        self.devices.retain(|known| known.name != device.name);
        self.devices.push(device);
        self.devices.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    fn learn_names(&mut self, device: &Device) -> Result<(), String> {
        for name in [&device.name, WAIT, "for"] {
            self.names.add(name)?;
        }
        for (field, _) in device.reports.iter().chain(&device.entity_reports) {
            self.names.add(field)?;
        }
        for (name, _) in &device.places {
            self.names.add(name)?;
        }
        for tool in &device.tools {
            self.names.add(&tool.name)?;
            for parameter in &tool.parameters {
                self.names.add(&parameter.name)?;
                if let crate::tool::Type::Enumeration(options) = &parameter.kind {
                    for option in options {
                        self.names.add(option)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn trace(&mut self, text: &str) -> Vec<Diagnostic> {
        let (trace, found) = trace::read(text);
        if let Some(trace) = trace {
            self.traces.insert(trace);
        }
        found
    }

    fn ledger(&mut self, text: &str) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        self.uses.clear();
        for (line, entry) in (1_u32..).zip(text.lines()) {
            match serde_json::from_str(entry) {
                Ok(entry) => self.uses.push(entry),
                // The last line of a crash may be torn; what was acknowledged ends with a newline.
                Err(error) => found.push(Diagnostic::warning(
                    Place { line, column: 1 },
                    format!("this line is no ledger entry: {error}"),
                )),
            }
        }
        found
    }

    /// Takes in news of a device; `Err` holds what in its report made no sense.
    ///
    /// # Errors
    /// What made no sense.
    pub fn news(&mut self, now: Millis, device: &str, news: &News) -> Result<(), String> {
        let view = self.views.entry(device.to_owned()).or_default();
        match news {
            News::Taken => view.taken = true,
            News::Online | News::Leased { .. } | News::Offline { .. } | News::Lost { .. } | News::Restarted => {
                view.taken = false;
            }
            _ => {}
        }
        match news {
            News::Online => {
                view.online = true;
                view.why = None;
            }
            News::Leased { boot, seq } => {
                view.online = true;
                view.why = None;
                view.mark = Some(intent::Mark { boot: *boot, seq: *seq });
                // It may have been moved while nobody listened, and what it reported before may have been old.
                view.watch.forget_position();
                // What it reported before may speak of a command that was still under way.
                view.state.account = None;
            }
            News::Offline { why } | News::Lost { why } => {
                view.online = false;
                view.why = Some(why.clone());
            }
            News::Restarted => {
                view.online = false;
                view.why = Some("it restarted".to_owned());
            }
            News::Taken => {
                view.online = false;
                view.why = Some("it serves another program".to_owned());
            }
            News::State(state) => {
                view.state = state.clone();
                view.at = Some(now);
                let reported = self.report(device, state);
                self.note_position(now, device);
                return reported;
            }
            News::Acknowledged { .. }
            | News::Rejected { .. }
            | News::Failed { .. }
            | News::Nonsense { .. }
            | News::Ran(_) => {}
        }
        Ok(())
    }

    fn report(&mut self, device: &str, state: &State) -> Result<(), String> {
        let symbol = self.names.add(device)?;
        let mut readings: Vec<Reading> = Vec::new();
        for named in &state.readings {
            readings.push(self.names.reading(symbol, named)?);
        }
        self.readings.replace(symbol, readings).map_err(|_| {
            format!(
                "{device} reports more than {} values; report fewer entities or fields",
                llmos_follower::state::READINGS_MAX
            )
        })
    }

    /// What of the manifests a plan relies on, with its digest: the limits, places and directions of its devices, and the tools it calls.
    #[must_use]
    pub fn relied_on(&self, plan: &Plan) -> Vec<(String, String)> {
        let mut parts: Vec<String> = Vec::new();
        for call in plan.acts() {
            parts.extend(["limits", "places", "directions"].map(|part| format!("{}.{part}", call.device)));
            parts.push(format!("{}.{}", call.device, call.tool));
            let tool = self.device(&call.device).and_then(|device| device.tool(&call.tool));
            if let Some(Body::Macro(steps)) = tool.map(|tool| &tool.body) {
                parts.extend(steps.iter().map(|step| format!("{}.{}", call.device, step.tool)));
            }
        }
        parts.sort_unstable();
        parts.dedup();
        let digest = |part: String| Some((part.clone(), self.digests.get(&part)?.clone()));
        parts.into_iter().filter_map(digest).collect()
    }

    /// A device by name.
    #[must_use]
    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.name == name)
    }

    /// A device by symbol.
    #[must_use]
    pub fn device_of(&self, symbol: Symbol) -> Option<&Device> {
        self.devices.iter().find(|device| Symbol::of(&device.name) == symbol)
    }

    /// Whether every device has said something, or is known not to be there.
    #[must_use]
    pub fn all_have_spoken(&self) -> bool {
        self.devices.iter().all(|device| {
            self.views
                .get(&device.name)
                .is_some_and(|view| (view.online && view.at.is_some()) || view.why.is_some())
        })
    }

    /// Compares the reported position with the one before it.
    fn note_position(&mut self, now: Millis, name: &str) {
        let Some(at) = self.readings.position(Symbol::of(name)) else {
            return;
        };
        let envelope = self.devices.iter().find(|device| device.name == name);
        if let (Some(device), Some(view)) = (envelope, self.views.get_mut(name)) {
            view.watch.note_position(now, at, &device.envelope);
        }
    }

    /// Whether a device has just reported a position where it can't be.
    #[must_use]
    pub fn has_jumped(&self, device: &str) -> bool {
        self.views.get(device).is_some_and(|view| view.watch.has_jumped())
    }

    /// Takes note of a command that is sent.
    pub fn note_command(&mut self, now: Millis, device: &str) {
        if let Some(view) = self.views.get_mut(device) {
            view.watch.note_command(now);
        }
    }

    /// What is known of a device when a command is judged.
    #[must_use]
    pub fn known(&self, now: Millis, device: &str) -> Known<'_> {
        Known {
            at: self.readings.position(Symbol::of(device)),
            age_ms: self.age_ms(now, device),
            watch: self.views.get(device).map(|view| &view.watch),
            now,
        }
    }

    /// The way around what bars the motion that a command begins, where its device may take one.
    #[must_use]
    pub fn detour(&self, offer: &Offer) -> Option<Route> {
        let envelope = &self.device_of(offer.device)?.envelope;
        envelope.detour(self.readings.position(offer.device)?, offer.end?)
    }

    /// The age of a device's last report, in milliseconds.
    #[must_use]
    pub fn age_ms(&self, now: Millis, device: &str) -> u32 {
        let at = self.views.get(device).and_then(|view| view.at);
        at.map_or(u32::MAX, |at| u32::try_from(now.saturating_sub(at)).unwrap_or(u32::MAX))
    }

    /// Everything that a goal can name now.
    #[must_use]
    pub fn lexicon(&self) -> Lexicon {
        let mut names: Vec<Name> = Vec::new();
        let mut add = |name: &str, kind| {
            if !names.iter().any(|known| known.name == name) {
                names.push(Name {
                    name: name.to_owned(),
                    also: Vec::new(),
                    kind,
                });
            }
        };
        for device in &self.devices {
            let Some(view) = self.views.get(&device.name) else {
                continue;
            };
            for reading in view.state.readings.iter().filter(|reading| !reading.owner.is_empty()) {
                let is_place = view.state.readings.iter().any(|other| {
                    other.owner == reading.owner
                        && other.field == "kind"
                        && other.value == Fact::Text("place".to_owned())
                });
                add(
                    &reading.owner,
                    if is_place { NameKind::Place } else { NameKind::Entity },
                );
            }
        }
        for (name, _) in self.devices.iter().flat_map(|device| &device.places) {
            add(name, NameKind::Place);
        }
        Lexicon::new(names)
    }
}

fn is_markdown(file: &str) -> bool {
    file.strip_suffix(".md")
        .is_some_and(|stem| !stem.is_empty() && stem != "README")
}
