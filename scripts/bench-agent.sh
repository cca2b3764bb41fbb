#!/usr/bin/env bash
# Measures the agent as a process on a private system bus, watching the NixOS 17.03 graph of the corpora: its memory and
# wake-ups while idle, and the time from a replaced feed to the signal that listeners get.
#
# AUXD and AUX name the programs (release builds otherwise), IDLE_SECONDS how long idleness is watched (default 60),
# BENCH_RUNS how many feeds are put in place (default 10). Needs dbus-daemon and gdbus (Debian's dbus-daemon, libglib2.0-bin).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
corpora=${AUX_CORPORA:-$root/../shared/corpora}
if [[ -z ${AUXD:-} || -z ${AUX:-} ]]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package aux-cli --package aux-agent
fi
auxd=${AUXD:-$root/target/release/auxd}
aux=${AUX:-$root/target/release/aux}
work=$(mktemp -d "${TMPDIR:-/tmp}/aux-bench.XXXXXX")
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/graph"
tar --extract --zstd --file "$corpora/nix/nixos-17.03-system.drvs.tar.zst" --directory "$work/graph"
"$aux" feed build --quiet --nvd "$corpora/nvd" --triage "$root/triage" --output "$work/all.auxdb"
"$aux" feed build --quiet --nvd "$corpora/nvd" --triage "$root/triage" --as-of 2021-01-01 --output "$work/older.auxdb"
cp "$work/older.auxdb" "$work/feed.auxdb"
cat >"$work/aux.toml" <<EOF
feed = "feed.auxdb"
[agent]
machine = false
targets = ["graph"]
state = "state"
runtime = "run"
max_age_hours = 876000
EOF
cat >"$work/bus.conf" <<EOF
<busconfig><type>system</type><listen>unix:path=$work/bus</listen><policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow receive_type="method_call"/>
<allow receive_type="signal"/><allow receive_type="method_return"/></policy></busconfig>
EOF
dbus-daemon --config-file="$work/bus.conf" --nofork --print-address=1 >"$work/address" 2>/dev/null &
started+=($!)
until [[ -s $work/address ]]; do read -rt 0.05 <> <(:) || true; done
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
"$auxd" --config "$work/aux.toml" 2>"$work/log" &
daemon=$!
started+=("$daemon")
until grep -q ready "$work/log"; do read -rt 0.05 <> <(:) || true; done

python3 - "$daemon" "$work" "${BENCH_RUNS:-10}" "${IDLE_SECONDS:-60}" <<'EOF'
import os, shutil, statistics, subprocess, sys, time

daemon, work, runs, idle = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def resident():
    with open(f"/proc/{daemon}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

def switches():
    total = 0
    for task in os.listdir(f"/proc/{daemon}/task"):
        with open(f"/proc/{daemon}/task/{task}/status") as status:
            total += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    return total

time.sleep(5)
before = switches()
time.sleep(idle)
print(f"idle for {idle} s: {switches() - before} wake-ups, {resident() / 1024:.1f} MB resident")

address = os.environ["DBUS_SYSTEM_BUS_ADDRESS"]
monitor = subprocess.Popen(["gdbus", "monitor", "--address", address, "--dest", "org.auxolotl.Aux1"],
                           stdout=subprocess.PIPE, text=True)
while "is owned by" not in monitor.stdout.readline():
    pass
times = []
for run in range(runs):
    feed = "all" if run % 2 == 0 else "older"
    shutil.copy(f"{work}/{feed}.auxdb", f"{work}/next")
    start = time.perf_counter()
    os.rename(f"{work}/next", f"{work}/feed.auxdb")
    while "FindingsChanged" not in monitor.stdout.readline():
        pass
    times.append((time.perf_counter() - start) * 1000)
    # Two audits of one second are one to a listener, who sees whole seconds.
    time.sleep(1.1)
monitor.kill()
print(f"new feed to signal: best {min(times):.0f} ms, median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms")
time.sleep(5)
print(f"idle again: {resident() / 1024:.1f} MB resident")
EOF
