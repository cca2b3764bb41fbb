//! What one logical line of a makefile says: an assignment, a condition, an include, a definition, or nothing of the kind.

/// How a variable gets its value (make's manual, 6.2 and 6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=`
    Recursive,
    /// `:=`, `::=`, and `:::=`, which differs in nothing that a pin could show.
    Simple,
    /// `?=`
    IfUndefined,
    /// `+=`
    Append,
    /// `!=`
    Shell,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// Ordinary assignments do not undo those that override (make's manual, 6.7).
    Assignment {
        name: String,
        operator: Operator,
        value: String,
        is_override: bool,
    },
    Condition(Condition),
    Include {
        names: String,
        is_optional: bool,
    },
    Define(String),
    Undefine(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    If(Test),
    Else(Option<Test>),
    End,
}

/// What a condition asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Equal {
        one: String,
        other: String,
        is_wanted: bool,
    },
    Defined {
        name: String,
        is_wanted: bool,
    },
    /// It could not be read.
    Unclear,
}

/// Reads a line that is joined, without its comment and the blanks around it.
pub(super) fn parse(line: &str) -> Option<Statement> {
    let (word, rest) = line.split_once([' ', '\t']).map_or((line, ""), |(word, rest)| (word, rest.trim()));
    // A variable may bear the name of a directive.
    if let Some(assignment) = assignment(line) {
        return Some(assignment);
    }
    Some(match word {
        "include" => Statement::Include { names: rest.to_owned(), is_optional: false },
        "-include" | "sinclude" => Statement::Include { names: rest.to_owned(), is_optional: true },
        "endif" => Statement::Condition(Condition::End),
        "else" if rest.is_empty() => Statement::Condition(Condition::Else(None)),
        "else" => Statement::Condition(Condition::Else(Some(test(rest).unwrap_or(Test::Unclear)))),
        "define" => Statement::Define(define_name(rest)),
        "undefine" => Statement::Undefine(rest.to_owned()),
        "override" | "export" if rest.starts_with("define") => {
            Statement::Define(define_name(rest.trim_start_matches("define").trim()))
        }
        _ => Statement::Condition(Condition::If(test(line)?)),
    })
}

fn define_name(rest: &str) -> String {
    rest.trim_end_matches(['=', ':', '?', '+', '!', ' ', '\t']).to_owned()
}

/// Whether the line opens a rule; its recipe follows.
pub(super) fn is_rule(line: &str) -> bool {
    outside_references(line).any(|(_, byte)| byte == b':')
}

fn assignment(line: &str) -> Option<Statement> {
    let mut rest = line;
    let mut is_override = false;
    // Modifiers may stand in any order (make's manual, 6.7).
    while let Some((word, after)) = rest.split_once([' ', '\t']) {
        let after = after.trim_start();
        let is_modifier = matches!(word, "override" | "export" | "private" | "unexport");
        if !is_modifier || operator(after).is_some() {
            break;
        }
        is_override |= word == "override";
        rest = after;
    }
    let mut end = None;
    for (index, byte) in outside_references(rest) {
        let from = rest.get(index..)?;
        match byte {
            b' ' | b'\t' => end = end.or(Some(index)),
            _ => {
                if let Some((operator, length)) = operator(from) {
                    let name = rest.get(..end.unwrap_or(index))?.trim();
                    let value = from.get(length..)?.trim_start().to_owned();
                    let name = name.to_owned();
                    return (!name.is_empty()).then_some(Statement::Assignment { name, operator, value, is_override });
                }
                // A name is one word, and a colon without an equals sign belongs to a rule.
                if end.is_some() || byte == b':' {
                    return None;
                }
            }
        }
    }
    None
}

fn operator(text: &str) -> Option<(Operator, usize)> {
    [
        ("=", Operator::Recursive),
        (":=", Operator::Simple),
        ("::=", Operator::Simple),
        (":::=", Operator::Simple),
        ("?=", Operator::IfUndefined),
        ("+=", Operator::Append),
        ("!=", Operator::Shell),
    ]
    .into_iter()
    .find_map(|(word, operator)| text.starts_with(word).then_some((operator, word.len())))
}

/// The ASCII bytes that stand in no `$(…)` or `${…}`, with their place.
fn outside_references(text: &str) -> impl Iterator<Item = (usize, u8)> + '_ {
    let mut depth = 0_usize;
    let mut previous = 0;
    text.bytes().enumerate().filter(move |(_, byte)| {
        let was_inside = depth > 0;
        match byte {
            b'(' | b'{' if previous == b'$' || depth > 0 => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        previous = *byte;
        !was_inside && depth == 0 && byte.is_ascii()
    })
}

/// Reads `ifeq (a,b)`, `ifneq "a" 'b'`, `ifdef NAME`, `ifndef NAME`; `None` where the line is no condition.
fn test(line: &str) -> Option<Test> {
    let end = line.find(|one: char| !one.is_ascii_alphabetic()).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end)?;
    let rest = rest.trim();
    Some(match word {
        "ifdef" | "ifndef" => Test::Defined { name: rest.to_owned(), is_wanted: word == "ifdef" },
        "ifeq" | "ifneq" => match pair(rest) {
            Some((one, other)) => {
                Test::Equal { one: one.to_owned(), other: other.to_owned(), is_wanted: word == "ifeq" }
            }
            None => Test::Unclear,
        },
        _ => return None,
    })
}

fn pair(text: &str) -> Option<(&str, &str)> {
    if let Some(inside) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        let (comma, _) = outside_references(inside).find(|(_, byte)| *byte == b',')?;
        let (one, other) = inside.split_at_checked(comma)?;
        return Some((one.trim(), other.strip_prefix(',')?.trim()));
    }
    let (one, rest) = quoted(text)?;
    let (other, rest) = quoted(rest.trim_start())?;
    rest.trim().is_empty().then_some((one, other))
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    text.get(1..)?.split_once(quote)
}
