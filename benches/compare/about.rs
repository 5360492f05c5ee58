//! The environment of a run: the machine, and the versions of all software involved.

use std::error::Error;
use std::fs;
use std::process::Command;

/// What a program prints.
pub fn output(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    output.map_or_else(|_| "not installed".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The version of a package in a `Cargo.lock`.
fn locked(lock: &str, name: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(rest.split('"').next()?.to_owned())
}

/// `npm` are packages whose versions are included.
pub fn versions(npm: &[&str]) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = processors.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown");
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    let mut versions = vec![
        ("processor".to_owned(), format!("{model}, {count} cores seen")),
        ("kernel".to_owned(), output("uname", "-sr")),
        ("compiler".to_owned(), output("rustc", "--version")),
        ("Node".to_owned(), output("node", "--version")),
    ];
    for (file, names) in [
        ("../Cargo.lock", &["tokio", "hyper", "axum", "tungstenite"][..]),
        ("Cargo.lock", &["tokio", "axum", "socketioxide"]),
    ] {
        let lock = fs::read_to_string(file)?;
        let found = names.iter().filter_map(|name| Some(format!("{name} {}", locked(&lock, name)?)));
        let whose = if file == "Cargo.lock" { "peers' crates" } else { "this crate's dependencies" };
        versions.push((whose.to_owned(), found.collect::<Vec<_>>().join(", ")));
    }
    let installed: serde_json::Value = serde_json::from_str(&fs::read_to_string("node/package-lock.json")?)?;
    for name in npm {
        let version =
            installed["packages"][format!("node_modules/{name}")]["version"].as_str().unwrap_or("not installed");
        versions.push((format!("npm {name}"), version.to_owned()));
    }
    Ok(versions)
}
