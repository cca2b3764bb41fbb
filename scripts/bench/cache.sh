# Sourced by benchmarks of the cache: the programs, a folder that is cleared at the end, and a store to push.
#
# needs NAME PROGRAM... says which program is missing. begin NAME sets aux, server, work, started and HOME; store_of COUNT sets store.
needs() {
    local name=$1 program
    shift
    for program in "$@"; do
        command -v "$program" >/dev/null || { echo "$name: $program is missing" >&2; exit 2; }
    done
}

begin() {
    if [[ -z ${AUX:-} || -z ${AUX_SERVER:-} ]]; then
        cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package aux-cli --package aux-server
    fi
    aux=${AUX:-$root/target/release/aux}
    server=${AUX_SERVER:-$root/target/release/aux-server}
    work=$(mktemp -d "${TMPDIR:-/tmp}/aux-$1.XXXXXX")
    started=()
    trap 'kill "${started[@]}" 2>/dev/null || true; wait; chmod -R u+w "$work"; rm -rf "$work"' EXIT
    export NIX_CONFIG=$'build-users-group =\nexperimental-features = nix-command\nsubstituters ='
    export HOME=$work/home
    mkdir "$HOME"
}

store_of() {
    store=${BENCH_STORE:-$work/store}
    if [[ ! -d $store/nix/store ]]; then
        echo "a store of $1 packages is made" >&2
        "$root/scripts/bench/debian-store.sh" "$store" "$1" >/dev/null
    fi
}

until_answers() { until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do read -rt 0.05 <> <(:) || true; done; }
