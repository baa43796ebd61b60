# Copyright The license-operator Authors.
# SPDX-License-Identifier: Apache-2.0

# Sourced by the other scripts: commands that take minutes, watched, so that nobody wonders whether anything happens.
# After sourcing, `watched` keeps what the command writes in $watch_log.

progress_seconds=10
watch_scratch=$(mktemp -d "${TMPDIR:-/tmp}/license-operator-make-XXXXXX")
watch_log=$watch_scratch/log
watch_child=''

# watch_kill: ends the watched command with everything it started.
watch_kill() {
  kill -TERM -- "-$watch_child" 2>/dev/null || true
  wait "$watch_child" 2>/dev/null || true
  for _ in {1..10}; do # what it started is not ours to wait for
    kill -0 -- "-$watch_child" 2>/dev/null || break
    sleep 0.1
  done
  watch_child=''
}

# watch_stop: ends the watched command, if one runs, and removes what is left. For an EXIT trap.
watch_stop() {
  [[ -z $watch_child ]] || watch_kill
  rm -rf "$watch_scratch"
}

# elapsed START: the time since START (a value of $SECONDS), as 42s or 3m05s.
elapsed() {
  local s=$((SECONDS - $1))
  if ((s < 60)); then echo "${s}s"; else printf '%dm%02ds' $((s / 60)) $((s % 60)); fi
}

# watched SECONDS TITLE COMMAND…: runs a command in a process group of its own, its output in $watch_log, and tells on
# standard error what it is doing every so often. SECONDS bounds it (0: no bound). Returns its exit code, or 124 when it
# took too long.
watched() {
  local bound=$1 title=$2 start=$SECONDS told=$SECONDS code=0
  shift 2
  set -m # a process group for it; besides, a background job of a script without job control ignores Ctrl-C
  # GOTMPDIR: a Go command that is stopped leaves its temporary files. 9 is envtest-assets' lock: nobody else may hold it.
  GOTMPDIR=$watch_scratch "$@" >"$watch_log" 2>&1 </dev/null 9>&- &
  watch_child=$!
  set +m
  while kill -0 "$watch_child" 2>/dev/null; do
    if ((bound && SECONDS - start >= bound)); then
      watch_kill
      return 124
    fi
    if ((SECONDS - told >= progress_seconds)); then
      told=$SECONDS
      printf '%s: %s%s\n' "$title" "$(elapsed "$start")" "$(watch_doing)" >&2
    fi
    sleep 0.2
  done
  wait "$watch_child" || code=$?
  watch_child=''
  return "$code"
}

# A line of `go build -v`: an import path and nothing else.
watch_package='^[A-Za-z0-9_.~-]+(/[A-Za-z0-9_.~-]+)*$'

# watch_doing: the last line of the log in words, if it is one of those that Go's commands print as they get on.
watch_doing() {
  local last
  last=$(tail -n 1 "$watch_log")
  if [[ $last == 'go: downloading '* ]]; then
    echo ", downloading modules (${last#go: downloading })"
  elif [[ $last =~ $watch_package ]]; then
    echo ", $(grep -cE "$watch_package" "$watch_log") packages compiled, now at $last"
  fi
}

# watch_output: what the command said, without its progress.
watch_output() {
  grep -vE -e "$watch_package" -e '^go: downloading ' "$watch_log" || true
}
