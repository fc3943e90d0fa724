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
    --root | --bundle | -b | --rootfs) compopt -o dirnames ;;
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

_coracle() {
    local word=${COMP_WORDS[COMP_CWORD]} command='' program=(coracle) i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --root) program+=(--root "${COMP_WORDS[++i]}") ;;
        --log | --log-format | --log-level | --cgroup-manager) i=$((i + 1)) ;;
        -* | =) ;;
        *) command=${COMP_WORDS[i]} && break ;;
        esac
    done
    if _coracle_value "${COMP_WORDS[COMP_CWORD - 1]}"; then
        return
    fi
    # shellcheck disable=SC2046 # words
    if [[ $word == -* ]]; then
        _coracle_words $(_coracle_options ${command:+"$command"})
    elif [[ -z $command ]]; then
        _coracle_words $(_coracle_commands)
    elif [[ $command != @(create|run|list|spec|features) ]]; then
        _coracle_words $("${program[@]}" list --quiet 2>/dev/null)
    fi
}
complete -F _coracle coracle
