//! What a makefile's variables are worth, told without running anything: enough of GNU make to agree with it on pins.
//!
//! GNU make's manual is the reference, sections 3 (continuations, comments), 6 (variables), 7 (conditionals). What only a
//! running make could know (`$(shell …)`, `$(wildcard …)`) is *unknown* here, and whatever rests on it is too.

mod expand;
mod lines;
mod statement;

use std::collections::BTreeMap;

use aux_core::limits::{MAKE_INCLUDES_MAX, MAKE_LINES_MAX};

use statement::{Condition, Operator, Statement};

pub use lines::Text;

/// How deep makefiles may include one another.
const INCLUDE_DEPTH_MAX: usize = 32;

/// A makefile and what it includes, evaluated to its end.
#[derive(Debug, Default)]
pub struct Makefile {
    variables: BTreeMap<String, Variable>,
    /// Every assignment that was met, in order, those of branches that are not taken too.
    pub assignments: Vec<Assignment>,
    /// Includes that are not there, and other things that leave the answer open: file, line, what.
    pub problems: Vec<(String, usize, String)>,
    /// What `uname -s` says where make would run.
    system: String,
}

/// One line that gives a variable a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub file: String,
    pub line: usize,
    pub name: String,
    /// As written, continuations joined, without its comment.
    pub value: String,
    /// Whether make comes here; `None` where that depends on what only make would know.
    pub is_active: Option<bool>,
    /// Where its logical line stands in the file, bytes of the decoded text, without its comment.
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    /// `None` where nobody but make can know.
    value: Option<String>,
    /// Expanded when it was assigned.
    is_simple: bool,
    /// Ordinary assignments leave it as it is.
    is_override: bool,
}

impl Variable {
    fn unknown(is_override: bool) -> Self {
        Self { value: None, is_simple: true, is_override }
    }
}

/// What a variable is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worth {
    Undefined,
    /// With the blanks around it taken away.
    Known(String),
    Unknown,
}

/// Gives the text of a file of the repository by its path from the root.
pub type Files<'f> = dyn Fn(&str) -> Option<Text> + 'f;

impl Makefile {
    /// Evaluates `file`; `system` is what `uname -s` says where make would run.
    pub fn evaluate(file: &str, files: &Files<'_>, system: &str) -> Self {
        let mut makefile = Self { system: system.to_owned(), ..Self::default() };
        let mut budget = Budget { lines: MAKE_LINES_MAX, includes: MAKE_INCLUDES_MAX };
        makefile.read(file, files, 0, &mut budget);
        makefile
    }

    /// What a variable is worth at the end.
    pub fn worth(&self, name: &str) -> Worth {
        match self.variables.get(name) {
            None => Worth::Undefined,
            Some(_) => self.expand_variable(name).map_or(Worth::Unknown, |value| Worth::Known(value.trim().to_owned())),
        }
    }

    /// The names that `name` is made of, itself among them.
    pub fn sources(&self, name: &str) -> Vec<String> {
        let mut found = vec![name.to_owned()];
        let mut next = 0;
        while let Some(current) = found.get(next).cloned() {
            next += 1;
            for assignment in self.assignments.iter().filter(|assignment| assignment.name == current) {
                for other in expand::names_in(&assignment.value) {
                    if !found.contains(&other) {
                        found.push(other);
                    }
                }
            }
        }
        found
    }

    fn read(&mut self, file: &str, files: &Files<'_>, depth: usize, budget: &mut Budget) {
        let Some(text) = files(file) else { return };
        let mut walk = Walk::default();
        for line in lines::logical(&text.text) {
            if budget.lines == 0 {
                let message = format!("more than {MAKE_LINES_MAX} lines (MAKE_LINES_MAX); the rest was not read");
                return self.problems.push((file.to_owned(), line.number, message));
            }
            budget.lines -= 1;
            let Some(statement) = walk.statement(&line) else { continue };
            match statement {
                Statement::Condition(condition) => walk.condition(&condition, self),
                Statement::Assignment { name, operator, value, is_override } => {
                    let is_active = walk.is_active();
                    let name = self.expand(&name).unwrap_or(name);
                    self.assignments.push(Assignment {
                        file: file.to_owned(),
                        line: line.number,
                        name: name.trim().to_owned(),
                        value: value.clone(),
                        is_active,
                        start: line.start,
                        end: line.start + line.code_bytes(),
                    });
                    self.assign(name.trim(), (operator, is_override), &value, is_active);
                }
                Statement::Define(name) => {
                    if walk.is_active() != Some(false) {
                        self.variables.insert(name, Variable::unknown(false));
                    }
                }
                Statement::Undefine(name) => match walk.is_active() {
                    Some(true) => drop(self.variables.remove(&name)),
                    Some(false) => {}
                    None => drop(self.variables.insert(name, Variable::unknown(false))),
                },
                Statement::Include { names, is_optional } if walk.is_active() != Some(false) => {
                    self.include((file, line.number), (&names, is_optional), (files, depth), &mut *budget);
                }
                Statement::Include { .. } => {}
            }
        }
    }

    fn include(
        &mut self,
        (file, line): (&str, usize),
        (names, is_optional): (&str, bool),
        (files, depth): (&Files<'_>, usize),
        budget: &mut Budget,
    ) {
        let Some(names) = self.expand(names) else {
            let message = "what it includes is known to make alone".to_owned();
            return self.problems.push((file.to_owned(), line, message));
        };
        for name in names.split_whitespace() {
            let path = name.trim_start_matches("./");
            if depth >= INCLUDE_DEPTH_MAX || budget.includes == 0 {
                let message = format!("more includes than {MAKE_INCLUDES_MAX} (MAKE_INCLUDES_MAX), or one in a circle");
                return self.problems.push((file.to_owned(), line, message));
            }
            budget.includes -= 1;
            if files(path).is_some() {
                self.read(path, files, depth + 1, budget);
            } else if !is_optional {
                self.problems.push((file.to_owned(), line, format!("it includes `{name}`, which is not there")));
            }
        }
    }

    fn assign(&mut self, name: &str, (operator, is_override): (Operator, bool), value: &str, is_active: Option<bool>) {
        if is_active == Some(false) {
            return;
        }
        let before = self.variables.get(name).cloned();
        if before.as_ref().is_some_and(|before| before.is_override) && !is_override {
            return;
        }
        let after = match operator {
            Operator::Recursive => Variable { value: Some(value.to_owned()), is_simple: false, is_override },
            Operator::Simple => Variable { value: self.expand(value), is_simple: true, is_override },
            Operator::IfUndefined => match &before {
                Some(before) => before.clone(),
                None => Variable { value: Some(value.to_owned()), is_simple: false, is_override },
            },
            Operator::Append => Variable { is_override, ..self.appended(before.as_ref(), value) },
            Operator::Shell => Variable::unknown(is_override),
        };
        // Where make alone knows whether it comes here, the value is known only if it makes no difference.
        let after = if is_active == Some(true) || before.as_ref() == Some(&after) {
            after
        } else {
            Variable::unknown(is_override)
        };
        self.variables.insert(name.to_owned(), after);
    }

    fn appended(&self, before: Option<&Variable>, value: &str) -> Variable {
        let Some(before) = before else {
            return Variable { value: Some(value.to_owned()), is_simple: false, is_override: false };
        };
        let added = if before.is_simple { self.expand(value) } else { Some(value.to_owned()) };
        let joined = before.value.as_ref().zip(added).map(|(before, added)| format!("{before} {added}"));
        Variable { value: joined, is_simple: before.is_simple, is_override: false }
    }
}

/// What is left of the bounds.
struct Budget {
    lines: usize,
    includes: usize,
}

/// Where in a file's rules, definitions and conditions the reader stands.
#[derive(Default)]
struct Walk {
    /// A rule is open: lines with a tab are its recipe.
    in_rule: bool,
    /// Definitions that are open; their lines are no statements.
    in_define: usize,
    conditions: Vec<Frame>,
}

/// One open conditional: whether its branch is taken, and whether one before it was.
struct Frame {
    is_active: Option<bool>,
    was_taken: Option<bool>,
}

impl Walk {
    fn is_active(&self) -> Option<bool> {
        all(self.conditions.iter().map(|frame| frame.is_active))
    }

    fn statement(&mut self, line: &lines::Logical<'_>) -> Option<Statement> {
        if self.in_define > 0 {
            match line.raw.split_whitespace().next() {
                Some("define") => self.in_define += 1,
                Some("endef") => self.in_define -= 1,
                _ => {}
            }
            return None;
        }
        if line.raw.starts_with('\t') && self.in_rule {
            return None;
        }
        let joined = line.joined();
        let text = joined.trim();
        if text.is_empty() {
            return None;
        }
        let Some(statement) = statement::parse(text) else {
            self.in_rule |= statement::is_rule(text) && self.is_active() != Some(false);
            return None;
        };
        // Conditions may stand within a recipe; whatever else is no rule ends it.
        self.in_rule &= matches!(statement, Statement::Condition(_));
        self.in_define += usize::from(matches!(statement, Statement::Define(_)));
        Some(statement)
    }

    fn condition(&mut self, condition: &Condition, makefile: &Makefile) {
        match condition {
            Condition::If(test) => {
                let holds = if self.is_active() == Some(false) { Some(false) } else { makefile.test(test) };
                self.conditions.push(Frame { is_active: holds, was_taken: holds });
            }
            Condition::Else(test) => {
                let Some(frame) = self.conditions.last_mut() else { return };
                let open = frame.was_taken.map(|taken| !taken);
                let holds = test.as_ref().map_or(Some(true), |test| makefile.test(test));
                frame.is_active = all([open, holds]);
                frame.was_taken = any(frame.was_taken, frame.is_active);
            }
            Condition::End => drop(self.conditions.pop()),
        }
    }
}

fn all(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = None,
        }
    }
    known
}

fn any(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
