//! dip beside its peers: builds them, runs them, draws what it measured. See `README.md`.

mod arguments;
mod chart;
mod child;
mod contender;
mod figure;
mod grid;
mod machine;
mod package;
mod placement;
mod plan;
mod results;
mod round;
mod tables;
mod targets;
mod versions;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use driver::Result;

use arguments::Arguments;
use contender::Contender;
use results::Results;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(arguments) = Arguments::read()? else {
        println!("{}", arguments::HELP);
        return Ok(());
    };
    let results = match &arguments.from {
        Some(path) => serde_json::from_slice(&fs::read(path)?)?,
        None => measure(&arguments)?,
    };
    print!("{}", tables::text(&results));
    if let Some(path) = &arguments.markdown {
        write(path, &tables::markdown(&results))?;
    }
    if let Some(path) = &arguments.svg {
        write(path, &chart::svg(&results))?;
    }
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<Results> {
    let (contenders, skipped) = contender::build(&arguments.only)?;
    for skip in &skipped {
        eprintln!("{skip}");
    }
    let plan = plan::Plan::of(arguments)?;
    let mut results = Results {
        machine: machine::kind(),
        mode: plan.mode(),
        contenders: contenders.iter().map(Contender::row).collect(),
        skipped,
        samples: Vec::new(),
        failures: Vec::new(),
    };
    plan.run(&contenders, &mut results)?;
    write(&arguments.json, &results.to_json()?)?;
    Ok(results)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
