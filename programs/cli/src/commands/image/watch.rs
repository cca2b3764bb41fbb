//! `aux image watch`: the cadence job, which tells once that a new image is worth it and keeps count of what is found.

use std::path::PathBuf;
use std::time::Duration;

use aux_alert::{Queue, Surroundings};
use aux_app::exit;
use aux_audit::formats::json_document;
use aux_image::history::{History, Observation};
use aux_image::plan::Worth;
use aux_image::watch::{event, reasons};
use aux_image::{Spec, history};
use jiff::Timestamp;
use serde::Serialize;

use super::history::failed;
use super::inputs::{Inputs, spec};
use super::plan::{Judged, judged, sentence};
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Look whether a new image is worth it by the policy of its specification, tell once through the channels of `[alert]` where it
/// is, and keep how many findings there are for `aux image history`.
///
/// With --once it looks once and ends, for cron and systemd's timers: 0 where somebody could say, told or not; 2 where nobody
/// could, or where nobody could be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The specification of the image.
    #[arg(value_name = "SPEC")]
    spec: PathBuf,
    #[command(flatten)]
    inputs: Inputs,
    /// Look once.
    #[arg(long)]
    once: bool,
    /// Look again after so many hours.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8_760))]
    every: u64,
    /// Say what would be told, tell nobody, and keep nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print an aux.image-watch/1 document.
    #[arg(long, requires = "once")]
    json: bool,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    image: &'a str,
    as_of: String,
    worthwhile: Worthwhile<'a>,
    fixable: Option<u64>,
    findings: Option<u64>,
    notice: &'static str,
    subjects: &'a [String],
    channels: Vec<Told>,
}

#[derive(Serialize)]
struct Worthwhile<'a> {
    answer: &'static str,
    reason: &'a str,
}

/// What came of one channel.
#[derive(Serialize)]
struct Told {
    channel: String,
    error: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.json;
    if !args.inputs.has_list() || !args.inputs.has_current() {
        return Err(Failure::new("what an image holds today, and what is known to be wrong, must be named")
            .hint("--current LIST and --vulnerabilities FILE"));
    }
    loop {
        let looked = look(args, ui);
        if args.once {
            return looked;
        }
        // What stood in the way today may be gone tomorrow.
        if let Err(failure) = looked {
            ui.remark(&format!("aux: {}", failure.message));
        }
        std::thread::sleep(Duration::from_secs(args.every * 3_600));
    }
}

fn look(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let now = environment::now(args.inputs.as_of)?;
    let spec = spec(&args.spec)?;
    let folder = args.inputs.state.clone().unwrap_or_else(environment::image_state_folder);
    let mut history = History::open(&folder).map_err(|error| failed(&error))?;
    let mut note = |observation: &Observation| {
        if args.dry_run {
            return Ok(());
        }
        history.note(&spec.name, observation).map_err(|error| failed(&error))
    };
    // That nobody could say is a part of the history too.
    let branches = match args.inputs.branches(&spec) {
        Ok(branches) => branches,
        Err(failure) => {
            note(&Observation::unknown(now, &failure.message))?;
            return Err(failure);
        }
    };
    let judged = match judged(&args.inputs, &spec, &branches, ui) {
        Ok(judged) => judged,
        Err(failure) => {
            note(&Observation::unknown(now, &failure.message))?;
            return Err(failure);
        }
    };
    let observation = Observation::of(&judged.before);
    note(&observation)?;
    let notice = tell(args, &spec, &judged, (&mut history, now))?;
    answer(args, (&spec, &judged, &observation), &notice, ui)?;
    let is_unknown = matches!(judged.worth, Worth::Unknown(_));
    Ok(if is_unknown || notice.is_stuck() { exit::UNKNOWN } else { exit::DONE })
}

/// What was told.
struct Notice {
    state: &'static str,
    subjects: Vec<String>,
    told: Vec<Told>,
}

impl Notice {
    /// Whether a channel that is there did not take it.
    fn is_stuck(&self) -> bool {
        self.told.iter().any(|told| told.error.is_some())
    }
}

fn tell(
    args: &Args,
    spec: &Spec,
    judged: &Judged<'_>,
    (history, now): (&mut History, Timestamp),
) -> Result<Notice, Failure> {
    let reasons = reasons(spec, &judged.current, &judged.changelog, &judged.worth);
    let generation = reasons.generation.as_str();
    let untold = history.untold(&spec.name, generation, &reasons.subjects).map_err(|error| failed(&error))?;
    let state = match (reasons.subjects.is_empty(), untold.is_empty()) {
        (true, _) => "none",
        (false, true) => "told-before",
        (false, false) => "new",
    };
    if args.dry_run {
        return Ok(Notice { state, subjects: untold, told: Vec::new() });
    }
    let settings = environment::alert_settings()?;
    let file = settings.queue.clone().unwrap_or_else(|| environment::state_folder().join("alerts.sqlite"));
    // Without news the queue may still hold what a channel did not take the last time.
    if untold.is_empty() && !file.exists() {
        return Ok(Notice { state, subjects: untold, told: Vec::new() });
    }
    let mut queue = queue(&file)?;
    if !untold.is_empty() {
        let advice = format!("aux image build {} --output DIR", args.spec.display());
        let event = event(spec, (&judged.changelog, &judged.worth), &untold, (judged.built, advice), now);
        // First the queue, which knows it by its key: killed in between, it is handed over again and told once.
        // How long delivery is tried is counted from today, whatever day was judged.
        queue.accept(&[event], Timestamp::now()).map_err(Failure::new)?;
        history.note_told((&spec.name, generation), &reasons.subjects, now).map_err(|error| failed(&error))?;
    }
    let mut channels = settings.channels(&environment::alert_session()?);
    let mut told: Vec<Told> = channels
        .problems
        .iter()
        .map(|problem| Told { channel: problem.channel().to_owned(), error: Some(problem.to_string()) })
        .collect();
    let random = environment::random_number;
    let world = Surroundings { now: &Timestamp::now, random: &random };
    let outcome = queue.deliver(&mut channels.ready, &world).map_err(Failure::new)?;
    told.extend(
        outcome.attempts.into_iter().map(|attempt| Told {
            channel: attempt.channel,
            error: attempt.result.err().map(|error| error.to_string()),
        }),
    );
    Ok(Notice { state, subjects: untold, told })
}

fn queue(file: &std::path::Path) -> Result<Queue, Failure> {
    if let Some(folder) = file.parent() {
        aux_io::file::create_private_folder(folder)?;
    }
    Queue::open(file).map_err(|error| Failure::new(error).hint("`queue` in [alert] of aux.toml names another file"))
}

fn answer(
    args: &Args,
    (spec, judged, observation): (&Spec, &Judged<'_>, &Observation),
    notice: &Notice,
    ui: &mut Ui,
) -> Result<(), Failure> {
    use aux_image::audit::Fixability::{None as Unfixed, Now, Rebase};
    let counts = observation.counts.as_ref().ok();
    if args.json {
        let document = Document {
            schema: "aux.image-watch/1",
            image: &spec.name,
            as_of: observation.at.to_string(),
            worthwhile: Worthwhile { answer: judged.worth.as_str(), reason: judged.worth.reason() },
            fixable: counts.map(|counts| counts.of_fix(Now) + counts.of_fix(Rebase)),
            findings: counts.map(history::Counts::total),
            notice: notice.state,
            subjects: &notice.subjects,
            channels: notice
                .told
                .iter()
                .map(|told| Told { channel: told.channel.clone(), error: told.error.clone() })
                .collect(),
        };
        return ui.answer(&json_document(&document));
    }
    let mut lines: Vec<String> = judged
        .before
        .every_problem()
        .chain(judged.after.every_problem())
        .map(|problem| format!("! {}: {}", problem.subject, problem.message))
        .collect();
    lines.dedup();
    lines.push(match counts {
        Some(counts) => format!(
            "{}: {} fixable now, {} by a rebase, {} without a known fix",
            spec.name,
            counts.of_fix(Now),
            counts.of_fix(Rebase),
            counts.of_fix(Unfixed)
        ),
        None => format!("{}: nobody can say what is wrong with it", spec.name),
    });
    lines.push(sentence(&judged.worth));
    match (notice.state, args.dry_run) {
        ("new", true) => lines.push(format!("would be told: {}", notice.subjects.join(", "))),
        ("told-before", _) => lines.push("told before".to_owned()),
        _ => {}
    }
    for told in &notice.told {
        lines.push(match &told.error {
            None => format!("told by {}", told.channel),
            Some(error) => format!("not told by {}: {error}; it is tried again the next time", told.channel),
        });
    }
    if !args.dry_run && notice.told.is_empty() && notice.state == "new" {
        lines.push("the notice waits for a channel in [alert]".to_owned());
    }
    ui.answer_lines(&lines)
}
