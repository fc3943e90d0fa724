# SPDX-License-Identifier: GPL-2.0-or-later
# coracle.bash - completion for bash: commands and options are asked from the help, names from `coracle list`
# shellcheck shell=bash

_coracle_options() {
    coracle "$@" --help 2>/dev/null | sed -n 's/^  ..[, ] \(--[a-z0-9-]*\).*/\1/p'
}

_coracle_commands() {
    coracle --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# What may stand behind an option; 1: it takes nothing that we know.
_coracle_value() {
    case $1 in
    --root | --switch-dir | --bundle | -b | --rootfs) compopt -o dirnames ;;
    --log | --config | --process | --resources | --pid-file | --console-socket) compopt -o default ;;
    --format) _coracle_words table json ;;
    --log-format) _coracle_words text json ;;
    --log-level) _coracle_words error warning info debug ;;
    *) return 1 ;;
    esac
}

_coracle_words() {
    mapfile -t COMPREPLY < <(compgen -W "$*" -- "${COMP_WORDS[COMP_CWORD]}")
}

# Behind `switch`, whose place in the line is $1: its commands, then names of switches or of a container.
_coracle_switch() {
    local behind=$((COMP_CWORD - $1))
    # shellcheck disable=SC2046 # words
    if ((behind == 1)); then
        _coracle_words create ls inspect rm up connect disconnect leases
    elif [[ ${COMP_WORDS[$1 + 1]} == @(connect|disconnect) ]] && ((behind == 2)); then
        _coracle_words $("${program[@]}" list --quiet 2>/dev/null)
    elif [[ ${COMP_WORDS[$1 + 1]} != @(create|ls) ]]; then
        _coracle_words $("${program[@]}" switch ls --quiet 2>/dev/null)
    fi
}

_coracle() {
    local word=${COMP_WORDS[COMP_CWORD]} command='' program=(coracle) i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --root) program+=(--root "${COMP_WORDS[++i]}") ;;
        --switch-dir) program+=(--switch-dir "${COMP_WORDS[++i]}") ;;
        --log | --log-format | --log-level | --cgroup-manager) i=$((i + 1)) ;;
        -* | =) ;;
        *) command=${COMP_WORDS[i]} && break ;;
        esac
    done
    if _coracle_value "${COMP_WORDS[COMP_CWORD - 1]}"; then
        return
    fi
    # shellcheck disable=SC2046 # words
    if [[ $word == -* && $command == switch ]] && ((i + 1 < COMP_CWORD)); then
        _coracle_words $(_coracle_options switch "${COMP_WORDS[i + 1]}")
    elif [[ $word == -* ]]; then
        _coracle_words $(_coracle_options ${command:+"$command"})
    elif [[ -z $command ]]; then
        _coracle_words $(_coracle_commands)
    elif [[ $command == switch ]]; then
        _coracle_switch "$i"
    elif [[ $command != @(create|run|list|spec|features) ]]; then
        _coracle_words $("${program[@]}" list --quiet 2>/dev/null)
    fi
}
complete -F _coracle coracle
