#!/usr/bin/env bash
# The demonstration: compiles a feed from examples/advisories and triage/, audits examples/fleet against it, and leaves
# reports in target/demo. Nothing is fetched, nothing outside target/ is written.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --release --package aux-cli
aux=target/release/aux
out=target/demo
fleet=(examples/fleet/{web.drvs,image.pkgsrc.json,appliance.cdx.json})
advisories=examples/advisories
# The newest example advisory is of 14 August 2024; ages are told as on the day after, so that the output stays the same.
day=2024-08-15
mkdir -p "$out"

# Shows a command as one would type it, then runs it.
show() {
    printf '\n$ %s\n' "$*" | fold -s -w 78 | sed '3,$s/^/    /; s/ $/ \\/'
    "$@"
}
# An audit that finds something exits 1. Here that is the point, and 2 (no answer) is the failure.
audit() {
    local code=0
    show "$aux" audit "$@" || code=$?
    ((code <= 1)) || { echo "demo: the audit gave no answer (exit $code)" >&2; exit 1; }
    exit_code=$code
}

show "$aux" feed build --nvd "$advisories/nvd" --osv "$advisories/osv" --kev "$advisories/kev.json" \
    --pkgsrc "$advisories/pkg-vulnerabilities" --triage triage --output "$out/feed.auxdb"
audit "${fleet[@]}" --feed "$out/feed.auxdb" --as-of "$day"
gate=$exit_code
audit "${fleet[@]}" --feed "$out/feed.auxdb" --explain CVE-2021-3156
# A lock names inputs and no packages, which by itself is no answer; here only the age of the inputs is asked for.
audit examples/fleet/flake.lock --feed "$out/feed.auxdb" --as-of "$day" --allow-incomplete

for format in json sarif markdown; do
    name=$out/report.${format/markdown/md}
    code=0
    "$aux" audit "${fleet[@]}" --feed "$out/feed.auxdb" --as-of "$day" --format "$format" --output "$name" --quiet ||
        code=$?
    ((code <= 1)) || exit 1
done

cat <<END

The audit's exit code was $gate. 0: nothing at or above the gate. 1: the answer
is no, as here. 2: no answer, because something was not read; never "clean".

Reports of the same audit:
  $out/report.json    for programs (schema aux.audit/1)
  $out/report.sarif   for code scanning
  $out/report.md      for a pull request comment
END
