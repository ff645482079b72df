#!/usr/bin/env bash
# usage: usage_test.sh <script/>
#
# A script that is asked for something unknown says what it knows, does nothing, and ends with 2.
set -euo pipefail
scripts=$1

# expect <status> <text> <script> <arguments...>
expect() {
  local expected=$1 text=$2 output status=0
  shift 2
  output=$("$scripts/$1" "${@:2}" 2>&1 </dev/null) || status=$?
  if [[ $status != "$expected" || $output != *"$text"* ]]; then
    printf 'script/%s: status %s, expected %s and "%s" in:\n%s\n' "$*" "$status" "$expected" "$text" "$output"
    exit 1
  fi
}

expect 2 "no group 'cheese'" bootstrap cheese
expect 2 'usage: script/test [dev|' test cheese
expect 2 'known: conduit grpc links lock mux replica store' bench cheese
expect 2 'usage: script/test-fresh' test-fresh cheese
expect 2 "one preset at a time: 'asan', and then 'tidy'" test asan tidy
expect 2 "there is no directory 'cheese'" check cheese
expect 2 'usage: script/check' check --cheese
expect 2 'usage: script/check' check . .
for script in bootstrap check server test bench test-fresh; do
  expect 0 "usage: script/$script" "$script" --help
done
