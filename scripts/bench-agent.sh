#!/usr/bin/env bash
# Measures the agent and the notifier as processes on buses of their own, watching the NixOS 17.03 graph of the corpora:
# memory and wake-ups while idle, and the time from a replaced feed to the signal that listeners get and to the toast
# that a person does (the `Notify` call on the session's bus, where dunst shows toasts on a screen nobody sees).
#
# AUXD, AUX_NOTIFIER and AUX name the programs (release builds otherwise), IDLE_SECONDS how long idleness is watched
# (default 60), BENCH_RUNS how many feeds are put in place (default 10), each a month newer. Needs Debian's dbus-bin,
# dbus-daemon, dunst, libglib2.0-bin and xvfb.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
corpora=${AUX_CORPORA:-$root/../shared/corpora}
runs=${BENCH_RUNS:-10}
if [[ -z ${AUXD:-} || -z ${AUX_NOTIFIER:-} || -z ${AUX:-} ]]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package aux-cli --package aux-agent
fi
auxd=${AUXD:-$root/target/release/auxd}
notifier=${AUX_NOTIFIER:-$root/target/release/aux-notifier}
aux=${AUX:-$root/target/release/aux}
work=$(mktemp -d "${TMPDIR:-/tmp}/aux-bench.XXXXXX")
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
# Waits for a file to hold something.
until_there() { until grep -qs -- "$2" "$1"; do read -rt 0.05 <> <(:) || true; done; }

mkdir "$work/graph"
tar --extract --zstd --file "$corpora/nix/nixos-17.03-system.drvs.tar.zst" --directory "$work/graph"
for ((run = 0; run <= runs; run++)); do
    day=$(date --utc --date "2020-01-01 + $run months" +%F)
    "$aux" feed build --quiet --nvd "$corpora/nvd" --triage "$root/triage" --as-of "$day" --output "$work/$run.auxdb"
done
cp "$work/0.auxdb" "$work/feed.auxdb"
cat >"$work/aux.toml" <<EOF
feed = "feed.auxdb"
[agent]
machine = false
targets = ["graph"]
state = "state"
runtime = "run"
max_age_hours = 876000
alert_on = "any"
EOF
cat >"$work/bus.conf" <<EOF
<busconfig><type>system</type><listen>unix:path=$work/bus</listen><policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow receive_type="method_call"/>
<allow receive_type="signal"/><allow receive_type="method_return"/></policy></busconfig>
EOF
dbus-daemon --config-file="$work/bus.conf" --nofork --print-address=1 >"$work/address" 2>/dev/null &
started+=($!)
until_there "$work/address" unix
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
Xvfb -displayfd 1 -screen 0 640x480x24 -nolisten tcp >"$work/display" 2>/dev/null &
started+=($!)
until_there "$work/display" '[0-9]'
# The session's bus starts dunst when somebody has something to show.
DISPLAY=:$(cat "$work/display") dbus-daemon --session --nofork --print-address=1 >"$work/session" 2>/dev/null &
started+=($!)
until_there "$work/session" unix
DBUS_SESSION_BUS_ADDRESS=$(cat "$work/session")
export DBUS_SESSION_BUS_ADDRESS

"$auxd" --config "$work/aux.toml" 2>"$work/log" &
daemon=$!
started+=("$daemon")
until_there "$work/log" ready
"$notifier" --state "$work/shown" 2>"$work/notifier.log" &
shower=$!
started+=("$shower")
until_there "$work/notifier.log" ready

python3 - "$daemon" "$shower" "$work" "$runs" "${IDLE_SECONDS:-60}" <<'EOF'
import os, statistics, subprocess, sys, time

processes = {"auxd": sys.argv[1], "aux-notifier": sys.argv[2]}
work, runs, idle = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])

def resident(process):
    with open(f"/proc/{process}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

def switches(process):
    total = 0
    for task in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{task}/status") as status:
            total += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    return total

time.sleep(5)
before = {name: switches(process) for name, process in processes.items()}
time.sleep(idle)
for name, process in processes.items():
    print(f"{name} idle for {idle} s: {switches(process) - before[name]} wake-ups, {resident(process):.1f} MB resident")

def watch(command, ready):
    monitor = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while ready not in monitor.stdout.readline():
        pass
    return monitor

def wait(monitor, word):
    while word not in monitor.stdout.readline():
        pass

system = os.environ["DBUS_SYSTEM_BUS_ADDRESS"]
signals = watch(["gdbus", "monitor", "--address", system, "--dest", "org.auxolotl.Aux1"], "is owned by")
session = os.environ["DBUS_SESSION_BUS_ADDRESS"]
rule = "type='method_call',interface='org.freedesktop.Notifications',member='Notify'"
calls = watch(["dbus-monitor", "--address", session, "--profile", rule], "NameLost")
times = {"signal": [], "toast": []}
for run in range(1, runs + 1):
    start = time.perf_counter()
    os.rename(f"{work}/{run}.auxdb", f"{work}/feed.auxdb")
    wait(signals, "FindingsChanged")
    times["signal"].append((time.perf_counter() - start) * 1000)
    wait(calls, "Notify")
    times["toast"].append((time.perf_counter() - start) * 1000)
    # Two audits of one second are one to a listener, who sees whole seconds.
    time.sleep(2)
for monitor in (signals, calls):
    monitor.kill()
for name, taken in times.items():
    print(f"new feed to {name}: best {min(taken):.0f} ms, median {statistics.median(taken):.0f} ms, worst {max(taken):.0f} ms")
time.sleep(5)
for name, process in processes.items():
    print(f"{name} idle again: {resident(process):.1f} MB resident")
EOF
