#!/usr/bin/env bash
# Times secrets as whole processes: 100 secrets of a machine as files beside an activation as agenix does it (one process of age a
# secret), and the manifest of a fleet of MACHINES (default 1000) with 50 secrets each. scripts/bench-secrets.sh [MACHINES]
#
# BENCH_RUNS (default 20) runs of an activation; shown are the median, the quickest and the processor time, milliseconds. AUX
# names the program (a release build otherwise). Needs Debian's age, python3.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
machines=${1:-1000}
runs=${BENCH_RUNS:-20}
for program in age age-keygen python3; do
    command -v "$program" >/dev/null || { echo "bench-secrets: $program is missing" >&2; exit 2; }
done
if [[ -z ${AUX:-} ]]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package aux-cli
fi
aux=$(realpath "${AUX:-$root/target/release/aux}")
# Where secrets lie on a machine: in memory.
work=$(mktemp -d /dev/shm/aux-secrets-bench.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work"
export HOME=$work/home
mkdir home

measure='
import os, statistics, subprocess, sys, time
label, runs, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
times, processor, peak = [], [], 0
for _ in range(runs):
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    times.append((time.perf_counter() - start) * 1000)
    # Of a shell, its children too.
    processor.append((usage.ru_utime + usage.ru_stime) * 1000)
    peak = max(peak, usage.ru_maxrss)
    if status:
        sys.exit(f"bench-secrets: {label}: exit {os.waitstatus_to_exitcode(status)}: {command}")
print(f"{label:<58}{statistics.median(times):>9.1f}{min(times):>9.1f}{statistics.median(processor):>9.1f}{peak / 1024:>8.0f}")
'
time_it() { # label, runs, command...
    python3 -c "$measure" "$@"
}

age-keygen -o admin.key 2>/dev/null
age-keygen -o web.key 2>/dev/null
admin=$(age-keygen -y admin.key)
machine=$(age-keygen -y web.key)
user=$(id -u) group=$(id -g)

# declare DIR MACHINES: 50 secrets each, of the kinds a server has.
declare_fleet() {
    "$aux" secret init "$1" --recipient "$admin" --accept-single-recipient >/dev/null
    {
        for ((number = 1; number <= $2; number++)); do
            printf '\n[machines.m%d]\nrecipients = ["%s"]\n' "$number" "$machine"
        done
        for ((number = 1; number <= 50; number++)); do
            case $((number % 10)) in
                0) kind=ssh-ed25519 ;;
                5) kind=$([[ $number == 5 ]] && echo wireguard || echo p256) ;;
                1 | 2) kind=hex ;;
                *) kind=password ;;
            esac
            printf '\n[secrets.of-%s-%d]\ntype = "%s"\nunits = ["unit-%d.service"]\n' "$kind" "$number" "$kind" "$number"
        done
    } >>"$1/aux-secrets.toml"
}

# One machine with 100 files; the same values as files of age, as agenix has them.
"$aux" secret init one --recipient "$admin" --accept-single-recipient >/dev/null
{
    printf '\n[machines.web]\nrecipients = ["%s"]\n' "$machine"
    for ((number = 1; number <= 100; number++)); do
        printf '\n[secrets.secret-%d]\ntype = "password"\nfile = true\nowner = "%d"\ngroup = "%d"\n' "$number" "$user" "$group"
    done
} >>one/aux-secrets.toml
"$aux" secret rekey --yes --repo one --identity admin.key >/dev/null
install=("$aux" secret install --repo one --machine web --identity web.key --to "$work/run/secrets")
"${install[@]}" >/dev/null
mkdir age
for file in run/secrets/current/*; do age -r "$machine" -o "age/${file##*/}.age" "$file"; done
cat >agenix.sh <<'SHELL'
set -e
generation=$(mktemp -d generation.XXXXXX)
chmod 0751 "$generation"
for file in age/*.age; do
    name=${file##*/}
    umask 0277
    age --decrypt -i web.key -o "$generation/${name%.age}.tmp" "$file"
    chmod 0400 "$generation/${name%.age}.tmp"
    chown 0:0 "$generation/${name%.age}.tmp" 2>/dev/null || true
    mv -f "$generation/${name%.age}.tmp" "$generation/${name%.age}"
done
ln -sfT "$generation" current
rm -rf "$generation"
SHELL

printf '%-58s%9s%9s%9s%8s\n' "" "median" "best" "CPU" "MB"
time_it "nothing (aux --version)" "$runs" "$aux" --version
time_it "100 secrets as files: aux secret install" "$runs" "${install[@]}"
time_it "100 files of age, a process each, as agenix" "$((runs < 5 ? runs : 5))" bash agenix.sh

declare_fleet fleet "$machines"
time_it "$machines machines, 50 secrets each: the first manifest" 1 \
    "$aux" secret rekey --yes --repo fleet --identity admin.key
time_it "check: signature, declaration, files" 3 "$aux" secret check fleet
time_it "check: and every value derived again" 3 "$aux" secret check fleet --identity admin.key
time_it "plan (nothing to do)" 3 "$aux" secret plan --repo fleet
time_it "rotate one secret of all machines" 1 "$aux" secret rotate of-hex-1 --repo fleet --identity admin.key
printf 'manifest: %s bytes, %s files\n' "$(stat --format %s fleet/aux-secrets.json)" "$(find fleet -type f | wc -l)"
