#!/usr/bin/env bash
# The one test command: every suite of the repository, on this machine and its loopback only.
#
#   tests/run.sh [PART...]      all parts, or those named: build rust cluster simulation swarm fuzz schedules miri
#                               autobahn clients newcomer metrics client environments react browser faults
#   tests/run.sh mutants        only where it is named: that the tests of recovery fail where recovery is broken
#
# It needs Rust, Node 20 and Python 3.11, and installs the rest itself: npm packages into the node_modules of
# tests/clients, tests/clients/environments, client-ts and its examples, Python packages and promtool into
# tests/.cache, chromium, firefox-esr and redis-server with apt-get. Ends with one line per part and its time; the exit
# code is not 0 if any failed.
set -u -o pipefail
# rustup would install a toolchain that is only asked for.
export RUSTUP_AUTO_INSTALL=0

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
cache=$root/tests/.cache
wanted=("$@")
verdicts=$(mktemp)
trap 'rm -f "$verdicts" "$verdicts".*' EXIT
# Background functions ignore an interrupt of the terminal.
trap 'trap - TERM; rm -f "$verdicts" "$verdicts".*; kill 0' INT TERM

say() { printf '\n=== %s\n' "$*"; }

# part NAME TITLE COMMAND...: runs one part, writes down its verdict and its time, and keeps what a failed one
# printed.
part() {
  local name=$1 title=$2 from=$SECONDS verdict log
  shift 2
  if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return 0; fi
  say "$title"
  log=$(mktemp "$verdicts.log.XXXX")
  # Not a pipe, for a part may set variables.
  if "$@" > >(tee "$log") 2>&1; then verdict=ok; else verdict=FAILED; fi
  printf '%-6s %4d s  %s\n' "$verdict" $((SECONDS - from)) "$title" >>"$verdicts"
  if [ "$verdict" = ok ]; then rm -f "$log"; else printf '%s\t%s\n' "$log" "$title" >>"$verdicts.failed"; fi
}

# The lines of the failed parts that say what failed, or their last ones, once more: thousands of lines are
# between them and the summary.
failures() {
  local log title
  [ -e "$verdicts.failed" ] || return 0
  while IFS=$'\t' read -r log title; do
    say "What failed in: $title"
    grep -a -A 3 -E "$failure" "$log" | tail -n 80 || tail -n 30 "$log"
  done <"$verdicts.failed"
}
# What the Rust tests, the compilers, node:test and unittest print of a failure.
failure="^test .*FAILED|panicked at|^error|^ *✖ |^(FAIL|ERROR): |^not ok"

# beside FUNCTION...: runs these functions concurrently, because they mostly wait. The output of the first one
# is shown at once, that of the others when all have ended.
beside() {
  local name processes=()
  for name in "${@:2}"; do
    "$name" >"$verdicts.$name" 2>&1 &
    processes+=($!)
  done
  "$1"
  wait "${processes[@]}"
  for name in "${@:2}"; do cat "$verdicts.$name"; done
}

# A thousand clients and their server need more than the usual 1024 open files.
raise_open_files() {
  local hard
  hard=$(ulimit -Hn)
  if [ "$hard" = unlimited ] || [ "$hard" -gt 16384 ]; then hard=16384; fi
  if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt "$hard" ]; then ulimit -n "$hard"; fi
  echo "open files: $(ulimit -n)"
}

for file in install rust clients; do
  # shellcheck source=/dev/null
  . "tests/parts/$file.sh"
done

# What an earlier run built is not tested in place of what does not build.
built=
build_examples() {
  built=no
  cargo build --release --workspace --examples --locked && built=yes
}

# Without the optimization of whole programs, which takes longer than all other compiling: a dozen programs
# are linked here.
export CARGO_PROFILE_RELEASE_LTO="${CARGO_PROFILE_RELEASE_LTO:-off}"
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS="${CARGO_PROFILE_RELEASE_CODEGEN_UNITS:-16}"

# What keeps the processors busy: nothing here is urgent, so the slow parts give way to the others.
machines() {
  part rust "Rust: cargo test --workspace" rust_tests
  part simulation "Simulation: 1000 seeds" nicely simulation
  part simulation "Simulation of several nodes: 240 seeds" nicely simulation_of_nodes
  part schedules "The runtime under 9000 schedules per test" nicely schedules
  part swarm "Ten thousand clients: restart, losses, partition, drain" swarm
  part fuzz "Fuzz targets: ${FUZZ_SECONDS:-20} s each" fuzz
  part miri "Miri over the core" miri
  # A test of the tests, which compiles the core ten times.
  if [[ " ${wanted[*]} " == *" mutants "* ]]; then
    part mutants "Ten faults in recovery, each of which a test finds" nicely tests/mutants.py
  fi
}

servers() {
  local runtime suffix
  part autobahn "Autobahn: 385 cases against echo and echo-smol" autobahn
  for runtime in tokio smol; do
    suffix=
    [ "$runtime" = tokio ] || suffix=-$runtime
    part clients "PyPI websockets against chat$suffix and echo$suffix" \
      python_clients "chat$suffix" "echo$suffix"
  done
  part metrics "The metrics of chat, read by promtool" metrics
  part cluster "The scripts of a cluster in Redis against their model, and nodes over it" cluster
}

javascript() {
  part clients "npm ws against chat and echo" node_clients chat echo
  part clients "npm ws against chat-smol and echo-smol" node_clients chat-smol echo-smol
  part clients "npm ws against the other examples" examples
  part client "TypeScript client against its vectors and chat" typescript_client chat echo
  part environments "The TypeScript client in Node, Bun, Deno, Jest, Hermes and workers" environments chat echo
  part react "The examples with React, built by Vite and Next, in Chromium" react_examples chat echo
  part browser "The chat page in Chromium, and compression in Firefox" browser chat echo
  part faults "The TypeScript client under faults, in Node and Chromium" faults chat echo
  part newcomer "A newcomer: cargo new, the README's axum program, two clients" newcomer
  part newcomer "The README's bots, with the client alone, against chat" bots
}

raise_open_files
part build "Release examples" build_examples
beside machines servers javascript

failures
say "Summary of tests/run.sh (${SECONDS} s)"
cat "$verdicts"
failed=$(grep -c '^FAILED' "$verdicts")
passed=$(grep -c '^ok' "$verdicts")
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
