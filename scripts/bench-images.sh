#!/usr/bin/env bash
# Measures the commands for origin images, and prints the table of docs/benchmarks.md: an audit of 114 packages against a list
# of 10 000 entries, beside `pkg_admin audit` on the same list and packages, and pins and bumps of 75 repositories.
#
# AUX names the program (a release build otherwise), PKG_ADMIN pkg_install's `pkg_admin` where there is one, BENCH_RUNS how often
# each is run (default 20, in turns). Needs git. The part of an audit that is no reading is `cargo bench -p aux-image`.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
runs=${BENCH_RUNS:-20}
if [[ -z ${AUX:-} ]]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package aux-cli
fi
aux=$(realpath "${AUX:-$root/target/release/aux}")
pkg_admin=${PKG_ADMIN:-$(command -v pkg_admin || true)}
work=$(mktemp -d "${TMPDIR:-/tmp}/aux-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
export HOME=$work XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config GIT_CONFIG_NOSYSTEM=1

# Patterns in the proportions of the real list: most name an end, some a range, a glob or braces.
awk 'BEGIN {
    print "# $NetBSD: pkg-vulnerabilities,v 1.9000 2019/01/10 12:00:00 x Exp $"; print "#FORMAT 1.1.0"
    for (n = 0; n < 10000; n++) {
        name = n % 2500; kind = n % 20
        if (kind == 0) pattern = "package" name "-[0-9]*"
        else if (kind == 1) pattern = "package" name "{,-lib}<1." n
        else if (kind <= 3) pattern = "package" name ">=1." int(n / 2) "<1." n
        else if (kind == 4) pattern = "{package" name ",other" name "}-1.[0-4]*"
        else pattern = "package" name "<1." n "nb2"
        printf "%s\tdenial-of-service\thttps://nvd.nist.gov/vuln/detail/CVE-2018-%04d\n", pattern, n
    }
}' >pkg-vulnerabilities
awk 'BEGIN { for (n = 0; n < 114; n++) printf "package%d-1.%dnb1\n", n * 20, n * 30 }' >packages
awk 'BEGIN { for (n = 0; n < 20000; n++) printf "PKGNAME=package%d-2.0\n\n", n }' >pkg_summary
# The same packages as pkg_install keeps them.
while read -r name; do
    mkdir -p "db/$name"
    printf '@name %s\n' "$name" >"db/$name/+CONTENTS"
    printf 'A package\n' | tee "db/$name/+COMMENT" >"db/$name/+DESC"
    printf 'OPSYS=SunOS\n' >"db/$name/+BUILD_INFO"
done <packages
cp pkg-vulnerabilities db/
printf 'PKGVULNDIR=%s/db\nPKG_DBDIR=%s/db\n' "$work" "$work" >pkg_install.conf

cp -r "$root/examples/image/." images
git -C images/component init --quiet --template= --initial-branch=master
git -C images/component add --all
git -C images/component -c user.name=a -c user.email=a@example.org commit --quiet -m first
names=()
for ((number = 0; number < 75; number++)); do
    names+=("component$number")
    cp -r images/component "component$number"
done

# Runs a command and appends its milliseconds to a file; whatever it says and however it ends.
timed() {
    local into=$1 began ended
    shift
    began=${EPOCHREALTIME/[.,]/}
    "$@" >/dev/null 2>&1 || true
    ended=${EPOCHREALTIME/[.,]/}
    echo $(((ended - began) / 10)) >>"$into"
}
# Median, least and most of a file of hundredths of milliseconds.
figures() {
    sort -n "$1" | awk '{ all[NR] = $1 / 100 } END {
        printf "%.1f (%.1f–%.1f)", NR % 2 ? all[(NR + 1) / 2] : (all[NR / 2] + all[NR / 2 + 1]) / 2, all[1], all[NR] }'
}
row() { printf '| %s | %s |\n' "$1" "$2"; }

# What is compared must find the same.
"$aux" image audit packages --vulnerabilities pkg-vulnerabilities --summary 2018Q4=pkg_summary --as-of 2019-01-12 --json >audit.json || true
found=$(grep -c '"pattern"' audit.json)
if [[ -n $pkg_admin ]]; then
    theirs=$("$pkg_admin" -C pkg_install.conf -K db audit | grep -c vulnerability || true)
    [[ $found == "$theirs" ]] || echo "bench: aux finds $found, pkg_admin $theirs" >&2
fi
for ((run = 0; run < runs; run++)); do
    timed audit "$aux" image audit packages --vulnerabilities pkg-vulnerabilities --summary 2018Q4=pkg_summary --as-of 2019-01-12
    [[ -z $pkg_admin ]] || timed theirs "$pkg_admin" -C pkg_install.conf -K db audit
    timed pins "$aux" image pins "${names[@]}" --catalog images/catalog.toml
done
bump=(image bump "${names[@]}" --to origin-x86_64-19.1.0 --catalog images/catalog.toml)
timed bump "$aux" "${bump[@]}"
git -C component74 rev-parse --quiet --verify refs/heads/image/origin-x86_64-19.1.0 >/dev/null
timed again "$aux" "${bump[@]}"

echo "| what, whole processes | ms |"
echo "|---|---|"
row "\`aux image audit\`, 114 packages × 10 000 entries, one branch of 20 000, $found findings" "$(figures audit)"
[[ -z $pkg_admin ]] || row "\`pkg_admin audit\`, the same list and packages, no branch" "$(figures theirs)"
row '`aux image pins`, 75 repositories' "$(figures pins)"
row '`aux image bump`, 75 repositories, a branch in each' "$(figures bump)"
row 'the same again, nothing to do' "$(figures again)"
