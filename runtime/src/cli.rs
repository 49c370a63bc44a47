//! The command line as types. It says what can be typed; what it means is in `verbs`.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// An LLM operating system for the edge: say what a robot or device should do; it is planned here, checked, carried out, proved and kept.
#[derive(Parser, Debug)]
#[command(
    name = "llmos",
    version,
    max_term_width = 110,
    after_help = "Examples:\n  llmos run \"pick up the red cube and put it in bin A\"\n  llmos run --broker mqtt://localhost:1883 \"move the arm 30 cm to the left\"\n  llmos plan --json \"open the gripper\"\n  llmos device check\n\nLogs: LLMOS_LOG=debug.\nExit codes: 0 done, 1 failed or stopped, 2 usage, 3 refused by the gate, 4 needs an answer, 5 environment, 6 no tool."
)]
pub struct Cli {
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Args, Debug, Clone)]
pub struct Common {
    /// Print one JSON document on stdout; logs go to stderr.
    #[arg(long, global = true)]
    pub json: bool,
    /// The workspace folder; otherwise llmos.toml is looked for upwards from here, then the user's data folder is used.
    #[arg(long, global = true, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// The broker; its password comes from the environment.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help = "The broker: mqtt://[user@]host[:port], mqtts:// with TLS, or \"embedded\" (with simulated devices). Password and certificates come from LLMOS_MQTT_PASSWORD or files (LLMOS_MQTT_PASSWORD_FILE, LLMOS_MQTT_CA, LLMOS_MQTT_CERTIFICATE, LLMOS_MQTT_KEY)"
    )]
    pub broker: Option<String>,
    /// A model file in GGUF, or "llmos-tiny", which is in the box and the default.
    #[arg(long, global = true, value_name = "PATH|NAME")]
    pub model: Option<PathBuf>,
    /// The scene of simulated devices on the embedded broker; 0 is the documented one.
    #[arg(long, global = true, default_value_t = 0)]
    pub seed: u64,
    /// Faults of the simulated devices.
    #[arg(
        long,
        global = true,
        value_name = "FAULT",
        default_value = "",
        hide_default_value = true,
        help = "Faults of simulated devices: slip, stall, silent, nonsense, double_ack, restart, refuse, slow, quiet, stale, no_watchdog, noise; slip@2 only the second time"
    )]
    pub fault: String,
    /// How many times faster than life simulated devices move.
    #[arg(long, global = true, default_value_t = 4)]
    pub haste: u32,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Make a workspace: devices, policy, hooks and their description.
    #[command(after_help = "Example:\n  llmos init robots && llmos --workspace robots device check")]
    Init {
        /// The folder; it must not exist, or be empty.
        dir: PathBuf,
    },
    /// Carry out a goal; without one, goals are read line by line.
    #[command(
        after_help = "Examples:\n  llmos run \"move the arm 30 cm to the left\"\n  llmos run --dry-run \"go to (1, 1, 1.5)\"\n  llmos run --resume\n  llmos run --settled arm=no \"move the arm 30 cm to the left\"\n  llmos run            (interactive)"
    )]
    Run(RunArgs),
    /// Plan a goal without touching a device.
    #[command(
        after_help = "Examples:\n  llmos plan \"open the gripper\"\n  llmos plan --json --tools tools.json \"dim the lamp to 30 percent\"\n  llmos plan --json --tools tools.json --goals goals.txt"
    )]
    Plan(PlanArgs),
    /// Stop a device, or all of them, now; it stays stopped until it is reset.
    #[command(
        after_help = "Examples:\n  llmos stop --broker mqtt://localhost:1883\n  llmos stop arm --broker mqtt://localhost:1883"
    )]
    Stop {
        /// The device; all if left out.
        device: Option<String>,
    },
    /// Allow a stopped device to move again. Check first that it is safe.
    #[command(after_help = "Example:\n  llmos reset arm --broker mqtt://localhost:1883")]
    Reset {
        /// The device.
        device: String,
    },
    /// Follow a trace by name, without a model.
    #[command(
        after_help = "Examples:\n  llmos trace ls\n  llmos replay move-the-arm-30-cm-to-5591\n  llmos replay move-the-arm-30-cm-to-5591 --timing --repeat 20"
    )]
    Replay(ReplayArgs),
    /// Look at what was learned.
    #[command(
        subcommand,
        after_help = "Examples:\n  llmos trace ls\n  llmos trace show move-the-arm-30-cm-to-5591\n  llmos trace check\n  llmos trace compile move-the-arm-30-cm-to-5591 --out move.bin"
    )]
    Trace(TraceVerb),
    /// Bring what was learned to a device that then needs no host.
    #[command(
        subcommand,
        after_help = "Examples:\n  llmos skill push arm move-the-arm-30-cm-to-5591 --broker mqtt://localhost:1883\n  llmos skill push arm move-the-arm-30-cm-to-5591 --key secrets/programs.key"
    )]
    Skill(SkillVerb),
    /// Make keys that sign programs for devices.
    #[command(
        subcommand,
        after_help = "Examples:\n  llmos key new\n  llmos key new secrets/workshop.key"
    )]
    Key(KeyVerb),
    /// Look at devices, simulate one, or have one run what it keeps.
    #[command(
        subcommand,
        after_help = "Examples:\n  llmos device ls\n  llmos device check devices/examples/tasmota-plug.md\n  llmos device sim arm --broker mqtt://localhost:1883 --seed 7 --fault slip@2\n  llmos device sim arm --serial /tmp/arm\n  llmos device run arm move-the-arm-30-cm-to-5591 \"distance=12 cm\" direction=right --on-loss finish --detach\n  llmos device watch arm --broker mqtt://localhost:1883"
    )]
    Device(DeviceVerb),
    /// Why a call is allowed or not.
    #[command(
        subcommand,
        after_help = "Examples:\n  llmos policy explain\n  llmos policy explain arm.move\n  llmos policy explain --who agent --for http --at 23:30 arm.move"
    )]
    Policy(PolicyVerb),
    /// Look at the model.
    #[command(
        subcommand,
        after_help = "Examples:\n  llmos model show\n  llmos model score --json --gguf model.gguf --tokens 1,2,3"
    )]
    Model(ModelVerb),
    /// Check the record of a run.
    #[command(
        subcommand,
        after_help = "Example:\n  llmos journal verify journal/2026-11-21T03-28-59Z-429.jsonl"
    )]
    Journal(JournalVerb),
    /// Measure this machine.
    #[command(
        subcommand,
        after_help = "Examples:\n  llmos bench follow --traces 100000\n  llmos bench faults --devices arm --only broker-gone,hook-hangs"
    )]
    Bench(BenchVerb),
    /// Check that everything this machine needs is there.
    #[command(after_help = "Examples:\n  llmos doctor\n  llmos doctor --broker mqtt://localhost:1883 --json")]
    Doctor,
}

/// `llmos run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// What should be done, in English. Several words need no quotes.
    pub goal: Vec<String>,
    /// Plan and check only.
    #[arg(long)]
    pub dry_run: bool,
    /// Ask before the first command.
    #[arg(long)]
    pub confirm: bool,
    /// Insist on a mode.
    #[arg(long, value_parser = ["learner", "follower"])]
    pub mode: Option<String>,
    /// Take up the run that was broken off last, at the step it was at. Saying its goal again does the same.
    #[arg(long, conflicts_with_all = ["goal", "anew", "dry_run", "mode"])]
    pub resume: bool,
    /// What is known of runs that were broken off.
    #[command(flatten)]
    pub earlier: EarlierArgs,
}

/// What a person says about runs that were broken off by a crash or a power cut.
#[derive(Args, Debug, Default)]
pub struct EarlierArgs {
    /// Begin with the first step, also where a run of this goal was broken off or the same plan has failed.
    #[arg(long)]
    pub anew: bool,
    /// Say whether the command was carried out during which a run was broken off.
    #[arg(
        long,
        value_name = "DEVICE=yes|no",
        value_parser = settled,
        help = "Say whether the command was carried out during which a run was broken off, where the device can't tell: look first"
    )]
    pub settled: Vec<(String, bool)>,
}

fn settled(text: &str) -> Result<(String, bool), String> {
    let (device, word) = text.split_once('=').unwrap_or((text, ""));
    let yes = match word {
        "yes" => true,
        "no" => false,
        _ => return Err(format!("expected DEVICE=yes or DEVICE=no, found \"{text}\"")),
    };
    Ok((device.to_owned(), yes))
}

/// `llmos replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// The trace's id, as "llmos trace ls" prints it.
    pub trace: String,
    /// Plan and check only.
    #[arg(long)]
    pub dry_run: bool,
    /// Ask before the first command.
    #[arg(long)]
    pub confirm: bool,
    /// Print how long after the follower offered them the commands left.
    #[arg(long)]
    pub timing: bool,
    /// What is known of runs that were broken off.
    #[command(flatten)]
    pub earlier: EarlierArgs,
    /// How often it is replayed.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=100),
        help = "How often it is replayed: on the embedded broker in a fresh scene each time, otherwise as long as the devices stand as at the start"
    )]
    pub repeat: u16,
}

/// `llmos plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// What should be done.
    pub goal: Vec<String>,
    /// Tools that are not the workspace's.
    #[arg(
        long,
        value_name = "FILE",
        help = "Tools as an OpenAI \"tools\" array instead of the workspace's devices"
    )]
    pub tools: Option<PathBuf>,
    /// One goal a line; prints one JSON line for each. "-" is stdin.
    #[arg(long, value_name = "FILE")]
    pub goals: Option<PathBuf>,
}

/// `llmos trace`.
#[derive(Subcommand, Debug)]
pub enum TraceVerb {
    /// List them with their statistics.
    Ls,
    /// Print one.
    Show {
        /// Its id.
        id: String,
    },
    /// Check all, or one.
    Check {
        /// Its id.
        id: Option<String>,
    },
    /// Compile one, its slots open, and print the program. Nothing is executed.
    Compile {
        /// Its id.
        id: String,
        /// Write the program's bytes here, whole or not at all.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Remove one. What it learned is forgotten; the ledger keeps its uses.
    Rm {
        /// Its id.
        id: String,
    },
}

/// `llmos device`.
#[derive(Subcommand, Debug)]
pub enum DeviceVerb {
    /// List devices and their tools.
    Ls,
    /// Check every manifest, or one file, and say what each device can't guarantee.
    Check {
        /// A manifest, in the workspace or not.
        file: Option<PathBuf>,
    },
    /// Run a simulated device until Ctrl-C; it needs --broker or --serial.
    Sim {
        /// arm, base, greenhouse, zigbee-lamp, tasmota-plug, climate or ros-base.
        kind: String,
        /// Its name in topics; otherwise its kind.
        #[arg(long)]
        name: Option<String>,
        /// On a serial line in place of a broker: a port that is there, or a name for a new pseudo-terminal.
        #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "-")]
        serial: Option<PathBuf>,
        /// Keep its program in this file, so that it outlives the process.
        #[arg(long, value_name = "FILE")]
        flash: Option<PathBuf>,
        /// Take programs only with a signature of this key, as "llmos key new" prints it.
        #[arg(long, value_name = "PUBLIC", value_parser = crate::keys::public)]
        key: Option<[u8; 32]>,
        /// Let it go on to the end of a run when its host is gone.
        #[arg(long)]
        alone: bool,
    },
    /// Have a device run the program that it keeps (see llmos skill push), and wait for what comes of it.
    #[command(
        after_help = "The gate and the hooks here see every command before it begins; the device's own limits judge each again when it is due.\n\nExamples:\n  llmos device run move-the-arm-30-cm-to-5591 \"distance=12 cm\" direction=right\n  llmos device run arm move-the-arm-30-cm-to-5591 \"distance=12 cm\" direction=right --on-loss finish --detach"
    )]
    Run(AloneArgs),
    /// Print what devices report, as it changes, until Ctrl-C.
    Watch {
        /// Only this device.
        device: Option<String>,
        /// End after so many seconds.
        #[arg(long)]
        seconds: Option<u64>,
    },
}

/// `llmos device run`.
#[derive(Args, Debug)]
pub struct AloneArgs {
    /// The device (may be left out where the trace says it), the trace, and a value for each of its slots: distance="30 cm".
    #[arg(value_name = "[DEVICE] NAME [SLOT=VALUE]...", required = true)]
    pub words: Vec<String>,
    /// What the device does when this program is gone: go to its safe state, or go on to the end.
    #[arg(long, value_name = "finish|stop", default_value = "stop", value_parser = ["finish", "stop"])]
    pub on_loss: String,
    /// Leave it to the device once it has begun. What comes of it is told at the next contact.
    #[arg(long)]
    pub detach: bool,
    /// Ask before it begins.
    #[arg(long)]
    pub confirm: bool,
}

/// `llmos skill`.
#[derive(Subcommand, Debug)]
pub enum SkillVerb {
    /// Compile a trace for a device alone, and install it there.
    Push {
        /// The device.
        device: String,
        /// The trace, as "llmos trace ls" prints it.
        name: String,
        /// Sign it with this key, as "llmos key new" made it.
        #[arg(long, value_name = "PATH")]
        key: Option<PathBuf>,
    },
}

/// `llmos key`.
#[derive(Subcommand, Debug)]
pub enum KeyVerb {
    /// Make a key pair, and say how devices are told of it. Nothing is ever overwritten.
    New {
        /// The file of the secret key; otherwise secrets/programs.key in the workspace.
        path: Option<PathBuf>,
    },
}

/// `llmos policy`.
#[derive(Subcommand, Debug)]
pub enum PolicyVerb {
    /// Say which rule decides about a tool, and what narrows it; without one, about all tools.
    Explain {
        /// Who asks: person, agent, cron, http, mcp or device.
        #[arg(long, value_name = "CALLER", default_value = "person")]
        who: String,
        /// On whose behalf; may be given several times.
        #[arg(long = "for", value_name = "CALLER")]
        behalf: Vec<String>,
        /// At this time of day; otherwise now.
        #[arg(long, value_name = "HH:MM")]
        at: Option<String>,
        /// DEVICE.TOOL.
        tool: Option<String>,
    },
}

/// `llmos model`.
#[derive(Subcommand, Debug)]
pub enum ModelVerb {
    /// List what is here.
    Ls,
    /// Describe the model.
    Show,
    /// Print the log-probability of each next token.
    Score {
        /// The model file.
        #[arg(long, value_name = "FILE")]
        gguf: PathBuf,
        /// Token ids, separated by commas.
        #[arg(long, value_delimiter = ',', required = true)]
        tokens: Vec<u32>,
    },
    /// Measure the model on this machine, with and without each way of saving work.
    Bench {
        /// Numbers of threads to measure with.
        #[arg(long, value_delimiter = ',', default_value = "1,2")]
        threads: Vec<usize>,
        /// How often the goals are planned.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        rounds: u16,
        /// Measure in this process, with the threads it has.
        #[arg(long, hide = true)]
        here: bool,
    },
}

/// `llmos bench`.
#[derive(Subcommand, Debug)]
pub enum BenchVerb {
    /// From a goal to its first command, with many traces stored.
    Follow {
        /// How many traces are stored.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        traces: u32,
        /// How many goals are asked.
        #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        goals: u32,
    },
    /// Break everything that may break while a device moves, and see how it ends.
    Faults {
        /// Only these devices.
        #[arg(
            long,
            value_delimiter = ',',
            value_name = "NAMES",
            help = "Only these of arm and base"
        )]
        devices: Vec<String>,
        /// Only these faults.
        #[arg(
            long,
            value_delimiter = ',',
            value_name = "NAMES",
            help = "Only these faults, for example broker-gone,hook-hangs"
        )]
        only: Vec<String>,
    },
}

/// `llmos journal`.
#[derive(Subcommand, Debug)]
pub enum JournalVerb {
    /// Execute a recorded run again from its inputs and compare every output.
    Verify {
        /// The journal.
        file: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_verb_has_an_example() {
        Cli::command().debug_assert();
        for verb in Cli::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let shown = format!("llmos {}", verb.get_name());
            assert!(help.contains("Example") && help.contains(&shown), "{shown}: {help}");
            let examples = help.lines().filter_map(|line| line.trim().strip_prefix("llmos "));
            for example in examples.filter(|example| !example.contains(['"', '&', '('])) {
                let words = ["llmos"].into_iter().chain(example.split_whitespace());
                if let Err(error) = Cli::try_parse_from(words) {
                    panic!("the example \"llmos {example}\" is no command line: {error}");
                }
            }
        }
    }
}
