//! A history as one SVG: light and dark as the reader's system asks, with labels, and without any script.

use std::fmt::Write as _;

use aux_core::Severity;
use aux_core::visible::escaped;
use jiff::Timestamp;

use super::{Counts, Images, Observation, SEVERITIES, day};
use crate::audit::Fixability;

const WIDTH: f64 = 760.0;
const CHART_HEIGHT: f64 = 180.0;
/// One image: its title, its chart, the days below it, its numbers.
const BLOCK_HEIGHT: f64 = 290.0;
const LEFT: f64 = 48.0;
/// Where the numbers of the last day stand.
const RIGHT: f64 = 150.0;
/// Days are drawn at least as wide as this, so that a single one is seen.
const DAY_MIN: f64 = 2.0;
const SECONDS_A_DAY: i64 = 86_400;
/// How long a day's findings may stand for the days after it, on which nobody looked.
const DAYS_STANDING: i64 = 7;

/// Colours that differ in lightness too, for both backgrounds; unknown days are hatched.
const STYLE: &str = "
  svg { color-scheme: light dark; font: 13px system-ui, sans-serif; }
  .ground { fill: #ffffff; } text { fill: #1f2328; } .soft { fill: #59636e; } .title { font-weight: 600; font-size: 15px; }
  .line { stroke: #d1d9e0; stroke-width: 1; } .now { fill: #b3261e; } .rebase { fill: #e8912d; } .none { fill: #b9c6d3; }
  .hatch { stroke: #59636e; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } text { fill: #f0f6fc; } .soft { fill: #9198a1; } .line { stroke: #3d444d; }
    .now { fill: #ff7b72; } .rebase { fill: #d29922; } .none { fill: #495462; } .hatch { stroke: #9198a1; }
  }
";

/// Draws every image below the other.
pub fn svg(images: &Images) -> String {
    let height = 20.0 + BLOCK_HEIGHT * f64::from(u32::try_from(images.len()).unwrap_or(u32::MAX));
    let names: Vec<String> = images.keys().map(|name| escaped(name)).collect();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Findings over time of {}\">\n<style>{STYLE}</style>\n<defs>\
         <pattern id=\"unknown\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <line class=\"hatch\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"7\"/></pattern></defs>\n\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n",
        names.join(", ")
    );
    let mut top = 10.0;
    for (name, observations) in images {
        Block { top, observations }.draw(name, &mut text);
        top += BLOCK_HEIGHT;
    }
    text.push_str("</svg>\n");
    text
}

struct Block<'b> {
    top: f64,
    observations: &'b [Observation],
}

impl Block<'_> {
    // Writing into a string does not fail.
    fn draw(&self, name: &str, text: &mut String) {
        let (Some(first), Some(last)) = (self.observations.first(), self.observations.last()) else { return };
        let counts = || self.observations.iter().filter_map(|one| one.counts.as_ref().ok());
        let most = counts().map(Counts::total).max().unwrap_or(0).max(1);
        let top = self.top;
        let _ = writeln!(text, "<text class=\"title\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>", top + 18.0, escaped(name));
        let (ceiling, floor) = (top + 34.0, top + 34.0 + CHART_HEIGHT);
        for (share, y) in [(most, ceiling), (most / 2, f64::midpoint(ceiling, floor)), (0, floor)] {
            let _ = writeln!(
                text,
                "<line class=\"line\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT
            );
            if share != most / 2 || most > 1 {
                let (x, y) = (LEFT - 6.0, y + 4.0);
                let _ =
                    writeln!(text, "<text class=\"soft\" text-anchor=\"end\" x=\"{x:.1}\" y=\"{y:.1}\">{share}</text>");
            }
        }
        for (position, observation) in self.observations.iter().enumerate() {
            let next = self.observations.get(position + 1).map(|next| next.at);
            let (from, to) = Self::place(observation.at, next, (first.at, last.at));
            match &observation.counts {
                Ok(counts) => bars((counts, most), &day(observation.at), (from, to), (ceiling, floor), text),
                Err(reason) => {
                    let title = escaped(&format!("{}: unknown, {reason}", day(observation.at)));
                    let _ = writeln!(
                        text,
                        "<rect fill=\"url(#unknown)\" x=\"{from:.1}\" y=\"{ceiling:.1}\" width=\"{:.1}\" \
                         height=\"{CHART_HEIGHT}\"><title>{title}</title></rect>",
                        to - from
                    );
                }
            }
        }
        let y = floor + 18.0;
        let _ = writeln!(text, "<text class=\"soft\" x=\"{LEFT}\" y=\"{y:.1}\">{}</text>", day(first.at));
        if day(first.at) != day(last.at) {
            let x = WIDTH - RIGHT;
            let _ = writeln!(
                text,
                "<text class=\"soft\" text-anchor=\"end\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
                day(last.at)
            );
        }
        self.legend(last, text);
        let _ =
            writeln!(text, "<text class=\"soft\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>", floor + 40.0, severities(last));
    }

    /// Where a day begins and ends.
    fn place(at: Timestamp, next: Option<Timestamp>, (first, last): (Timestamp, Timestamp)) -> (f64, f64) {
        // The last day lasts a day too.
        let span = last.as_second() - first.as_second() + SECONDS_A_DAY;
        let room = WIDTH - LEFT - RIGHT;
        #[expect(clippy::cast_precision_loss, reason = "pixels of a chart")]
        let x = |moment: i64| LEFT + room * (moment - first.as_second()) as f64 / span as f64;
        let from = x(at.as_second());
        let standing = at.as_second() + DAYS_STANDING * SECONDS_A_DAY;
        let to = next.map_or(WIDTH - RIGHT, |next| x(next.as_second().min(standing)));
        (from, to.max(from + DAY_MIN))
    }

    /// What the marks mean, with the numbers of the last day.
    fn legend(&self, last: &Observation, text: &mut String) {
        let x = WIDTH - RIGHT + 14.0;
        let words =
            [(Fixability::Now, "fixable now"), (Fixability::Rebase, "by a rebase"), (Fixability::None, "no fix known")];
        let mut y = self.top + 50.0;
        for (fix, word) in words {
            let number = match &last.counts {
                Ok(counts) => counts.of_fix(fix).to_string(),
                Err(_) => "?".to_owned(),
            };
            let _ = writeln!(
                text,
                "<rect class=\"{}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\"/>\
                 <text x=\"{:.1}\" y=\"{y:.1}\">{number} {word}</text>",
                fix.as_str(),
                y - 11.0,
                x + 18.0
            );
            y += 22.0;
        }
        if self.observations.iter().any(|one| one.counts.is_err()) {
            let _ = writeln!(
                text,
                "<rect fill=\"url(#unknown)\" x=\"{x:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\"/>\
                 <text x=\"{:.1}\" y=\"{y:.1}\">unknown</text>",
                y - 11.0,
                x + 18.0
            );
        }
    }
}

/// One day's findings on top of one another: what can be done stands at the bottom, where it is compared best.
fn bars(
    (counts, most): (&Counts, u64),
    day: &str,
    (from, to): (f64, f64),
    (ceiling, floor): (f64, f64),
    text: &mut String,
) {
    let mut base = floor;
    for fix in Fixability::ALL {
        let number = counts.of_fix(fix);
        if number == 0 {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "pixels of a chart")]
        let height = (floor - ceiling) * number as f64 / most as f64;
        base -= height;
        let title = escaped(&format!("{day}: {number} {}", fix.as_str()));
        let _ = writeln!(
            text,
            "<rect class=\"{}\" x=\"{from:.1}\" y=\"{base:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{title}</title></rect>",
            fix.as_str(),
            to - from
        );
    }
}

/// The last day by severity, in words.
fn severities(last: &Observation) -> String {
    let counts = match &last.counts {
        Ok(counts) => counts,
        Err(reason) => {
            return escaped(&format!("unknown on {}: {reason}", day(last.at)).chars().take(100).collect::<String>());
        }
    };
    let parts: Vec<String> = SEVERITIES
        .into_iter()
        .filter_map(|severity| {
            let number: u64 = Fixability::ALL.iter().map(|fix| counts.of(*fix, severity)).sum();
            let word = if severity == Severity::Unknown { "not scored" } else { severity.as_str() };
            (number > 0).then(|| format!("{number} {word}"))
        })
        .collect();
    let said = if parts.is_empty() { "no finding".to_owned() } else { parts.join(", ") };
    let revision = last.list_revision.as_deref().map(|one| format!("; list {one}")).unwrap_or_default();
    escaped(&format!("on {}: {said}{revision}", day(last.at)))
}
