# aux: security news of this machine, before a prompt, when there is any. Written by `aux alert hook bash`.
__aux_alert() {
    local last=$? line='' seen='' is_first=${__aux_alert_line-yes}
    local file=@LINE@ state=${XDG_STATE_HOME:-${HOME-}/.local/state}/aux
    [[ -s $file && -r $file ]] && IFS= read -r line <"$file"
    [[ $line == "${__aux_alert_line-}" ]] && return "$last"
    __aux_alert_line=$line
    [[ -z $line ]] && return "$last"
    [[ -s $state/motd-seen && -r $state/motd-seen ]] && IFS= read -r seen <"$state/motd-seen"
    [[ $line == "$seen" && ! ($is_first == yes && $line == 'aux: critical: '*) ]] && return "$last"
    printf '%s\n' "${line//[[:cntrl:]]/?}"
    {
        [[ -d $state ]] || mkdir -p "$state"
        printf '%s\n' "$line" >|"$state/motd-seen"
    } 2>/dev/null
    return "$last"
}
case $-:${PROMPT_COMMAND[*]-} in
    *__aux_alert*) ;;
    *i*:*) PROMPT_COMMAND="__aux_alert${PROMPT_COMMAND:+;$PROMPT_COMMAND}" ;;
esac
