//! The status page: what is served, what was refused and why, what is affected now. Made whole on the server, without
//! script; everything foreign is escaped.

use std::fmt::Write as _;

use aux_core::visible::escaped;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

use tokio::time::Instant;

use super::answer::{Answer, bytes};
use super::{Failure, Server};
use crate::catalogue::SharedSpace;
use crate::records::uses;
use crate::verdict::ViewVerdict;

/// The style's own hash stands in the policy, so that nothing else may style the page, and nothing at all run in it.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--line:#d0d7de;--bad:#a40e26;--good:#116329;--ground:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b3;--line:#3d444d;--bad:#ff938a;--good:#7ee787;--ground:#0d1117}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:64rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}caption{text-align:left;color:var(--dim);padding:.25rem 0}\
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line)}\
td.number,th.number{text-align:right}p code{overflow-wrap:anywhere}.whole{white-space:nowrap}.scroll{overflow-x:auto;margin-top:1rem}\
.fail,.unknown{color:var(--bad);font-weight:600}.pass{color:var(--good);font-weight:600}.dim{color:var(--dim)}\
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;padding:0}a{color:inherit}\
:focus-visible{outline:2px solid currentColor;outline-offset:2px}";
/// Decisions shown of each view.
const DECISIONS_MAX: usize = 10;
/// Refused paths shown of each decision, and affected ones of each view.
const ROWS_MAX: usize = 50;
/// Of which it is said how many paths were asked for.
const USED_DAYS: i64 = 30;
/// What is as short as an identifier or a moment is not broken into lines.
const WHOLE_CHARACTERS_MAX: usize = 24;

/// The page as it is now.
pub(super) fn answer(server: &Server) -> Result<Answer, Failure> {
    let mut answer = bytes(StatusCode::OK, "text/html; charset=utf-8", page(server)?);
    let headers = answer.headers_mut();
    let style = aux_nix::Sha256::of(STYLE.as_bytes());
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, style.0);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store"));
    Ok(answer)
}

fn page(server: &Server) -> Result<String, Failure> {
    let spaces = server.cache.catalogue.all();
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Binary cache</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body><main>\
         <h1>Binary cache</h1>"
    );
    storage(server, &spaces, &mut html)?;
    upstreams(server, &spaces, &mut html);
    let views: Vec<_> = spaces.iter().filter(|space| space.read().row.source.is_some()).collect();
    html.push_str("<nav aria-label=\"Views\"><ul>");
    for view in &views {
        let name = escaped(view.row().name.as_str());
        put(
            &mut html,
            &format!("<li><a href=\"#view-{name}\">{name}: {}</a></li>", word(server.cache.verdict(view).as_ref())),
        );
    }
    html.push_str("</ul></nav>");
    for view in views {
        self::view(server, view, &mut html)?;
    }
    html.push_str("</main></body></html>\n");
    Ok(html)
}

fn storage(server: &Server, spaces: &[SharedSpace], html: &mut String) -> Result<(), Failure> {
    let (objects, stored) = server.cache.records.stored()?;
    let stored = server.cache.objects.taken_bytes(stored)?;
    let (hits, misses) = (server.counters.narinfo_hits.value(), server.counters.narinfo_misses.value());
    let rate = match hits + misses {
        0 => "nothing was asked yet".to_owned(),
        all => format!("{} % of {all} narinfos were there", hits * 100 / all),
    };
    let feed = match server.cache.feed.facts() {
        None => "none; no rule that asks for an audit can hold".to_owned(),
        Some(Ok((serial, built))) => format!("serial {serial}, built {built}"),
        Some(Err(problem)) => problem.to_owned(),
    };
    put(
        html,
        &format!(
            "<p>{} NARs in {} on disk; since the start {}. Feed: {}. Public key: <code>{}</code></p>",
            objects,
            size(stored),
            escaped(&rate),
            escaped(&feed),
            escaped(&server.cache.public_keys()),
        ),
    );
    used(server, html)?;
    damaged(server, html);
    opened(html, "Caches and views");
    html.push_str(
        "<th scope=\"col\">Name</th><th scope=\"col\">Kind</th><th scope=\"col\">Read by</th>\
         <th scope=\"col\" class=\"number\">Paths</th><th scope=\"col\" class=\"number\">Unpacked</th></tr></thead><tbody>",
    );
    for space in spaces {
        let space = space.read();
        put(
            html,
            &format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
                escaped(space.row.name.as_str()),
                if space.row.source.is_some() { "view" } else { "cache" },
                if space.row.anonymous { "everybody" } else { "tokens" },
                space.paths_count(),
                size(space.nar_bytes()),
            ),
        );
    }
    html.push_str("</tbody></table></div>");
    Ok(())
}

/// How others that caches ask have been answering; nothing where there are none.
fn upstreams(server: &Server, spaces: &[SharedSpace], html: &mut String) {
    let mut rows = Vec::new();
    for space in spaces {
        let (number, name) = (space.read().row.number, space.read().row.name.to_string());
        for upstream in server.cache.upstreams.of(number).iter() {
            let breaker = upstream.breaker(Instant::now());
            let state = match breaker.seconds_left {
                Some(seconds) => format!("open: left alone for {seconds} s more"),
                None => breaker.word.to_owned(),
            };
            let answers = upstream.counts.answers().map(|(word, count)| format!("{count} {word}")).join(", ");
            let (paths, bytes) = upstream.counts.pulled();
            let pulled = format!("{paths} paths, {}", size(bytes));
            let wrong = [upstream.last().0, upstream.last().1].into_iter().flatten();
            let wrong: Vec<String> =
                wrong.map(|event| format!("{} {}: {}", event.at, event.path, event.what)).collect();
            rows.push([name.clone(), upstream.name().to_owned(), state, answers, pulled, wrong.join("; ")]);
        }
    }
    if rows.is_empty() {
        return;
    }
    table(html, "Upstreams", &["Cache", "Upstream", "Circuit breaker", "Answers", "Pulled", "What went wrong last"]);
    for row in &rows {
        cells(html, &row.each_ref().map(String::as_str));
    }
    html.push_str("</tbody></table></div>");
}

/// How much of what is kept anybody wants.
fn used(server: &Server, html: &mut String) -> Result<(), Failure> {
    server.cache.try_to_write_uses();
    let Some(since) = server.cache.records.uses_since()? else { return Ok(()) };
    let day = uses::day(server.cache.now()).saturating_sub(USED_DAYS);
    let paths = server.cache.records.used_since(day)?;
    let since = since.strftime("%Y-%m-%d");
    put(
        html,
        &format!("<p>{paths} paths were asked for in the last {USED_DAYS} days; uses are known since {since}.</p>"),
    );
    Ok(())
}

/// What the scrubber found. Nothing is said of what it has not looked at yet.
fn damaged(server: &Server, html: &mut String) {
    let scrubbed = server.cache.scrub.now();
    put(
        html,
        &format!(
            "<p>The scrubber looked at {} NARs since the start and ended {} rounds; {} are damaged.</p>",
            scrubbed.objects,
            scrubbed.rounds,
            scrubbed.damaged.len()
        ),
    );
    if scrubbed.damaged.is_empty() {
        return;
    }
    table(html, "Damaged NARs, to be pushed again", &["NAR", "What is wrong"]);
    for (name, detail) in scrubbed.damaged.iter().take(ROWS_MAX) {
        cells(html, &[name, detail]);
    }
    html.push_str("</tbody></table></div>");
    more(html, scrubbed.damaged.len());
}

fn view(server: &Server, view: &SharedSpace, html: &mut String) -> Result<(), Failure> {
    let row = view.row();
    let name = escaped(row.name.as_str());
    let verdict = server.cache.verdict(view);
    let word = word(verdict.as_ref());
    let edition = server.cache.records.newest_edition(row.number)?;
    put(
        html,
        &format!(
            "<h2 id=\"view-{name}\">View {name}</h2><p>Verdict: <span class=\"{word}\">{word}</span>, edition {edition}.</p>"
        ),
    );
    if let Some(verdict) = &verdict {
        for problem in verdict.problems.iter().take(ROWS_MAX) {
            put(html, &format!("<p class=\"unknown\">{}</p>", escaped(problem)));
        }
        if !verdict.affected.is_empty() {
            table(html, &format!("Affected now in {name}"), &["Advisory", "Severity", "Way to it", "Fixed in"]);
            for one in verdict.affected.iter().take(ROWS_MAX) {
                let way = one.dependency_path.join(" → ");
                cells(html, &[&one.id, one.severity, &way, &one.fixed_versions.join(", ")]);
            }
            html.push_str("</tbody></table></div>");
            more(html, verdict.affected.len());
        }
    }
    let decisions = server.cache.records.last_decisions(row.number, DECISIONS_MAX)?;
    let refused: Vec<_> = decisions.iter().filter(|one| one.outcome == "refused" || one.outcome == "partly").collect();
    if refused.is_empty() {
        html.push_str("<p class=\"dim\">None of the last decisions refused anything.</p>");
        return Ok(());
    }
    table(html, &format!("Refused of late in {name}"), &["Decision", "When", "Path", "Rules"]);
    for decision in refused {
        for one in decision.judgements.iter().filter(|one| !one.admitted && one.is_against()).take(ROWS_MAX) {
            let against: Vec<&str> = one.against().collect();
            cells(html, &[&decision.number.to_string(), &decision.at.to_string(), &one.base, &against.join("; ")]);
        }
    }
    html.push_str("</tbody></table></div>");
    Ok(())
}

/// What a view's verdict is in one word; what was never judged is unknown.
fn word(verdict: Option<&ViewVerdict>) -> &'static str {
    verdict.map_or("unknown", |verdict| verdict.verdict)
}

/// A table that keys can scroll where it is wider than the window, and that a screen reader announces by its caption.
fn opened(html: &mut String, caption: &str) {
    put(
        html,
        &format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\
             <table><caption>{caption}</caption><thead><tr>"
        ),
    );
}

fn table(html: &mut String, caption: &str, heads: &[&str]) {
    opened(html, caption);
    for head in heads {
        put(html, &format!("<th scope=\"col\">{head}</th>"));
    }
    html.push_str("</tr></thead><tbody>");
}

fn cells(html: &mut String, texts: &[&str]) {
    html.push_str("<tr>");
    for text in texts {
        let class = if text.chars().count() <= WHOLE_CHARACTERS_MAX { " class=\"whole\"" } else { "" };
        put(html, &format!("<td{class}><code>{}</code></td>", escaped(text)));
    }
    html.push_str("</tr>");
}

fn more(html: &mut String, count: usize) {
    if count > ROWS_MAX {
        put(html, &format!("<p class=\"dim\">and {} more; the interface lists all.</p>", count - ROWS_MAX));
    }
}

fn put(html: &mut String, text: &str) {
    // Writing to a `String` does not fail.
    let _infallible = html.write_str(text);
}

/// `1.1 GB`.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let fitting = UNITS.into_iter().find(|(_, unit)| bytes >= *unit);
    fitting.map_or_else(
        || format!("{bytes} B"),
        |(name, unit)| format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_leave_its_place() {
        let text = "<script>\"'&\u{202e}";
        assert_eq!(escaped(text), "&lt;script&gt;&quot;&#39;&amp;\\u{202e}");
        assert_eq!([size(0), size(1_999), size(1_148_000_000)], ["0 B", "1.9 kB", "1.1 GB"]);
    }
}
