//! Prometheus' text format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write as _;

use tokio::time::Instant;

use super::{Failure, Server};
use crate::catalogue::SharedSpace;

/// All that is measured, read now.
pub(super) fn text(server: &Server) -> Result<String, Failure> {
    let counters = &server.counters;
    let mut text = String::new();
    for (name, help, counter) in [
        ("requests", "Requests that were answered.", &counters.requests),
        ("server_errors", "Requests that failed by the server's fault.", &counters.failures),
        ("narinfo_hits", "Narinfos that were there.", &counters.narinfo_hits),
        ("narinfo_misses", "Narinfos that were not.", &counters.narinfo_misses),
        ("nar_sent_bytes", "Bytes of NARs in answers that were begun.", &counters.nar_bytes),
        ("pushed_paths", "Paths that were committed.", &counters.pushed_paths),
        ("pushed_bytes", "Bytes of NARs that were taken.", &counters.pushed_bytes),
    ] {
        let name = format!("aux_cache_{name}_total");
        metric(&mut text, &name, "counter", help);
        line(&mut text, &name, "", &counter.value());
    }
    let (objects, stored) = server.cache.records.stored()?;
    let stored = server.cache.objects.taken_bytes(stored)?;
    metric(&mut text, "aux_cache_objects", "gauge", "NARs that are kept.");
    line(&mut text, "aux_cache_objects", "", &objects);
    metric(&mut text, "aux_cache_stored_bytes", "gauge", "Bytes of the NARs that are kept.");
    line(&mut text, "aux_cache_stored_bytes", "", &stored);
    let scrubbed = server.cache.scrub.now();
    metric(&mut text, "aux_cache_scrubbed_objects_total", "counter", "NARs that the scrubber looked at.");
    line(&mut text, "aux_cache_scrubbed_objects_total", "", &scrubbed.objects);
    metric(&mut text, "aux_cache_damaged_objects", "gauge", "NARs that were damaged when the scrubber last looked.");
    line(&mut text, "aux_cache_damaged_objects", "", &scrubbed.damaged.len());
    let spaces = server.cache.catalogue.all();
    metric(&mut text, "aux_cache_paths", "gauge", "Paths that are visible.");
    for space in &spaces {
        let space = space.read();
        line(&mut text, "aux_cache_paths", &format!("cache=\"{}\"", space.row.name), &space.paths_count());
    }
    metric(&mut text, "aux_cache_view_verdict", "gauge", "1 for the verdict that a view has.");
    metric(&mut text, "aux_cache_view_affected", "gauge", "Findings against what a view serves.");
    for space in &spaces {
        let Some(verdict) = server.cache.verdict(space) else { continue };
        let name = space.read().row.name.to_string();
        let labels = format!("view=\"{name}\",verdict=\"{}\"", verdict.verdict);
        line(&mut text, "aux_cache_view_verdict", &labels, &1);
        line(&mut text, "aux_cache_view_affected", &format!("view=\"{name}\""), &verdict.affected.len());
    }
    upstreams(server, &spaces, &mut text);
    Ok(grouped(&text))
}

fn upstreams(server: &Server, spaces: &[SharedSpace], text: &mut String) {
    metric(text, "aux_cache_upstream_answers_total", "counter", "What upstreams said of paths the cache lacks.");
    metric(text, "aux_cache_upstream_pulled_paths_total", "counter", "Paths that were committed from an upstream.");
    metric(text, "aux_cache_upstream_pulled_bytes_total", "counter", "Bytes of NARs that came from an upstream.");
    metric(text, "aux_cache_upstream_breaker", "gauge", "1 for the state that an upstream's circuit breaker is in.");
    for space in spaces {
        let (number, name) = (space.read().row.number, space.read().row.name.to_string());
        for upstream in server.cache.upstreams.of(number).iter() {
            let labels = format!("cache=\"{name}\",upstream=\"{}\"", upstream.name());
            for (answer, count) in upstream.counts.answers() {
                line(text, "aux_cache_upstream_answers_total", &format!("{labels},answer=\"{answer}\""), &count);
            }
            let (paths, bytes) = upstream.counts.pulled();
            line(text, "aux_cache_upstream_pulled_paths_total", &labels, &paths);
            line(text, "aux_cache_upstream_pulled_bytes_total", &labels, &bytes);
            let breaker = upstream.breaker(Instant::now());
            line(text, "aux_cache_upstream_breaker", &format!("{labels},state=\"{}\"", breaker.word), &1);
        }
    }
    let (offers, lacks) = server.cache.upstreams.remembered_counts();
    metric(text, "aux_cache_upstream_offers", "gauge", "Narinfos of upstreams that are remembered.");
    line(text, "aux_cache_upstream_offers", "", &offers);
    metric(text, "aux_cache_upstream_lacks", "gauge", "Paths that are remembered to be in no upstream.");
    line(text, "aux_cache_upstream_lacks", "", &lacks);
}

fn metric(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a `String` does not fail.
    let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, labels: &str, value: &dyn std::fmt::Display) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _infallible = writeln!(text, "{name}{labels} {value}");
}

/// All lines of a metric must stand together, its help first.
fn grouped(text: &str) -> String {
    let name = |line: &str| {
        let rest = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")).unwrap_or(line);
        rest.split([' ', '{']).next().unwrap_or_default().to_owned()
    };
    let mut lines: Vec<&str> = text.lines().collect();
    // The sort is stable: within a metric the order stays.
    lines.sort_by_key(|line| name(line));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_metric_stand_together() {
        let text = "# HELP b x\n# TYPE b gauge\n# HELP a x\n# TYPE a gauge\nb{l=\"1\"} 1\na 2\nb{l=\"2\"} 3\n";
        let expected = "# HELP a x\n# TYPE a gauge\na 2\n# HELP b x\n# TYPE b gauge\nb{l=\"1\"} 1\nb{l=\"2\"} 3\n";
        assert_eq!(grouped(text), expected);
    }
}
