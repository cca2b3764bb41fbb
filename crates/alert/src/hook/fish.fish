# aux: security news of this machine, before a prompt, when there is any. Written by `aux alert hook fish`.
function __aux_alert --on-event fish_prompt
    set -l last $status
    set -l file @LINE@
    set -l state $HOME/.local/state/aux
    test -n "$XDG_STATE_HOME"; and set state $XDG_STATE_HOME/aux
    set -l is_first yes
    set -q __aux_alert_line; and set is_first no
    set -l line ''
    test -s $file -a -r $file; and read line <$file
    test "$line" = "$__aux_alert_line"; and return $last
    set -g __aux_alert_line $line
    test -z "$line"; and return $last
    set -l seen ''
    test -s $state/motd-seen -a -r $state/motd-seen; and read seen <$state/motd-seen
    if test "$line" = "$seen"
        test $is_first = yes; and string match -q 'aux: critical: *' -- $line; or return $last
    end
    printf '%s\n' (string replace -ar '[[:cntrl:]]' '?' -- $line)
    if not test -d $state; and command -sq mkdir
        mkdir -p $state 2>/dev/null
    end
    test -d $state -a -w $state; and printf '%s\n' $line >$state/motd-seen
    return $last
end
