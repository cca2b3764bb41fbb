#!/usr/bin/env bash
# Times the terminal hook inside each shell: microseconds a prompt, with nothing new and with news every time.
#
#   scripts/bench/hook.sh [AUX]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
aux=${1:-$root/target/release/aux}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/.local/state/aux"
echo 'aux: 3 alarms, 1 with a fix to take; see: aux audit' >"$work/motd"
seen=$work/.local/state/aux/motd-seen
export HOME=$work
unset XDG_STATE_HOME


time_in() { # shell, its options, prompt, what makes it news
    local shell=$1 prompt=$3 rounds=1000
    "$aux" alert hook "$shell" --line "$work/motd" >"$work/hook"
    for kind in quiet news; do
        local extra=:
        [[ $kind == news ]] && extra=$4
        if [[ $shell == fish ]]; then loop="for i in (seq $rounds); $extra; $prompt; end"
        else loop="for ((i = 0; i < $rounds; i++)); do $extra; $prompt; done"; fi
        printf '%s\n%s\n' "$(<"$work/hook")" "$loop" >"$work/script"
        rm -f "$seen"
        local begin=$EPOCHREALTIME
        # shellcheck disable=SC2086 # several options
        "$shell" $2 "$work/script" >/dev/null
        local end=$EPOCHREALTIME
        echo "$shell $kind: $(((${end/./} - ${begin/./}) / rounds)) microseconds a prompt"
    done
}

time_in bash '--norc --noprofile' __aux_alert "echo x >'$seen'; __aux_alert_line=x"
time_in zsh -f __aux_alert "echo x >|'$seen'; __aux_alert_line=x"
time_in fish --no-config 'emit fish_prompt' "echo x >'$seen'; set -g __aux_alert_line x"
