//! RAD Monitor: a resilience gateway with a live console, in one program.

mod config;
mod console;
mod gateway;
mod problem;
mod rollout;
mod run;
mod sample;
mod storage;
mod telemetry;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use config::{ConfigError, Overlay, Profile, SHIPPED, Settings};

/// A request allocates a few dozen times, always on the thread that frees again: what this allocator is
/// made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A resilience gateway with a live console.
#[derive(Debug, Parser)]
#[command(name = "rad-monitor", version, about, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Source,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway and the console (what happens without a command, too).
    Serve(Source),
    /// Check a configuration and say everything that is wrong with it.
    Check(Source),
}

#[derive(Debug, Args)]
struct Source {
    /// The configuration; without it `rad-monitor.toml` of the current folder, or else the one that
    /// comes with the program.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The [profile.NAME] of the configuration that lies over the rest of it.
    #[arg(long, value_name = "NAME", env = "RAD_PROFILE")]
    profile: Option<Profile>,
}

const DEFAULT_FILE: &str = "rad-monitor.toml";

impl Source {
    fn load(&self) -> Result<Settings, ConfigError> {
        let overlay = Overlay::from_environment(self.profile);
        match &self.config {
            Some(path) => Settings::load(path, &overlay),
            None if Path::new(DEFAULT_FILE).exists() => Settings::load(Path::new(DEFAULT_FILE), &overlay),
            None => Settings::parse(SHIPPED, "the configuration that comes with the program", &overlay),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (source, check) = match arguments.command {
        Some(Command::Check(source)) => (source, true),
        Some(Command::Serve(source)) => (source, false),
        None => (arguments.serve, false),
    };
    let settings = match source.load() {
        Ok(settings) => settings,
        Err(error) => return fail(&error),
    };
    if check {
        let routes = settings.routes.len();
        let _ = writeln!(std::io::stdout(), "the configuration is valid; routes: {routes}");
        return ExitCode::SUCCESS;
    }
    match run::run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "rad-monitor: {error}");
    ExitCode::FAILURE
}
