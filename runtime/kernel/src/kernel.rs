//! The state machine itself: what each input means. What a goal leads to is in `decide`, how a program is followed in `follow`; this file
//! holds the state that both share and the way from input to output. It must not know a clock: `now` comes with every input.

use crate::aboard::{Alone, Handing, Told};
use crate::goal::Goal;
use crate::library::Library;
use crate::message::{Answer, Event, Input, News, Output, Report, Request, Status, StepReport, Tokens, Verdict};
use crate::mode::Mode;
use crate::onward::HandedOff;
use crate::plan::Plan;
use crate::policy::{Consent, Policy};
use crate::resume::Resume;
use crate::review::Failed;
use crate::text::Diagnostic;
use crate::text::trace::Trace;
use crate::tool::Device;
use crate::world::World;
use llmos_follower::{Follower, Millis, Offer, Program, Readings};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What may differ between installations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// How long devices have to report before a goal is looked at, in milliseconds.
    pub discovery_ms: Millis,
    /// Whether hooks want to know what became of every call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reviewed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            discovery_ms: 5_000,
            reviewed: false,
        }
    }
}

/// How often the kernel wants to be called while something is under way, in milliseconds.
pub(crate) const WAKE_MS: Millis = 100;

/// The kernel.
#[derive(Debug, Default)]
pub struct Kernel {
    pub(crate) settings: Settings,
    pub(crate) world: World,
    pub(crate) run: Option<Run>,
    pub(crate) outputs: VecDeque<Output>,
    /// A person wants the next goal begun as if nothing had been tried.
    anew: bool,
    next: u64,
    /// Devices whose last report was not believed.
    doubted: BTreeSet<String>,
    /// Reports of devices that are being written down.
    pub(crate) handing: Vec<Handing>,
}

/// One goal under way.
#[derive(Debug)]
pub(crate) struct Run {
    pub request: Request,
    pub since: Millis,
    pub phase: Phase,
    pub goal: Option<Goal>,
    pub mode: Option<Mode>,
    pub reason: String,
    pub plan: Plan,
    /// The tools that the model was offered: device and tool.
    pub offered: Vec<(String, String)>,
    /// Tools that came with the request, in the order of their definition.
    pub toolset: Option<crate::toolset::Toolset>,
    pub program: Box<Program>,
    pub follower: Option<Box<Follower>>,
    pub start: Readings,
    pub steps: Vec<StepReport>,
    pub begun: Option<usize>,
    pub tokens: Tokens,
    pub model_calls: u32,
    pub confirmed: bool,
    /// What is being agreed to, and who has agreed by name.
    pub consent: Consenting,
    /// Policy and devices as they were when a document changed during the run: what is looser since holds from the next run.
    pub pinned: Option<Box<Pinned>>,
    pub command: Option<(u64, Millis)>,
    pub refusal: Option<String>,
    /// Devices for which an intent was written down.
    pub intended: Vec<String>,
    /// The trace that is being stored, and its id.
    pub storing: Option<(u64, String)>,
    /// The trace that gets one more pattern, as it was before.
    pub amending: Option<(u64, Box<Trace>)>,
    /// The record that this run has ended.
    pub closing: Option<u64>,
    /// The trace that is followed.
    pub followed: Option<String>,
    /// How often the run went on in another way than it began.
    pub ways: u8,
    /// The call at which another ending is looked for.
    pub handed_off: Option<HandedOff>,
    /// Where the follower begins, if not at the first step.
    pub resume: Option<Resume>,
    /// The run's name in its intents: when it began, or when the one began that it takes up.
    pub name: String,
    /// Whether its plan, as it is now, is written down.
    pub recorded: bool,
    /// The device of the intent from which the run goes on.
    pub takes_up: Option<String>,
    /// The device about whose earlier command the person was asked last.
    pub asked_about: Option<String>,
    /// How often a device was awaited that had gone away.
    pub returns: u8,
    /// What came of it before, and now.
    pub tries: Tries,
    /// Whether the model planned the ending.
    pub replanned: bool,
    /// What its device has told of it, where that did it alone.
    pub told: Option<Told>,
    pub report: Option<Box<Report>>,
}

/// What came of the same plan before, and of this run.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    /// Whether the person wants it done whatever came of it before.
    pub anew: bool,
    /// What the last run of the same plan came to, where a person has to agree for that.
    pub lesson: Option<String>,
    /// Whether this run failed because the devices' state spoke against it.
    pub contradicted: bool,
}

/// An agreement that is being asked for.
#[derive(Debug, Default)]
pub(crate) struct Consenting {
    pub wanted: Consent,
    pub question: String,
    pub people: Vec<String>,
}

/// Documents as a run began with them.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub policy: Policy,
    pub devices: Vec<Device>,
}

/// What a run waits for.
#[derive(Debug)]
pub(crate) enum Phase {
    Gathering {
        until: Millis,
    },
    Generating {
        request: u64,
    },
    Confirming {
        request: u64,
    },
    /// The person is asked what became of an earlier command on this device.
    Settling {
        request: u64,
        device: String,
    },
    /// The next command is within the device's rate only then.
    Pacing {
        until: Millis,
        offer: Box<Offer>,
    },
    Hooking {
        request: u64,
        offer: Box<Offer>,
    },
    /// The command is written down before it leaves.
    Intending {
        request: u64,
        offer: Box<Offer>,
    },
    Following,
    /// The hooks are asked about what a device would send itself; the rest of it waits.
    Vetting {
        request: u64,
        call: usize,
        left: Vec<Offer>,
    },
    /// A device runs its program alone.
    Aboard(Box<Alone>),
    /// The device has gone away in the middle of a step and may come back; `leased` once it has granted its lease anew.
    Returning {
        device: String,
        until: Millis,
        leased: bool,
    },
    /// The hooks look at what became of a call.
    Reviewing {
        request: u64,
        failed: Option<Box<Failed>>,
    },
    Storing {
        left: Vec<u64>,
    },
}

impl Kernel {
    /// A kernel that knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Kernel {
        Kernel {
            settings,
            ..Kernel::default()
        }
    }

    /// Takes one input; outputs are drained with [`Kernel::poll`].
    pub fn handle(&mut self, now: Millis, input: Input) {
        match input {
            Input::Document { path, text } => {
                self.pin();
                self.world.document(&path, &text);
            }
            Input::Ready => {}
            Input::Goal(request) => self.handle_goal(now, request),
            Input::Device { device, news } => self.handle_news(now, &device, &news),
            Input::Generated { request, answer } => self.handle_answer(now, request, answer),
            Input::Verdict { request, verdict } => self.handle_verdict(now, request, verdict),
            Input::Answered { request, yes } => self.handle_word(now, request, Some(yes)),
            Input::Agreed { request, name } => self.handle_name(now, request, &name),
            Input::Unanswered { request } => self.handle_word(now, request, None),
            Input::Settled { device, yes } => self.answer(&device, yes),
            Input::Anew => {
                self.anew = true;
                self.world.intents.forget_runs();
            }
            Input::Stored { request, error } => self.handle_stored(now, request, error),
            Input::Stop { device } => self.handle_stop(now, device),
            Input::Reset { device } => self.outputs.push_back(Output::ResetDevice { device }),
            Input::Tick => self.handle_tick(now),
        }
        if let Some(run) = &self.run {
            let at = match run.phase {
                Phase::Pacing { until, .. } => until.clamp(now, now + WAKE_MS),
                _ => now + WAKE_MS,
            };
            self.outputs.push_back(Output::Wake { at });
        }
    }

    /// The next output, or `None` until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The devices whose manifests have no error.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.world.devices
    }

    /// What was found in each document, by path.
    #[must_use]
    pub fn findings(&self) -> &BTreeMap<String, Vec<Diagnostic>> {
        &self.world.findings
    }

    /// The traces without an error.
    #[must_use]
    pub fn traces(&self) -> &Library {
        &self.world.traces
    }

    /// What is known of the world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Tell(event));
    }

    /// A run judges by what it began with and by what is there now: tighter limits hold at once, looser ones from the next run.
    fn pin(&mut self) {
        let Some(run) = self.run.as_mut() else { return };
        let (policy, devices) = (&self.world.policy, &self.world.devices);
        run.pinned.get_or_insert_with(|| {
            Box::new(Pinned {
                policy: policy.clone(),
                devices: devices.clone(),
            })
        });
    }

    fn handle_goal(&mut self, now: Millis, request: Request) {
        let busy = self.run.is_some();
        let until = now + self.settings.discovery_ms;
        let run = Run::new(now, request, Phase::Gathering { until });
        if busy {
            let report = run.report(
                now,
                Status::Refused,
                "another goal is under way; wait for it, or stop it",
            );
            self.outputs.push_back(Output::Done(Box::new(report)));
            return;
        }
        let anew = std::mem::take(&mut self.anew);
        let tries = Tries { anew, ..run.tries };
        self.run = Some(Run { tries, ..run });
        self.gather(now);
    }

    fn handle_news(&mut self, now: Millis, device: &str, news: &News) {
        match (self.world.news(now, device, news), news) {
            // Once, until it reports what can be believed.
            (Err(what), _) if self.doubted.insert(device.to_owned()) => {
                let text = format!("{device}: {what}");
                self.tell(Event::Warning { text });
            }
            (Ok(()), News::State(_)) => {
                self.doubted.remove(device);
            }
            _ => {}
        }
        if let News::Ran(ran) = news {
            return self.handle_ran(now, device, ran);
        }
        if let News::Nonsense { what } = news {
            self.tell(Event::Warning {
                text: format!("{device} sent something that makes no sense, and it was ignored: {what}"),
            });
        }
        match self.run.as_ref().map(|run| &run.phase) {
            Some(Phase::Gathering { .. }) => self.gather(now),
            Some(
                Phase::Following
                | Phase::Pacing { .. }
                | Phase::Hooking { .. }
                | Phase::Intending { .. }
                | Phase::Reviewing { .. },
            ) => {
                self.follow_news(now, device, news);
            }
            Some(Phase::Returning { .. }) => self.return_news(now, device, news),
            Some(Phase::Aboard(_)) => self.aboard_news(now, device, news),
            _ => {}
        }
    }

    fn handle_answer(&mut self, now: Millis, request: u64, answer: Answer) {
        if self
            .run
            .as_ref()
            .is_some_and(|run| matches!(run.phase, Phase::Generating { request: mine } if mine == request))
        {
            self.decide_on_answer(now, answer);
        }
    }

    fn handle_verdict(&mut self, now: Millis, request: u64, verdict: Verdict) {
        let Some(run) = self.run.as_mut() else { return };
        if let Phase::Reviewing { request: mine, failed } = &mut run.phase {
            let failed = failed.take_if(|_| *mine == request);
            return if *mine == request {
                self.after_review(now, failed, verdict);
            };
        }
        if let Phase::Vetting {
            request: mine,
            call,
            left,
        } = &mut run.phase
        {
            if *mine == request {
                let (call, left) = (*call, std::mem::take(left));
                self.vetted(now, call, left, verdict);
            }
            return;
        }
        let Phase::Hooking { request: mine, offer } = &run.phase else {
            return;
        };
        if *mine != request {
            return;
        }
        let offer = offer.clone();
        run.phase = Phase::Following;
        self.after_hooks(now, &offer, verdict);
    }

    /// The person's answer; `None` where nobody is there, or they do not know.
    fn handle_word(&mut self, now: Millis, request: u64, yes: Option<bool>) {
        let Some(run) = self.run.as_mut() else { return };
        match &run.phase {
            Phase::Confirming { request: mine } if *mine == request => match (yes, run.tries.lesson.take()) {
                (None, Some(lesson)) => {
                    let text = format!("{lesson}. Agree at a terminal, or say --anew to do it nevertheless");
                    self.finish_asking(now, &text);
                }
                (None, None) => self.handle_silence(now),
                (Some(yes), _) => self.handle_consent(now, yes),
            },
            Phase::Settling { request: mine, device } if *mine == request => {
                let device = device.clone();
                self.settled(now, &device, yes);
            }
            _ => {}
        }
    }

    fn handle_consent(&mut self, now: Millis, yes: bool) {
        let Some(run) = self.run.as_mut() else { return };
        // A yes without a name is none of several people's.
        if yes && !matches!(run.consent.wanted, Consent::People(_)) {
            run.confirmed = true;
            self.begin(now);
        } else {
            self.finish(now, Status::Refused, "nobody agreed, so nothing was done");
        }
    }

    fn handle_name(&mut self, now: Millis, request: u64, name: &str) {
        let listed = self.world.policy.people.iter().any(|known| known == name.trim());
        let Some(run) = self.run.as_mut() else { return };
        if !matches!(run.phase, Phase::Confirming { request: mine } if mine == request) {
            return;
        }
        let name = name.trim();
        if name.is_empty() {
            let who = if run.consent.people.is_empty() {
                "nobody"
            } else {
                "not everybody"
            };
            return self.finish(now, Status::Refused, &format!("{who} agreed, so nothing was done"));
        }
        let text = if !listed {
            Some(format!("\"{name}\" is not among the people of policy.toml"))
        } else if run.consent.people.iter().any(|known| known == name) {
            Some(format!("{name} has agreed already; somebody else must, too"))
        } else {
            run.consent.people.push(name.to_owned());
            None
        };
        if let Some(text) = text {
            self.tell(Event::Warning { text });
        }
        self.ask_or_begin(now);
    }

    fn handle_silence(&mut self, now: Millis) {
        let Some(run) = &self.run else { return };
        let question = run.consent.question.clone();
        self.finish_asking(
            now,
            &format!("{question} Nobody is at a terminal to agree, so nothing was done."),
        );
    }

    fn handle_stored(&mut self, now: Millis, request: u64, error: Option<String>) {
        if self.handed_over(request, error.as_deref()) {
            return;
        }
        match self.run.as_ref().map(|run| &run.phase) {
            Some(Phase::Intending { request: mine, offer }) if *mine == request => {
                let offer = offer.clone();
                self.after_intent(now, request, &offer, error);
            }
            Some(Phase::Storing { left }) if left.contains(&request) => self.kept(request, error),
            _ => {
                if let Some(error) = error {
                    self.tell(Event::Warning {
                        text: format!("that an earlier run was broken off will be told again, since its end could not be written: {error}"),
                    });
                }
            }
        }
    }

    fn kept(&mut self, request: u64, error: Option<String>) {
        let Some(run) = self.run.as_mut() else { return };
        let Phase::Storing { left } = &mut run.phase else {
            return;
        };
        left.retain(|waiting| *waiting != request);
        let done = left.is_empty();
        if let Some(error) = error {
            self.not_kept(request, &error);
        }
        if done {
            self.close();
        }
    }

    /// Something of the run is not on disk, so nobody is told that it is.
    fn not_kept(&mut self, request: u64, error: &str) {
        let Some(run) = self.run.as_mut() else { return };
        let text = if let Some((_, before)) = run.amending.take_if(|(amending, _)| *amending == request) {
            self.world.traces.insert(*before);
            format!("its words could not be kept with the trace: {error}")
        } else if run.closing == Some(request) {
            format!("the next run will say that this one was broken off, since its end could not be written: {error}")
        } else {
            run.told = None;
            if let Some(report) = run.report.as_mut() {
                report.trace = None;
            }
            format!("the run could not be kept: {error}")
        };
        if let Some((_, id)) = run.storing.take_if(|(storing, _)| *storing == request) {
            self.world.traces.remove(&id);
        }
        self.tell(Event::Warning { text });
    }

    /// Everything is stored: now the run may be reported.
    pub(crate) fn close(&mut self) {
        let Some(run) = self.run.take() else { return };
        if let Some(Told { device, run, .. }) = run.told {
            self.outputs.push_back(Output::Forget { device, run });
        }
        if let Some(report) = run.report {
            self.outputs.push_back(Output::Done(report));
        }
    }

    fn handle_stop(&mut self, now: Millis, device: Option<String>) {
        let devices: Vec<String> = match device {
            Some(device) => vec![device],
            None => self.world.devices.iter().map(|device| device.name.clone()).collect(),
        };
        for device in devices {
            self.outputs.push_back(Output::StopDevice {
                device,
                why: "a person stopped it".to_owned(),
            });
        }
        match self.run.as_ref().map(|run| &run.phase) {
            Some(
                Phase::Following
                | Phase::Pacing { .. }
                | Phase::Hooking { .. }
                | Phase::Intending { .. }
                | Phase::Returning { .. }
                | Phase::Reviewing { .. },
            ) => {
                self.follow_stop(now);
            }
            Some(Phase::Aboard(_)) => self.stop_aboard(now),
            Some(Phase::Storing { .. }) | None => {}
            Some(_) => self.finish(now, Status::Stopped, "stopped before the first command"),
        }
    }

    fn handle_tick(&mut self, now: Millis) {
        match self.run.as_ref().map(|run| &run.phase) {
            Some(Phase::Gathering { .. }) => self.gather(now),
            Some(Phase::Following) => self.follow_tick(now),
            Some(Phase::Pacing { .. }) => self.pace(now),
            Some(Phase::Returning { .. }) => self.check_return(now),
            Some(Phase::Aboard(_)) => self.aboard_tick(now),
            _ => {}
        }
    }
}

impl Run {
    fn new(now: Millis, request: Request, phase: Phase) -> Run {
        Run {
            name: request.date.clone(),
            request,
            since: now,
            phase,
            goal: None,
            mode: None,
            reason: String::new(),
            plan: Plan::default(),
            offered: Vec::new(),
            toolset: None,
            program: Box::default(),
            follower: None,
            start: Readings::default(),
            steps: Vec::new(),
            begun: None,
            tokens: Tokens::default(),
            model_calls: 0,
            confirmed: false,
            consent: Consenting::default(),
            pinned: None,
            command: None,
            refusal: None,
            intended: Vec::new(),
            storing: None,
            amending: None,
            closing: None,
            followed: None,
            ways: 0,
            handed_off: None,
            resume: None,
            recorded: false,
            takes_up: None,
            asked_about: None,
            returns: 0,
            tries: Tries::default(),
            replanned: false,
            told: None,
            report: None,
        }
    }

    /// What there is to tell at the end; question, trace and digest are added by the caller.
    pub(crate) fn report(&self, now: Millis, status: Status, reason: &str) -> Report {
        Report {
            goal: self.request.goal.clone(),
            mode: self.mode,
            reason: reason.to_owned(),
            status,
            plan: self.plan.clone(),
            calls: None,
            steps: self.steps.clone(),
            question: None,
            tokens: self.tokens,
            model_calls: self.model_calls,
            ms: now.saturating_sub(self.since),
            trace: None,
            digest: None,
        }
    }
}
