#!/bin/sh
# aux: security news of this machine, when a session begins. Written by `aux alert hook motd`.
file=@LINE@
line=
if [ -s "$file" ] && [ -r "$file" ]; then IFS= read -r line <"$file"; fi
case $line in
    '' | *[[:cntrl:]]*) ;;
    *) printf '%s\n' "$line" ;;
esac
