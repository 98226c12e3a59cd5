#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# quietly.sh LOG COMMAND…: runs COMMAND with all it says in LOG, which is shown only if it fails.
set -u
log=$1
shift
mkdir -p "$(dirname "$log")"
"$@" >"$log" 2>&1 || {
  status=$?
  {
    echo "'$*' failed (exit code $status). The end of $log:"
    tail -n 60 "$log"
  } >&2
  exit "$status"
}
