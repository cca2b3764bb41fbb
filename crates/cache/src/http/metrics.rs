//! Prometheus' text format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write as _;

use super::{Failure, Server};

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
    Ok(grouped(&text))
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
