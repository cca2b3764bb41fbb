//! The machines and packages of a flake: which there are, and the derivation of each.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use aux_core::limits::{EVALUATED_TOGETHER_MAX, FLAKE_OUTPUTS_MAX};
use serde_json::Value;

use super::{FlakeTarget, Step};
use crate::nix_program::string_literal;
use crate::{EvaluateError, Gathered, Nix, evaluate_json};

/// One machine or package, by where it stands in the flake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// `["nixosConfigurations"]`, `["packages", "x86_64-linux"]`.
    family: Vec<String>,
    name: String,
}

impl Machine {
    pub(super) fn is_nixos(&self) -> bool {
        self.family.first().is_some_and(|family| family == SYSTEMS[0])
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.family.iter().map(String::as_str).chain([self.name.as_str()]).collect()
    }
}

/// Where a machine keeps its derivation, and where a package does.
const SYSTEM: &str = ".config.system.build.toplevel.drvPath";
const PACKAGE: &str = ".drvPath";

/// The outputs that are systems, in the order they are reported.
const SYSTEMS: [&str; 2] = ["nixosConfigurations", "darwinConfigurations"];
const PACKAGES: &str = "packages";

/// Lists what the flake has. An output that does not evaluate is a problem of the flake; the others go on.
///
/// An error is one that no other question could get past.
pub(super) fn list(target: &FlakeTarget, nix: &Nix, into: &mut Gathered) -> Result<Vec<Machine>, EvaluateError> {
    let mut machines = Vec::new();
    let mut is_whole = true;
    for family in SYSTEMS {
        let names = evaluate_json(nix, &target.flake, &[family], Some("builtins.attrNames"));
        match settled(names)? {
            Ok(names) => machines.extend(named(&[family], &names)),
            Err(error) => {
                is_whole = false;
                into.problem(format!("{}#{family}", target.name), error.to_string());
            }
        }
    }
    let names = evaluate_json(nix, &target.flake, &[PACKAGES], Some("builtins.mapAttrs (system: builtins.attrNames)"));
    match settled(names)? {
        Ok(systems) => machines.extend(packages(&systems, &target.system)),
        Err(error) => {
            is_whole = false;
            into.problem(format!("{}#{PACKAGES}", target.name), error.to_string());
        }
    }
    if machines.is_empty() && is_whole {
        into.problem(&target.name, "has no nixosConfigurations, no darwinConfigurations and no packages to audit");
    }
    if machines.len() > FLAKE_OUTPUTS_MAX {
        let left_out = machines.len() - FLAKE_OUTPUTS_MAX;
        into.problem(&target.name, format!("{left_out} of its outputs were left out (FLAKE_OUTPUTS_MAX)"));
        machines.truncate(FLAKE_OUTPUTS_MAX);
    }
    Ok(machines)
}

/// An output that is not there is an empty one. The outer error is about the flake or the program as a whole.
fn settled(answer: Result<Value, EvaluateError>) -> Result<Result<Value, EvaluateError>, EvaluateError> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(EvaluateError::NoOutput { .. }) => Ok(Ok(Value::Null)),
        Err(error @ (EvaluateError::Failed { .. } | EvaluateError::NeedsBuild | EvaluateError::Json(_))) => {
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}

fn named(family: &[&str], names: &Value) -> Vec<Machine> {
    let family: Vec<String> = family.iter().map(|&name| name.to_owned()).collect();
    let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| Machine { family: family.clone(), name: name.to_owned() }).collect()
}

/// The packages of one system: others are the same packages again. Where it has none, those of every system.
fn packages(systems: &Value, wanted: &str) -> Vec<Machine> {
    let Some(systems) = systems.as_object() else { return Vec::new() };
    if let Some(names) = systems.get(wanted) {
        return named(&[PACKAGES, wanted], names);
    }
    systems.iter().flat_map(|(system, names)| named(&[PACKAGES, system], names)).collect()
}

/// A machine and its derivation's path, or why there is none.
pub(super) type Evaluated<'m> = (&'m Machine, Result<String, EvaluateError>);

/// Evaluates every machine to the path of its derivation, a few in one process, so that they share what is the same,
/// and in two processes at once. The answers stand in the order of the machines.
pub(super) fn evaluate<'m>(
    target: &FlakeTarget,
    machines: &'m [Machine],
    nix: &Nix,
    progress: &mut dyn FnMut(Step<'_>),
) -> Vec<Evaluated<'m>> {
    let families = machines.chunk_by(|left, right| left.family == right.family);
    let together: Vec<&[Machine]> = families.flat_map(|family| family.chunks(EVALUATED_TOGETHER_MAX)).collect();
    let mut answers: Vec<(usize, Vec<Evaluated<'m>>)> = Vec::with_capacity(together.len());
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        for sender in [sender.clone(), sender] {
            scope.spawn(|| {
                let sender = sender;
                while let Some((number, machines)) = taken(&next, &together) {
                    let mut evaluated = Vec::with_capacity(machines.len());
                    some(target, machines, nix, &mut evaluated);
                    // The receiver lives as long as this scope.
                    sender.send((number, evaluated)).ok();
                }
            });
        }
        for (number, evaluated) in receiver {
            for (machine, _) in &evaluated {
                progress(Step::Evaluated(&machine.shown()));
            }
            answers.push((number, evaluated));
        }
    });
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().flat_map(|(_, evaluated)| evaluated).collect()
}

fn taken<'m>(next: &AtomicUsize, together: &[&'m [Machine]]) -> Option<(usize, &'m [Machine])> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    together.get(number).map(|machines| (number, *machines))
}

/// What fails in company is tried again in halves, until what fails stands alone.
fn some<'m>(target: &FlakeTarget, machines: &'m [Machine], nix: &Nix, into: &mut Vec<Evaluated<'m>>) {
    let Some(first) = machines.first() else { return };
    let count = u32::try_from(machines.len()).unwrap_or(u32::MAX);
    let nix = Nix { time_limit: nix.time_limit.saturating_mul(count), ..nix.clone() };
    let family: Vec<&str> = first.family.iter().map(String::as_str).collect();
    match evaluate_json(&nix, &target.flake, &family, Some(&question(machines))) {
        Ok(answer) => {
            for machine in machines {
                let outcome = match answer.get(&machine.name).and_then(Value::as_str) {
                    Some(path) => Ok(path.to_owned()),
                    // It threw, which the question catches: asked alone it says why.
                    None => alone(target, machine, &nix),
                };
                into.push((machine, outcome));
            }
        }
        Err(error) if machines.len() == 1 => into.push((first, Err(error))),
        Err(_) => {
            let (left, right) = machines.split_at(machines.len() / 2);
            let nix = Nix { time_limit: nix.time_limit / count, ..nix };
            some(target, left, &nix, into);
            some(target, right, &nix, into);
        }
    }
}

fn alone(target: &FlakeTarget, machine: &Machine, nix: &Nix) -> Result<String, EvaluateError> {
    let answer = ask(target, machine, nix, &format!("machine: machine{}", suffix(machine)))?;
    let complaint = || EvaluateError::Failed { complaint: format!("its derivation is {answer}, which is no path") };
    answer.as_str().map(str::to_owned).ok_or_else(complaint)
}

/// Evaluates a function of a machine. Its name stands in the expression and not in what names the flake's attribute,
/// because `nix` does not read every quoted name there.
pub(super) fn ask(target: &FlakeTarget, machine: &Machine, nix: &Nix, function: &str) -> Result<Value, EvaluateError> {
    let family: Vec<&str> = machine.family.iter().map(String::as_str).collect();
    let function = format!("machines: ({function}) machines.{}", string_literal(&machine.name));
    evaluate_json(nix, &target.flake, &family, Some(&function))
}

/// `machines: { "web" = caught machines."web"….drvPath; }`, where what throws becomes `false`.
fn question(machines: &[Machine]) -> String {
    let mut question = "machines: { ".to_owned();
    for machine in machines {
        let (name, suffix) = (string_literal(&machine.name), suffix(machine));
        let _ = write!(question, "{name} = (builtins.tryEval machines.{name}{suffix}).value; ");
    }
    question.push('}');
    question
}

fn suffix(machine: &Machine) -> &'static str {
    if machine.family.first().is_some_and(|family| family == PACKAGES) { PACKAGE } else { SYSTEM }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_asks_for_every_machine_and_no_name_becomes_code() {
        let machines = named(&["nixosConfigurations"], &serde_json::json!(["a", "b\"; x = ${y}"]));
        assert_eq!(
            question(&machines),
            r#"machines: { "a" = (builtins.tryEval machines."a".config.system.build.toplevel.drvPath).value; "#
                .to_owned()
                + r#""b\"; x = \${y}" = (builtins.tryEval machines."b\"; x = \${y}".config.system.build.toplevel.drvPath).value; }"#
        );
    }

    #[test]
    fn packages_are_those_of_the_system_or_else_of_all() {
        let systems = serde_json::json!({ "x86_64-linux": ["one"], "aarch64-linux": ["one", "two"] });
        assert_eq!(packages(&systems, "x86_64-linux").len(), 1);
        assert_eq!(packages(&systems, "riscv64-linux").len(), 3);
        assert!(packages(&Value::Null, "x86_64-linux").is_empty());
    }
}
