//! Runs every workload on every server in turn, for several rounds, and writes the results.

mod about;
mod chart;
mod results;
mod servers;
mod table;

use results::{Results, Workload, workloads};
use servers::{SERVERS, Server};
use std::fs;
use std::io::{self, Write};

type BoxError = Box<dyn std::error::Error>;

const USAGE: &str = "\
usage: benches/run [options]

  --rounds N         rounds per workload and server (default: 3)
  --seconds S        length of each measurement (default: 1.5)
  --quick            about a minute: one round, 0.5 seconds, system calls of one workload
  --curves           instead of the comparison: vary message length, receivers and connections
  --only TEXT        only servers whose name contains TEXT
  --work KEY         one workload: echo, ack, echo-1, broadcast-1, broadcast, idle, or one of the curves
  --payload BYTES    length of the text in each message (default: 64)
  --clients N, --window N    override the workload's values
  --no-strace        do not count system calls";

struct Options {
    rounds: usize,
    seconds: String,
    quick: bool,
    curves: bool,
    only: String,
    workload: Option<String>,
    strace: bool,
    /// Options that are passed to the load generator.
    passed_on: Vec<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let mut options = Self {
            rounds: 3,
            seconds: "1.5".into(),
            quick: false,
            curves: false,
            only: String::new(),
            workload: None,
            strace: true,
            passed_on: Vec::new(),
        };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value\n\n{USAGE}"));
            match name.as_str() {
                "--quick" => (options.quick, options.rounds, options.seconds) = (true, 1, "0.5".into()),
                "--curves" => options.curves = true,
                "--no-strace" => options.strace = false,
                "--rounds" => options.rounds = value()?.parse()?,
                "--seconds" => options.seconds = value()?,
                "--only" => options.only = value()?,
                "--work" => options.workload = Some(value()?),
                "--payload" | "--clients" | "--window" => {
                    let value = value()?;
                    options.passed_on.extend([name, value]);
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    fn workloads(&self) -> impl Iterator<Item = &'static Workload> {
        workloads(self.curves).iter().filter(|workload| self.workload.as_ref().is_none_or(|key| key == workload.key))
    }

    fn servers(&self, workload: &Workload) -> impl Iterator<Item = &'static Server> {
        let own = workload.own;
        SERVERS.iter().filter(move |server| server.name.contains(&self.only) && (server.own || !own))
    }

    fn arguments(&self, workload: &Workload, seconds: &str) -> Vec<String> {
        let rest = if self.quick { "0.3" } else { "1" };
        let own = ["--seconds", seconds, "--warm-up", "0.3", "--hold", rest];
        workload
            .arguments
            .iter()
            .chain(&own)
            .map(|argument| (*argument).to_owned())
            .chain(self.passed_on.clone())
            .collect()
    }
}

fn main() -> Result<(), BoxError> {
    let options = Options::parse(std::env::args().skip(1)).inspect_err(|error| {
        eprintln!("{error}");
        std::process::exit(2);
    })?;
    let results = measure(&options)?;
    let about = about::versions(&["socket.io", "ws", "bufferutil", "utf-8-validate"])?;
    let table = table::markdown(&results, &about);
    fs::create_dir_all("results")?;
    let name = if options.curves { "curves" } else { "comparison" };
    fs::write(format!("results/{name}.md"), &table)?;
    fs::write(format!("results/{name}.svg"), chart::svg(&results))?;
    fs::write(format!("results/{name}.json"), format!("{:#}\n", results.to_json(&about)))?;
    writeln!(io::stdout(), "{table}")?;
    Ok(())
}

fn measure(options: &Options) -> Result<Results, BoxError> {
    let mut results = Results::new(workloads(options.curves));
    for round in 1..=options.rounds {
        for workload in options.workloads() {
            // Servers alternate, so that other load on the machine affects all alike.
            for server in options.servers(workload) {
                eprintln!("round {round} of {}: {}: {}", options.rounds, workload.title, server.name);
                match server.measure(&options.arguments(workload, &options.seconds)) {
                    Ok(result) => results.add(workload, server, result),
                    // A server that loses or corrupts a message has no figures for this round, and
                    // is listed as failed.
                    Err(error) => results.failed(error.to_string()),
                }
            }
        }
    }
    let traced =
        options.workloads().filter(|workload| workload.idle.is_none() && (!options.quick || workload.key == "echo"));
    for workload in traced.filter(|_| options.strace) {
        for server in options.servers(workload) {
            eprintln!("system calls: {}: {}", workload.title, server.name);
            let mut arguments = options.arguments(workload, "0.3");
            arguments.push("--strace".into());
            match server.measure(&arguments) {
                Ok(result) => results.add_traced(workload, server, result),
                Err(error) => eprintln!("no system calls counted: {error}"),
            }
        }
    }
    Ok(results)
}
