//! Runs every work on every server in turn, several times over, and writes down what came out.

mod about;
mod figure;
mod results;
mod servers;
mod table;

use results::{Results, Work, works};
use servers::{CONTESTANTS, Contestant};
use std::fs;
use std::io::{self, Write};

type Fault = Box<dyn std::error::Error>;

const USAGE: &str = "\
usage: benches/run [options]

  --rounds N         how often each server does each work (default: 3)
  --seconds S        how long each time (default: 1.5)
  --quick            about a minute: one round, half a second, system calls of one work only
  --curves           instead of the comparison: longer and longer messages, broadcasts to more and more, more and more connections
  --only TEXT        servers whose name contains this
  --work KEY         one work: echo, ack, echo-1, broadcast-1, broadcast or idle; or one of the curves'
  --payload BYTES    length of the text in each message (default: 64)
  --clients N, --window N    instead of the works' own
  --no-strace        do not count system calls";

struct Options {
    rounds: usize,
    seconds: String,
    quick: bool,
    curves: bool,
    only: String,
    work: Option<String>,
    strace: bool,
    /// What the load generator is told besides.
    passed_on: Vec<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Fault> {
        let mut options = Self {
            rounds: 3,
            seconds: "1.5".into(),
            quick: false,
            curves: false,
            only: String::new(),
            work: None,
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
                "--work" => options.work = Some(value()?),
                "--payload" | "--clients" | "--window" => {
                    let value = value()?;
                    options.passed_on.extend([name, value]);
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    fn works(&self) -> impl Iterator<Item = &'static Work> {
        works(self.curves).iter().filter(|work| self.work.as_ref().is_none_or(|key| key == work.key))
    }

    fn contestants(&self, work: &Work) -> impl Iterator<Item = &'static Contestant> {
        let own = work.own;
        CONTESTANTS.iter().filter(move |contestant| contestant.name.contains(&self.only) && (contestant.own || !own))
    }

    fn arguments(&self, work: &Work, seconds: &str) -> Vec<String> {
        let rest = if self.quick { "0.3" } else { "1" };
        let own = ["--seconds", seconds, "--warm-up", "0.3", "--hold", rest];
        work.arguments.iter().chain(&own).map(|argument| (*argument).to_owned()).chain(self.passed_on.clone()).collect()
    }
}

fn main() -> Result<(), Fault> {
    let options = Options::parse(std::env::args().skip(1)).inspect_err(|fault| {
        eprintln!("{fault}");
        std::process::exit(2);
    })?;
    let results = measure(&options)?;
    let about = about::versions()?;
    let table = table::markdown(&results, &about);
    fs::create_dir_all("results")?;
    let name = if options.curves { "curves" } else { "comparison" };
    fs::write(format!("results/{name}.md"), &table)?;
    fs::write(format!("results/{name}.svg"), figure::svg(&results))?;
    fs::write(format!("results/{name}.json"), format!("{:#}\n", results.to_json(&about)))?;
    writeln!(io::stdout(), "{table}")?;
    Ok(())
}

fn measure(options: &Options) -> Result<Results, Fault> {
    let mut results = Results::new(works(options.curves));
    for round in 1..=options.rounds {
        for work in options.works() {
            // One after the other, so that what the machine does besides hits all alike.
            for contestant in options.contestants(work) {
                eprintln!("round {round} of {}: {}: {}", options.rounds, work.title, contestant.name);
                match contestant.measure(&options.arguments(work, &options.seconds)) {
                    Ok(result) => results.add(work, contestant, result),
                    // Whoever loses or garbles a message has no figure for this round, and is named.
                    Err(fault) => results.failed(fault.to_string()),
                }
            }
        }
    }
    let traced = options.works().filter(|work| work.idle.is_none() && (!options.quick || work.key == "echo"));
    for work in traced.filter(|_| options.strace) {
        for contestant in options.contestants(work) {
            eprintln!("system calls: {}: {}", work.title, contestant.name);
            let mut arguments = options.arguments(work, "0.3");
            arguments.push("--strace".into());
            match contestant.measure(&arguments) {
                Ok(result) => results.add_traced(work, contestant, result),
                Err(fault) => eprintln!("system calls are left out: {fault}"),
            }
        }
    }
    Ok(results)
}
