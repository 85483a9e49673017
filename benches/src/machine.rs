//! What kind of machine this is: how many cores, and whether it is a virtual one.

use std::{fs, thread};

pub(crate) fn kind() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let plural = if cores == 1 { "" } else { "s" };
    match is_virtual() {
        Some(true) => format!("a virtual machine with {cores} core{plural}"),
        Some(false) => format!("a machine with {cores} core{plural}"),
        None => format!("{cores} core{plural}"),
    }
}

fn is_virtual() -> Option<bool> {
    let cpus = fs::read_to_string("/proc/cpuinfo").ok()?;
    let flags = cpus.lines().find(|line| line.starts_with("flags"))?;
    Some(flags.split_whitespace().any(|flag| flag == "hypervisor"))
}
