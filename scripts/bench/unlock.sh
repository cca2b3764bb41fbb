#!/usr/bin/env bash
# Unlocks by 2 of {TPM, tang, tang} with aux and with clevis, side by side on the same TPM and the same servers, and says how
# long each took as a whole process. Usage: scripts/bench/unlock.sh [AUX] [RUNS]
set -euo pipefail

aux=$(realpath "${1:-target/release/aux}")
runs=${2:-20}
folder=$(mktemp -d)
started=()
cleanup() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"

tpm_port=29321
mkdir state
swtpm socket --tpm2 --tpmstate dir=state --server type=tcp,port=$tpm_port,bindaddr=127.0.0.1 \
    --ctrl type=tcp,port=$((tpm_port + 1)),bindaddr=127.0.0.1 --flags not-need-init,startup-clear >/dev/null 2>&1 &
started+=($!)
export TPM2TOOLS_TCTI="swtpm:host=127.0.0.1,port=$tpm_port"
urls=() keys=()
for port in 29331 29332; do
    mkdir "keys-$port"
    /usr/libexec/tangd-keygen "keys-$port"
    socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" "EXEC:/usr/libexec/tangd $folder/keys-$port" 2>/dev/null &
    started+=($!)
    urls+=("http://127.0.0.1:$port")
    keys+=("$(jose jwk thp -i "$(grep -l ES512 "keys-$port"/*.jwk)" -a S256)")
done
for port in $tpm_port 29331 29332; do
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
done

# The TPM's storage root key is persistent, as systemd and the TCG's guidance leave it.
tpm2_createprimary -Q -C o -g sha256 -G ecc256:aes128cfb \
    -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt' -c primary.ctx
tpm2_evictcontrol -Q -C o -c primary.ctx 0x81000001
tpm2_flushcontext -t

reach=(--machine bench --tpm "swtpm:127.0.0.1:$tpm_port")
add() { "$aux" secret slot add "$@" "${reach[@]}" 2>/dev/null; }
add all --slots all.json --threshold 2 --tpm2 7 --tang "${urls[0]}" --tang "${urls[1]}" --trust "${keys[0]}" --trust "${keys[1]}"
add two --slots two.json --threshold 2 --tang "${urls[0]}" --tang "${urls[1]}" --trust "${keys[0]}" --trust "${keys[1]}"
add one --slots tang.json --tang "${urls[0]}" --trust "${keys[0]}"
add one --slots tpm.json --tpm2 7
tang=$(printf '{"url":"%s","thp":"%s"},{"url":"%s","thp":"%s"}' "${urls[0]}" "${keys[0]}" "${urls[1]}" "${keys[1]}")
secret=0123456789abcdef0123456789abcdef
tpm='{"pcr_bank":"sha256","pcr_ids":"7"}'
printf %s $secret | clevis encrypt sss '{"t":2,"pins":{"tpm2":'"$tpm"',"tang":['"$tang"']}}' >all.jwe
tpm2_flushcontext -t; tpm2_flushcontext -l; tpm2_flushcontext -s
printf %s $secret | clevis encrypt sss '{"t":2,"pins":{"tang":['"$tang"']}}' >two.jwe
printf %s $secret | clevis encrypt tang "${tang%%,\{*}" >tang.jwe
printf %s $secret | clevis encrypt tpm2 "$tpm" >tpm.jwe
tpm2_flushcontext -t; tpm2_flushcontext -l; tpm2_flushcontext -s

export aux runs tpm_port
python3 - <<'PYTHON'
import os, resource, statistics, subprocess, time

aux, runs, port = os.environ["aux"], int(os.environ["runs"]), os.environ["tpm_port"]

def timed(command, **options):
    """Milliseconds on the clock and of the processor, children included; servers are nobody's children here."""
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    start, before = time.perf_counter(), used()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    return 1000 * (time.perf_counter() - start), 1000 * (used() - before)

def ours(name):
    if os.path.exists("identity"):
        os.remove("identity")
    return timed([aux, "secret", "unlock", "--output", "identity", "--slots", f"{name}.json", "--machine", "bench",
                  "--tpm", f"swtpm:127.0.0.1:{port}"])

def clevis(name):
    with open(f"{name}.jwe", "rb") as jwe:
        took = timed(["clevis", "decrypt"], stdin=jwe)
    for kind in "tls":
        subprocess.run(["tpm2_flushcontext", f"-{kind}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return took

print(f"ms of {runs} whole processes{'':<15} median   best  processor")
def line(what, who, times):
    clock, processor = zip(*times)
    print(f"{what:<26} {who:<11} {statistics.median(clock):>7.1f} {min(clock):>6.1f} {statistics.median(processor):>10.1f}")

line("nothing", "aux", [timed([aux, "--version"]) for _ in range(runs)])
for name, what in [("all", "2 of TPM, tang, tang"), ("two", "2 of 2 tang"), ("tang", "tang"), ("tpm", "TPM, PCR 7")]:
    both = [(ours(name), clevis(name)) for _ in range(runs)]
    for who, times in zip(("aux", "clevis"), zip(*both)):
        line(what, who, times)
PYTHON
