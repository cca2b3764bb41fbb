# aux: security news of this machine, before a prompt, when there is any. Written by `aux alert hook zsh`.
__aux_alert() {
    emulate -L zsh
    local line='' seen='' is_first=${__aux_alert_line-yes}
    local file=@LINE@ state=${XDG_STATE_HOME:-${HOME-}/.local/state}/aux
    [[ -s $file && -r $file ]] && IFS= read -r line <$file
    [[ $line == "${__aux_alert_line-}" ]] && return
    typeset -g __aux_alert_line=$line
    [[ -z $line ]] && return
    [[ -s $state/motd-seen && -r $state/motd-seen ]] && IFS= read -r seen <$state/motd-seen
    [[ $line == "$seen" && ! ($is_first == yes && $line == 'aux: critical: '*) ]] && return
    print -r -- "${line//[[:cntrl:]]/?}"
    {
        [[ -d $state ]] || mkdir -p $state
        print -r -- "$line" >|$state/motd-seen
    } 2>/dev/null
}
if [[ -o interactive ]] && (( ! ${precmd_functions[(I)__aux_alert]:-0} )); then
    precmd_functions+=(__aux_alert)
fi
