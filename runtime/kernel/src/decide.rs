//! From a goal to a program that may begin: wait for the devices, read the words, match traces, ask the model, ground its answer, look
//! the program through, ask the person. Every way out that is not a program ends the run with a status and a reason.

use crate::compile::compile;
use crate::elsewhere;
use crate::example;
use crate::foresee;
use crate::goal::{self, Language, Negation};
use crate::ground::{self, Offered};
use crate::kernel::{Consenting, Kernel, Phase};
use crate::matching::{self, Found};
use crate::message::{Answer, Event, Output, Query, QueryExample, QueryTool, Status, Tokens};
use crate::mode::{FOLLOW_MIN, MIXED_MIN, Mode};
use crate::plan::{Given, Plan};
use crate::policy::{Asking, Consent, Policy};
use crate::prepare;
use crate::resume::Resume;
use crate::search::{self, Candidate};
use crate::text::trace::Trace;
use crate::tool::{Connect, Device, Tool, Type};
use crate::toolset::Toolset;
use llmos_follower::{Follower, Input, Millis, Program, Progress, Reject, Symbol};

/// Bytes that a goal may have.
pub const GOAL_BYTES_MAX: usize = 4_096;

impl Kernel {
    /// Goes on once every device has said something, or the time for it is over.
    pub(crate) fn gather(&mut self, now: Millis) {
        let Some(run) = &self.run else { return };
        let Phase::Gathering { until } = run.phase else { return };
        let all = self.world.all_have_spoken() && self.all_have_accounted();
        if run.request.tools.is_some() || all || now >= until {
            self.settle();
            self.decide(now);
        }
    }

    fn decide(&mut self, now: Millis) {
        let Some(run) = self.run.as_mut() else { return };
        run.start = self.world.readings.clone();
        if let Some(id) = run.request.trace.clone() {
            return self.decide_on_replay(now, &id);
        }
        let text = run.request.goal.trim().to_owned();
        if text.is_empty() || text.len() > GOAL_BYTES_MAX {
            return self.finish_asking(
                now,
                &format!(
                    "a goal has 1 to {GOAL_BYTES_MAX} bytes, this one has {}; please say it shorter",
                    text.len()
                ),
            );
        }
        let tools = run.request.tools.clone();
        let lexicon = self.world.lexicon();
        let words = goal::read(&text, &lexicon);
        let (language, negation) = (words.language, words.negation);
        if let Some(run) = self.run.as_mut() {
            run.goal = Some(words.clone());
        }
        if language == Language::Other {
            return self.finish_asking(
                now,
                "this does not read as English, and only English is understood here; please say it in English",
            );
        }
        // A bound is something to do only for a tool that sets one, and of what tools do only those of other programs tell in words.
        let bounds = tools.is_some() && words.denials.iter().all(|denial| words.is_limit(denial));
        if negation == Negation::Whole && !bounds {
            return self.finish(
                now,
                Status::NoTool,
                "the goal says what not to do, so there is nothing to do",
            );
        }
        if let Some(tools) = tools {
            return self.decide_on_toolset(now, &tools);
        }
        if let Some((intent, record)) = self.asked_again() {
            return self.take_up(now, &intent, &record);
        }
        let forced = self.run.as_ref().and_then(|run| run.request.mode);
        if forced == Some(Mode::Learner) {
            return self.learn(now, "LEARNER was asked for");
        }
        match self.world.traces.find(&words, &lexicon, &self.world.devices) {
            Found::Trace {
                id,
                plan,
                score,
                synonyms,
            } => {
                let learned: Vec<String> = synonyms
                    .iter()
                    .map(|(one, other)| format!("\"{one}\" as \"{other}\""))
                    .collect();
                let learned = if learned.is_empty() {
                    String::new()
                } else {
                    format!(", with {}, as learned", learned.join(" and "))
                };
                let reason = format!(
                    "the trace {id} accounts for every word{learned} (score {})",
                    share(score)
                );
                self.follow_trace(now, &id, plan, &reason);
            }
            Found::Ambiguous { question } => self.finish_asking(now, &question),
            Found::Nothing { .. } if forced == Some(Mode::Follower) => {
                self.finish(
                    now,
                    Status::NoTool,
                    "FOLLOWER was asked for, and no trace accounts for every word of the goal",
                );
            }
            Found::Nothing { best, id } => {
                let near = id.as_ref().map_or_else(
                    || "no trace yet".to_owned(),
                    |id| format!("nearest trace {id} at {}", share(best)),
                );
                let helps = best >= MIXED_MIN || forced == Some(Mode::Mixed);
                let reason = format!("no trace reaches {} ({near})", share(FOLLOW_MIN));
                self.learn_from(now, &reason, id.filter(|_| helps).as_deref());
            }
        }
    }

    fn decide_on_replay(&mut self, now: Millis, id: &str) {
        let Some(trace) = self.world.traces.get(id).cloned() else {
            return self.finish(
                now,
                Status::Environment,
                &format!("there is no trace \"{id}\"; see llmos trace ls"),
            );
        };
        if trace.status != Status::Done {
            return self.finish(
                now,
                Status::Refused,
                &format!("the run of {id} was not observed to succeed, so it is never replayed"),
            );
        }
        if let Some(aboard) = self.run.as_ref().and_then(|run| run.request.aboard.clone()) {
            return self.decide_aboard(now, &trace, &aboard);
        }
        let lexicon = self.world.lexicon();
        if let Some(run) = self.run.as_mut() {
            run.request.goal.clone_from(&trace.goal);
            run.goal = Some(goal::read(&trace.goal, &lexicon));
        }
        if let Some((intent, record)) = self.asked_again() {
            return self.take_up(now, &intent, &record);
        }
        match matching::rebind(&trace, &lexicon, &self.world.devices) {
            Ok(plan) => self.follow_trace(now, id, plan, &format!("replay of {id}")),
            Err(question) => self.finish_asking(now, &question),
        }
    }

    pub(crate) fn follow_trace(&mut self, now: Millis, id: &str, plan: Plan, reason: &str) {
        let changed = self.changed_manifests(id);
        if !changed.is_empty() {
            let text = format!(
                "{} changed in the manifest since {id} was made; every step is compiled and checked anew",
                changed.join(", ")
            );
            self.tell(Event::Warning { text });
        }
        self.choose(Mode::Follower, reason);
        if let Some(run) = self.run.as_mut() {
            run.plan = plan;
            run.followed = Some(id.to_owned());
        }
        self.check_plan(now);
    }

    fn changed_manifests(&self, id: &str) -> Vec<String> {
        let trace = self.world.traces.get(id);
        let manifests: &[(String, String)] = trace.map_or(&[], |trace: &Trace| &trace.manifests);
        let changed = manifests
            .iter()
            .filter(|(part, digest)| part.contains('.') && self.world.digests.get(part) != Some(digest));
        changed.map(|(part, _)| part.clone()).collect()
    }

    pub(crate) fn choose(&mut self, mode: Mode, reason: &str) {
        if let Some(run) = self.run.as_mut() {
            run.mode = Some(mode);
            reason.clone_into(&mut run.reason);
        }
        self.tell(Event::Mode {
            mode,
            reason: reason.to_owned(),
        });
    }

    /// Asks the model to plan with the tools that are nearest to the goal.
    pub(crate) fn learn(&mut self, now: Millis, reason: &str) {
        self.learn_from(now, reason, None);
    }

    /// The same with a near trace as the worked example, where it fits what is there now.
    fn learn_from(&mut self, now: Millis, reason: &str, near: Option<&str>) {
        let all: Vec<(&str, &Tool)> = self
            .world
            .devices
            .iter()
            .flat_map(|device| {
                let offered = device.tools.iter().filter(|tool| tool.offered);
                offered.map(|tool| (device.name.as_str(), tool))
            })
            .collect();
        if all.is_empty() {
            return self.finish(
                now,
                Status::Environment,
                "no device offers a tool; add one under devices/ (see llmos device check)",
            );
        }
        let Some(goal) = self.run.as_ref().and_then(|run| run.goal.as_ref()) else {
            return;
        };
        let candidates: Vec<Candidate<'_>> = all
            .iter()
            .map(|(device, tool)| Candidate {
                device,
                name: &tool.name,
                does: &tool.does,
                parameters: &tool.parameters,
            })
            .collect();
        let trace = near.and_then(|id| self.world.traces.get(id));
        let of_trace = |(device, tool): &(&str, &Tool)| {
            let steps = trace.iter().flat_map(|trace| &trace.steps);
            steps
                .clone()
                .any(|step| step.device == *device && step.tool == tool.name)
        };
        let sure: Vec<usize> = (0..all.len()).filter(|index| of_trace(&all[*index])).collect();
        let chosen = search::nearest(goal, &candidates, &sure, search::TOOLS_MAX);
        let shared = |name: &str| chosen.iter().filter(|index| all[**index].1.name == name).count() > 1;
        let (mut tools, mut offered) = (Vec::new(), Vec::new());
        for (device, tool) in chosen.iter().map(|index| all[*index]) {
            let name = if shared(&tool.name) {
                format!("{device} {}", tool.name)
            } else {
                tool.name.clone()
            };
            tools.push(QueryTool::new(name, &tool.does, &tool.parameters));
            offered.push((device.to_owned(), tool.name.clone()));
        }
        let lexicon = self.world.lexicon();
        let example = trace.and_then(|trace| example::of(trace, &lexicon, &self.world.devices, &offered));
        let mode = if example.is_some() { Mode::Mixed } else { Mode::Learner };
        self.choose(mode, reason);
        self.generate(tools, offered, example);
    }

    fn generate(&mut self, tools: Vec<QueryTool>, offered: Vec<(String, String)>, example: Option<QueryExample>) {
        let request = self.next();
        let lexicon = self.world.lexicon();
        let Some(run) = self.run.as_mut() else { return };
        let Some(goal) = &run.goal else { return };
        let mut bare = Vec::new();
        for parameter in run.toolset.iter().flat_map(Toolset::parameters) {
            if let (Type::Quantity(dimension), true) = (&parameter.kind, parameter.bare)
                && !bare.contains(dimension)
            {
                bare.push(*dimension);
            }
        }
        let query = Query {
            tools,
            goal: goal.text.clone(),
            spans: ground::spans(goal, &lexicon, &bare),
            calls_max: ground::CALLS_MAX,
            example,
        };
        run.offered = offered;
        run.model_calls += 1;
        run.phase = Phase::Generating { request };
        self.outputs.push_back(Output::Generate { request, query });
    }

    fn decide_on_toolset(&mut self, now: Millis, text: &str) {
        match Toolset::read(text) {
            Err(message) => self.finish(now, Status::Environment, &format!("the tools can't be read: {message}")),
            Ok(toolset) => {
                self.choose(Mode::Learner, "tools were given, so the model plans from them alone");
                let Some(run) = self.run.as_mut() else { return };
                let Some(goal) = &run.goal else { return };
                let known = &toolset.tools;
                let candidates: Vec<Candidate<'_>> = known
                    .iter()
                    .map(|tool| Candidate {
                        device: "",
                        name: &tool.name,
                        does: &tool.does,
                        parameters: &tool.parameters,
                    })
                    .collect();
                let chosen = search::nearest(goal, &candidates, &[], search::TOOLS_MAX);
                let tools = chosen.iter().map(|index| &known[*index]);
                let tools = tools.map(|tool| QueryTool::new(tool.name.clone(), &tool.does, &tool.parameters));
                let tools = tools.collect();
                let offered = chosen.iter().map(|index| (String::new(), known[*index].name.clone()));
                let offered = offered.collect();
                run.toolset = Some(toolset);
                self.generate(tools, offered, None);
            }
        }
    }

    pub(crate) fn decide_on_answer(&mut self, now: Millis, answer: Answer) {
        let handed_off = self.run.as_ref().is_some_and(|run| run.handed_off.is_some());
        if handed_off && !matches!(answer, Answer::Calls { .. }) {
            return self.give_up(now, "the model knows no other way");
        }
        let (calls, missing) = match answer {
            Answer::Unavailable { why } => {
                return self.finish(now, Status::Environment, &format!("the model could not plan: {why}"));
            }
            Answer::NoTool { tokens } => {
                self.spend(tokens);
                return self.finish(now, Status::NoTool, "the model finds no tool here that does this");
            }
            Answer::Calls { calls, tokens } => {
                self.spend(tokens);
                (calls, None)
            }
            Answer::Missing {
                calls,
                tool,
                parameter,
                tokens,
            } => {
                self.spend(tokens);
                (calls, Some((tool, parameter)))
            }
        };
        let Some(run) = &self.run else { return };
        let offered = self.offered_tools();
        if let Some((tool, parameter)) = missing {
            let question = offered
                .get(tool)
                .and_then(|tool| Some(ground::missing(tool.tool, tool.parameters.get(parameter)?)));
            let question = question.unwrap_or_else(|| "something is missing in the goal".to_owned());
            let known = self.known_names();
            return self.finish_asking(now, &format!("{question}{known}"));
        }
        let Some(goal) = &run.goal else { return };
        match ground::ground(goal, &offered, &calls) {
            Err(_) if handed_off => self.give_up(now, "the model knows no other way"),
            Err(question) => self.finish_asking(now, &question),
            Ok(plan) if plan.calls.is_empty() => {
                self.finish(now, Status::NoTool, "the model finds no tool here that does this");
            }
            Ok(plan) => {
                let plan = elsewhere::placed(plan, goal, &self.world.devices, &self.world.readings);
                if handed_off {
                    return self.take_ending(now, &plan);
                }
                let plan = self.prepared(plan);
                let Some(run) = &self.run else { return };
                let json = run.toolset.as_ref().map(|toolset| toolset.json(&plan));
                let Some(run) = self.run.as_mut() else { return };
                run.plan = plan;
                match json {
                    Some(Ok(json)) => self.finish_with_calls(now, &json),
                    Some(Err(question)) => self.finish_asking(now, &question),
                    None => self.check_plan(now),
                }
            }
        }
    }

    /// Puts in front what calls need first, unless that holds already.
    pub(crate) fn prepared(&self, plan: Plan) -> Plan {
        prepare::prepared(plan, &self.world.devices, |call| {
            let alone = Plan::of(vec![call.clone()]);
            let program = compile(&alone, &self.world.devices, &self.world.readings);
            program.is_ok_and(|program| foresee::may_begin(&program, &self.world.readings))
        })
    }

    fn offered_tools(&self) -> Vec<Offered<'_>> {
        let Some(run) = &self.run else { return Vec::new() };
        let find = |device: &str, tool: &str| match &run.toolset {
            Some(toolset) => toolset
                .tools
                .iter()
                .find(|known| known.name == tool)
                .map(|known| (known.does.as_str(), known.parameters.as_slice())),
            None => self
                .world
                .device(device)
                .and_then(|known| known.tool(tool))
                .map(|known| ("", known.parameters.as_slice())),
        };
        run.offered
            .iter()
            .filter_map(|(device, tool)| {
                let (does, parameters) = find(device, tool)?;
                Some(Offered {
                    device,
                    tool,
                    does,
                    parameters,
                })
            })
            .collect()
    }

    /// The names that a goal can use now, for a question.
    fn known_names(&self) -> String {
        let lexicon = self.world.lexicon();
        let names: Vec<&str> = lexicon.names().iter().map(|name| name.name.as_str()).take(16).collect();
        if names.is_empty() {
            String::new()
        } else {
            format!(" (known now: {})", names.join(", "))
        }
    }

    fn spend(&mut self, tokens: Tokens) {
        if let Some(run) = self.run.as_mut() {
            run.tokens.prompt += tokens.prompt;
            run.tokens.cached += tokens.cached;
            run.tokens.generated += tokens.generated;
            run.tokens.forced += tokens.forced;
            run.tokens.drafted += tokens.drafted;
        }
    }

    /// Compiles the plan, looks it through and decides whether it may begin.
    fn check_plan(&mut self, now: Millis) {
        let Some(run) = &self.run else { return };
        let plan = run.plan.clone();
        self.tell(Event::Planned { plan: plan.clone() });
        let program = match compile(&plan, &self.world.devices, &self.world.readings) {
            Ok(program) => program,
            Err(message) => return self.finish_asking(now, &format!("the plan does not fit the devices: {message}")),
        };
        if let Err(why) = foresee::forbidden(&program, &self.world.devices, &self.world.readings) {
            return self.finish(now, Status::Refused, &format!("the gate refuses the plan: {why}"));
        }
        let denied = self.denied(now, &plan);
        if let Some(why) = denied.or_else(|| self.ends_out_of_rules(now, &plan, &program)) {
            return self.finish(now, Status::Refused, &why);
        }
        // What is to be put back is where it was, until it has been taken: that is no reason to do nothing.
        let returns = plan
            .calls
            .iter()
            .flat_map(|call| &call.arguments)
            .any(|argument| matches!(argument.value, Given::Start(_)));
        let holds = !returns && foresee::already_holds(&program, &self.world.devices, &self.world.readings);
        let Some(run) = self.run.as_mut() else { return };
        *run.program = program;
        if run.request.dry_run {
            return self.finish(now, Status::Done, "planned and checked; nothing was carried out");
        }
        if holds {
            return self.finish(
                now,
                Status::Done,
                "it is so already: the devices' state meets the goal, so nothing was done",
            );
        }
        if let Some(why) = self.absent(&plan) {
            return self.finish(now, Status::Environment, &why);
        }
        self.learn_from_failure(&plan);
        self.begin_or_ask(now, &plan);
    }

    /// Begins, once whoever must agree has agreed, and a person has said what nobody else knows.
    pub(crate) fn begin_or_ask(&mut self, now: Millis, plan: &Plan) {
        if let Some(intent) = self.unsettled(plan) {
            return self.ask_about(now, &intent);
        }
        let wanted = self.consent_to(plan);
        let calls: Vec<String> = plan.calls.iter().map(ToString::to_string).collect();
        if let Some(run) = self.run.as_mut() {
            let lesson = run.tries.lesson.as_ref();
            let lesson = lesson.map_or_else(String::new, |lesson| format!("{lesson}; "));
            run.confirmed = false;
            run.consent = Consenting {
                wanted,
                question: format!("{lesson}carry out {}?", calls.join(", ")),
                people: Vec::new(),
            };
        }
        self.ask_or_begin(now);
    }

    /// Asks the next person who must agree, if there is one.
    pub(crate) fn ask_or_begin(&mut self, now: Millis) {
        let request = self.next();
        let Some(run) = self.run.as_mut() else { return };
        let Consenting {
            wanted,
            question,
            people,
        } = &run.consent;
        let question = question.clone();
        let output = match *wanted {
            Consent::Yes => Some(Output::Ask { request, question }),
            Consent::People(wanted) if people.len() < usize::from(wanted) => {
                let number = people.len() + 1;
                let question = format!("{question} {wanted} people must agree. Name of person {number}:");
                Some(Output::AskName { request, question })
            }
            Consent::None | Consent::People(_) => None,
        };
        if let Some(output) = output {
            run.phase = Phase::Confirming { request };
            self.outputs.push_back(output);
        } else {
            run.confirmed = !people.is_empty();
            self.begin(now);
        }
    }

    /// The policies that a run is under, with the devices that they are about: those of now, and those that it began with.
    pub(crate) fn laws(&self) -> impl Iterator<Item = (&Policy, &[Device])> {
        let pinned = self.run.as_ref().and_then(|run| run.pinned.as_deref());
        let pinned = pinned.map(|pinned| (&pinned.policy, pinned.devices.as_slice()));
        std::iter::once((&self.world.policy, self.world.devices.as_slice())).chain(pinned)
    }

    /// Who asks for this run, now.
    pub(crate) fn asking(&self, now: Millis) -> Option<Asking> {
        let run = self.run.as_ref()?;
        Some(Asking::of(&run.request, now.saturating_sub(run.since)))
    }

    /// What the rules of all laws come to for every call of a plan.
    ///
    /// # Errors
    /// Why a call is denied, in words.
    fn rulings(&self, now: Millis, plan: &Plan) -> Result<Vec<Consent>, String> {
        let asking = self.asking(now).ok_or("there is no run")?;
        let mut consents = Vec::new();
        for (policy, devices) in self.laws() {
            for call in plan.acts() {
                let device = devices.iter().find(|device| device.name == call.device);
                let found = device.and_then(|device| Some((device, device.tool(&call.tool)?)));
                let (device, tool) = found.ok_or_else(|| format!("there is no {}.{}", call.device, call.tool))?;
                let ruling = policy.ruling(&asking, device, tool)?;
                ruling.check_call(device, tool, call)?;
                consents.push(ruling.consent);
            }
        }
        Ok(consents)
    }

    /// Why a plan is not allowed, if it is not.
    pub(crate) fn denied(&self, now: Millis, plan: &Plan) -> Option<String> {
        self.rulings(now, plan).err()
    }

    /// Why a motion of a program ends where a rule does not allow it, if one does.
    fn ends_out_of_rules(&self, now: Millis, plan: &Plan, program: &Program) -> Option<String> {
        let asking = self.asking(now)?;
        let ends = foresee::ends(program, &self.world.readings);
        ends.into_iter().find_map(|(call, step, end)| {
            let call = plan.calls.get(call)?;
            self.laws().find_map(|(policy, devices)| {
                let device = devices.iter().find(|device| device.name == call.device)?;
                let tool = device.tools.iter().find(|tool| Symbol::of(&tool.name) == step)?;
                let ruling = policy.ruling(&asking, device, device.tool(&call.tool)?).ok()?;
                ruling.check_end(tool, end).err()
            })
        })
    }

    fn consent_to(&self, plan: &Plan) -> Consent {
        let Some(run) = &self.run else { return Consent::Yes };
        // What is denied by now is refused by the gate; the person is asked no less for that.
        let rulings = self.rulings(run.since, plan).unwrap_or_else(|_| vec![Consent::Yes]);
        let own = if run.request.confirm || run.tries.lesson.is_some() {
            Consent::Yes
        } else {
            Consent::None
        };
        rulings.into_iter().max().unwrap_or_default().max(own)
    }

    pub(crate) fn absent(&self, plan: &Plan) -> Option<String> {
        plan.calls.iter().chain(plan.acts()).find_map(|call| {
            let view = self.world.views.get(&call.device);
            if view.is_some_and(|view| view.online && view.at.is_some()) {
                return view.filter(|view| view.state.stopped).map(|_| {
                    format!(
                        "{0} is stopped; when it is safe, release it with: llmos reset {0}",
                        call.device
                    )
                });
            }
            let why = view
                .and_then(|view| view.why.clone())
                .unwrap_or_else(|| "it does not answer".to_owned());
            let device = &call.device;
            // A serial line says itself what to look at.
            let lined = self.world.device(device).map(|device| &device.connect);
            Some(match lined {
                Some(Connect::Serial { .. }) => format!("the device {device} is not there: {why}"),
                _ => format!(
                    "the device {device} is not there: {why}; is it switched on and on this broker? (llmos device watch)"
                ),
            })
        })
    }

    pub(crate) fn begin(&mut self, now: Millis) {
        let Some(run) = self.run.as_mut() else { return };
        if run.request.aboard.is_some() {
            return self.vet(now);
        }
        let (program, resume) = (&*run.program, run.resume.take());
        let was_sent = resume.as_ref().is_some_and(|resume| resume.sent.is_some());
        let follower = match resume {
            Some(Resume {
                checkpoint,
                sent: Some((leg, before)),
            }) => Follower::resume_sent(program, checkpoint, &before, leg, now),
            Some(Resume { checkpoint, sent: None }) => Follower::resume(program, checkpoint),
            None => Follower::new(program, &[]),
        };
        // What the run takes up ends with it.
        let takes_up = run.takes_up.take().filter(|device| !run.intended.contains(device));
        let view = takes_up.as_ref().and_then(|device| self.world.views.get(device));
        let progress = view.and_then(|view| view.state.progress);
        run.intended.extend(takes_up);
        match follower {
            Ok(follower) => {
                run.follower = Some(Box::new(follower));
                run.phase = Phase::Following;
                if was_sent {
                    self.feed(now, Input::State(progress.unwrap_or(Progress::Unknown)));
                }
                self.drive(now);
            }
            Err(reject) => self.finish(
                now,
                Status::Failed,
                &format!("the program can't be followed: {}", reject_text(reject)),
            ),
        }
    }
}

fn reject_text(reject: Reject) -> String {
    match reject {
        Reject::UnboundSlot => {
            "one of its slots has no value; say every thing, place and number that the trace has a slot for".to_owned()
        }
        Reject::NoReading => "a device does not report what its step began with".to_owned(),
        other => format!("it is not a program that can be followed ({other:?})"),
    }
}

/// Thousandths as people write them.
fn share(thousandths: u32) -> String {
    format!("{}.{:02}", thousandths / 1_000, thousandths % 1_000 / 10)
}
