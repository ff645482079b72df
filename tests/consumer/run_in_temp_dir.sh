#!/usr/bin/env bash
# usage: run_in_temp_dir.sh <program>
#
# Runs the program with an empty directory as its argument and removes the directory.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"$1" "$directory"
