#!/usr/bin/env bash
# usage: check_output.sh <program> <file>
#
# Runs the program, which must succeed and write exactly what is in the file.
set -euo pipefail
output=$(mktemp)
trap 'rm -f "$output"' EXIT
"$1" >"$output"
diff -u "$2" "$output"
