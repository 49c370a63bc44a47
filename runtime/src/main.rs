//! llmos: parse, build the configuration, run, exit code. Everything else has its own room.

#![expect(
    clippy::large_futures,
    reason = "there is one future for each process, and it is pinned once"
)]

mod aboard;
mod bench;
mod cli;
mod config;
mod doctor;
mod explain;
mod inspect;
mod keys;
mod manifests;
mod output;
mod replay;
mod shell;
mod trouble;
mod verbs;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    with_environment();
    let filter = tracing_subscriber::EnvFilter::try_from_env("LLMOS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error,rumqttd=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let printer = output::Printer { json: cli.common.json };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.note(&format!("error: the runtime does not start: {error}"));
            return ExitCode::from(5);
        }
    };
    let code = runtime.block_on(verbs::run(cli, printer)).unwrap_or_else(|trouble| {
        printer.trouble(&trouble);
        trouble.code
    });
    // Threads that wait for a line or a hook must not keep the program.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Help and version are answers, everything else is usage.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Where nobody reads the help, nothing is lost.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let message = text.trim().trim_start_matches("error: ");
        output::Printer { json: true }.trouble(&trouble::Trouble::usage(message));
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}

/// Starts this program anew with the settings that the model wants and that nobody can make later, unless they are there.
#[cfg(unix)]
fn with_environment() {
    use std::os::unix::process::CommandExt;
    let missing: Vec<_> = llmos_models::ENVIRONMENT
        .iter()
        .filter(|(name, _)| std::env::var_os(name).is_none())
        .collect();
    let Ok(program) = std::env::current_exe() else { return };
    if missing.is_empty() {
        return;
    }
    let mut command = std::process::Command::new(program);
    command.args(std::env::args_os().skip(1));
    for (name, value) in missing {
        command.env(name, value);
    }
    // Only returns where it could not; the model then runs with the defaults, only slower.
    let _ = command.exec();
}

#[cfg(not(unix))]
fn with_environment() {}
