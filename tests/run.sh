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
# Lanes ignore an interrupt of the terminal.
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

# beside LANE...: runs these functions at the same time, for most of what they do is to wait. What the first
# prints is seen at once, what the others print when all have ended.
beside() {
  local lane lanes=()
  for lane in "${@:2}"; do
    "$lane" >"$verdicts.$lane" 2>&1 &
    lanes+=($!)
  done
  "$1"
  wait "${lanes[@]}"
  for lane in "${@:2}"; do cat "$verdicts.$lane"; done
}

# A thousand clients and their server need more than the usual 1024 open files.
raise_open_files() {
  local hard
  hard=$(ulimit -Hn)
  if [ "$hard" = unlimited ] || [ "$hard" -gt 16384 ]; then hard=16384; fi
  if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt "$hard" ]; then ulimit -n "$hard"; fi
  echo "open files: $(ulimit -n)"
}

apt_get() {
  local sudo=() lock
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  echo "installing with apt-get: $*"
  # Lanes that install at the same time wait for each other.
  exec {lock}>"$verdicts.apt" && flock "$lock" || return 1
  "${sudo[@]}" apt-get update -qq && "${sudo[@]}" apt-get install -y -qq "$@"
  local verdict=$?
  exec {lock}>&-
  return $verdict
}

install_node_packages() {
  local stamp=tests/clients/node_modules/.lock
  command -v node >/dev/null || { echo "node is missing: install Node 20 or newer"; return 1; }
  if cmp -s tests/clients/package-lock.json "$stamp"; then
    echo "npm packages: present"
    return 0
  fi
  echo "npm packages: installing what tests/clients/package-lock.json names"
  (cd tests/clients && npm ci --no-audit --no-fund) || return 1
  cp tests/clients/package-lock.json "$stamp"
}

install_python_packages() {
  local stamp=$cache/venv/requirements.txt
  command -v python3 >/dev/null || { echo "python3 is missing: install Python 3.11 or newer"; return 1; }
  if cmp -s tests/clients/requirements.txt "$stamp"; then
    echo "Python packages: present"
    return 0
  fi
  echo "Python packages: installing what tests/clients/requirements.txt names into tests/.cache/venv"
  mkdir -p "$cache"
  # Debian ships the module venv without the package that fills one.
  python3 -m venv --clear "$cache/venv" ||
    { apt_get python3-venv && python3 -m venv --clear "$cache/venv"; } || return 1
  "$cache/venv/bin/pip" install --quiet --disable-pip-version-check \
    -r tests/clients/requirements.txt || return 1
  cp tests/clients/requirements.txt "$stamp"
}

install_client_packages() {
  local stamp=client-ts/node_modules/.lock
  command -v node >/dev/null || { echo "node is missing: install Node 20 or newer"; return 1; }
  if cmp -s client-ts/package-lock.json "$stamp"; then
    echo "npm packages of client-ts: present"
  else
    echo "npm packages of client-ts: installing what client-ts/package-lock.json names"
    (cd client-ts && npm ci --no-audit --no-fund) || return 1
    cp client-ts/package-lock.json "$stamp"
  fi
}

# What an earlier run built is not tested in place of what does not build.
built=
build_examples() {
  built=no
  cargo build --release --workspace --examples --locked && built=yes
}

# A fixed budget, so a fixed set of runs: it fails too when a rare path or a fault never happened.
simulation() {
  cargo run --release --locked -p switchboard-tests --bin simulate -- --seeds 1000 --threads 2
}

# Several nodes and their clients over a simulated broker; it fails too when a fault never happened.
simulation_of_nodes() {
  cargo run --release --locked -p switchboard-tests --bin simulate -- --nodes --seeds 240 --threads 2
}

# nicely FUNCTION: what it starts gives way to all other processes.
nicely() (
  renice -n 10 -p "$BASHPID" >/dev/null
  "$1"
)

# Ten thousand clients and their node; it fails where one knocks too often, too late or at all.
swarm() { cargo run --release --locked -p switchboard-tests --bin swarm -- 1 10000; }

# Each target for 20 s from the committed seeds, which `cargo test` has replayed already. What is
# found stays in target/fuzz: the corpus that grows there is used again, and a failing input too.
fuzz() {
  if ! cargo +nightly --version >/dev/null 2>&1 || ! cargo fuzz --version >/dev/null 2>&1; then
    echo "no nightly Rust or no cargo-fuzz: not fuzzed; the seeds were replayed with the Rust tests." \
      "To fuzz: rustup toolchain install nightly && cargo install cargo-fuzz --locked"
    return 0
  fi
  local name work=$target/fuzz failed=0 triple
  triple=$(rustc -vV | sed -n 's/^host: //p')
  # No sanitizer: nothing of ours is unsafe, and without one there are more than twice the executions.
  cargo +nightly fuzz build --fuzz-dir fuzz --sanitizer none --target-dir "$work" || return 1
  printf '%-12s %12s %9s %9s\n' target executions per_second coverage
  for name in $(cd fuzz/fuzz_targets && ls | sed 's/\.rs$//'); do
    fuzz_target "$work/$triple/release/$name" "$name" "$work/run/$name" || failed=1
  done
  return $failed
}

fuzz_target() {
  local program=$1 name=$2 work=$3 ok=0 executions coverage
  mkdir -p "$work/corpus"
  "$program" -max_total_time="${FUZZ_SECONDS:-20}" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
    -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus" "fuzz/seeds/$name" \
    >"$work/log" 2>&1 || ok=1
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
  coverage=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$work/log" | tail -n 1)
  printf '%-12s %12s %9s %9s\n' "$name" "$executions" \
    "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$work/log")" "$coverage"
  if [ "$ok" != 0 ] || [ "${executions:-0}" = 0 ]; then
    echo "$name failed; the input is beside $work/log, and this replays it: $program INPUT"
    grep -a -m 1 -A 3 'panicked at' "$work/log"
    tail -n 3 "$work/log"
    return 1
  fi
}

# The real driver under a fixed set of orders of its threads; in release, for there are many.
schedules() {
  SWITCHBOARD_SCHEDULES=3000 cargo test --release --locked -p switchboard-runtime --lib -- --nocapture
}

# What of the core's tests an interpreter gets through in a minute or two: the core has no unsafe code,
# what it stands on has. Needs a nightly with two components, and says so where they are missing.
miri() {
  if ! cargo +nightly miri --version 2>/dev/null ||
    [ ! -d "$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library" ]; then
    echo "Miri is missing, nothing is run: rustup component add --toolchain nightly miri rust-src"
    return 0
  fi
  MIRIFLAGS=-Zmiri-strict-provenance CARGO_TARGET_DIR=$target/miri cargo +nightly miri test \
    --locked --quiet -p switchboard-core --lib --test protocol --test protocol_encoding
}

# Those that need a real Redis are skipped here, whether there is one or not: they are the next part.
rust_tests() { SWITCHBOARD_REDIS=none cargo test --workspace --locked --no-fail-fast; }

# The scripts of a cluster in a real Redis, which the test starts, against their model; machines of nodes in
# virtual time; nodes over a real Redis, and hubs in processes of their own.
# The Rust tests skip this where there is none; here there must be one.
cluster() {
  if [ -z "${SWITCHBOARD_REDIS-}" ] && ! command -v redis-server >/dev/null; then
    apt_get redis-server ||
      { echo "redis-server is missing: install it, or name another by SWITCHBOARD_REDIS"; return 1; }
  fi
  SWITCHBOARD_REDIS_REQUIRED=yes SWITCHBOARD_BROKER_SEEDS="${SWITCHBOARD_BROKER_SEEDS:-50}" \
    SWITCHBOARD_CLUSTER_SEEDS="${SWITCHBOARD_CLUSTER_SEEDS:-100}" \
    SWITCHBOARD_HUBS_FAULTS="${SWITCHBOARD_HUBS_FAULTS:-40}" \
    cargo test --locked -p switchboard-tests --test broker --test cluster --test redis --test nodes \
    --test redis_hubs
}

# The Autobahn test suite against both echo servers. It needs Python 2.7, which not every machine has.
autobahn() {
  local verdict=0
  with_servers chat echo with_servers chat-smol echo-smol tests/autobahn.sh \
    "$target/release/examples/echo" "$target/release/examples/echo-smol" || verdict=$?
  [ "$verdict" = 77 ] || return "$verdict"
  echo "skipped: this is no failure"
}

# with_servers CHAT ECHO COMMAND...: the clients learn by these variables whom to test.
with_servers() {
  local bin=$target/release/examples chat=$1 echo=$2
  shift 2
  if [ "$built" = no ] || [ ! -x "$bin/$chat" ] || [ ! -x "$bin/$echo" ]; then
    echo "$chat and $echo are not built"
    return 1
  fi
  SWITCHBOARD_CHAT=$bin/$chat SWITCHBOARD_ECHO=$bin/$echo "$@"
}

node_clients() {
  install_node_packages &&
    with_servers "$1" "$2" node --test --test-reporter=spec --test-timeout=120000 \
      tests/clients/node/*.test.mjs
}

# The example programs other than chat and echo.
examples() {
  install_node_packages || return 1
  if [ "$built" = no ] || [ ! -x "$target/release/examples/axum-chat" ]; then
    echo "the examples are not built"
    return 1
  fi
  SWITCHBOARD_EXAMPLES=$target/release/examples \
    node --test --test-reporter=spec --test-timeout=120000 tests/clients/examples/*.test.mjs
}

# Prints a port that is free, below those that the system hands out, so that nobody gets it by chance meanwhile.
free_port() {
  python3 - <<'END'
import random
import socket

while True:
    port = random.randrange(20000, 32000)
    try:
        with socket.socket() as it:
            it.bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break
END
}

# readme_program PATTERN PORT: the first block of code in the README that matches, for another port.
readme_program() {
  awk -v pattern="$1" '/^```/ { if (block ~ pattern) { printf "%s", block; exit } block = ""; next }
    { block = block $0 "\n" }' README.md | sed "s/127.0.0.1:8080/127.0.0.1:$2/"
}

# The way of a newcomer: a new package, the README's axum program pasted into it, and two clients that talk.
newcomer() {
  local work port verdict=0
  install_node_packages && work=$(mktemp -d)/newcomer || return 1
  port=$(free_port)
  cargo new --quiet "$work" || return 1
  cat >>"$work/Cargo.toml" <<END
axum = "0.8"
switchboard-tokio = { path = "$root/runtime-tokio", features = ["axum"] }
tokio = { version = "1", features = ["full"] }
END
  # The versions that are there already, as far as they are the same crates.
  cp Cargo.lock "$work"
  readme_program "use axum::" "$port" >"$work/src/main.rs"
  grep -q "127.0.0.1:$port" "$work/src/main.rs" || { echo "the README has no such program"; verdict=1; }
  CARGO_TARGET_DIR=$target cargo build --manifest-path "$work/Cargo.toml" &&
    SWITCHBOARD_NEWCOMER=$target/debug/newcomer SWITCHBOARD_NEWCOMER_PORT=$port \
      node --test --test-reporter=spec --test-timeout=120000 tests/clients/newcomer/*.test.mjs || verdict=1
  rm -rf "$(dirname "$work")"
  return $verdict
}

# The README's bots in packages that take the client of each runtime and not the server, against chat.
bots() {
  local work port runtime verdict=0 name
  local -A runtimes=([tokio]='tokio = { version = "1", features = ["full"] }' [smol]='smol = "2"')
  install_node_packages && work=$(mktemp -d) && port=$(free_port) || return 1
  for runtime in "${!runtimes[@]}"; do
    name=$runtime-bot
    cargo new --quiet "$work/$name" || return 1
    cat >>"$work/$name/Cargo.toml" <<END
switchboard-$runtime = { path = "$root/runtime-$runtime", default-features = false, features = ["client"] }
${runtimes[$runtime]}
END
    cp Cargo.lock "$work/$name"
    readme_program "use switchboard_${runtime}::client::" "$port" >"$work/$name/src/main.rs"
    grep -q "127.0.0.1:$port" "$work/$name/src/main.rs" || { echo "the README has no such bot"; verdict=1; }
    CARGO_TARGET_DIR=$target cargo build --manifest-path "$work/$name/Cargo.toml" || verdict=1
  done
  [ $verdict = 0 ] && SWITCHBOARD_BOTS=$target/debug SWITCHBOARD_BOTS_PORT=$port with_servers chat echo \
    node --test --test-reporter=spec --test-timeout=120000 tests/clients/bots/*.test.mjs || verdict=1
  rm -rf "$work"
  return $verdict
}

python_clients() {
  install_python_packages &&
    with_servers "$1" "$2" "$cache/venv/bin/python" -B -m unittest discover -v \
      -s tests/clients/python
}

# The promtool on the path, or that of Debian, which is unpacked and not installed: the package would
# start a server.
find_promtool() {
  command -v promtool && return 0
  local work=$cache/prometheus
  if [ ! -x "$work/usr/bin/promtool" ]; then
    mkdir -p "$work" && (cd "$work" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . &&
      rm prometheus_*.deb) >&2 || return 1
  fi
  echo "$work/usr/bin/promtool"
}

# The metrics as Prometheus reads them, in both formats, and the queries of docs/ as it parses them.
metrics() {
  local promtool address work=$target/metrics verdict=0 server chat=$target/release/examples/chat
  promtool=$(find_promtool) || {
    echo "promtool is missing and cannot be downloaded: nothing is checked, which is no failure"
    return 0
  }
  if [ "$built" = no ] || [ ! -x "$chat" ]; then
    echo "chat is not built"
    return 1
  fi
  rm -rf "$work" && mkdir -p "$work" || return 1
  "$chat" --listen 127.0.0.1:0 >"$work/address" 2>"$work/log" &
  server=$!
  for _ in $(seq 100); do
    address=$(sed -n 's/^listening on //p' "$work/address")
    [ -z "$address" ] || break
    sleep 0.1
  done
  python3 - "http://$address/metrics" "$work" <<'END' || verdict=1
import json
import sys
from urllib.request import Request, urlopen

url, work = sys.argv[1:]
for accept, name in ("text/plain", "text"), ("application/openmetrics-text", "openmetrics"):
    text = urlopen(Request(url, headers={"Accept": accept}), timeout=10).read().decode()
    if name == "openmetrics":
        # promtool reads this format only where each sample has a time.
        lines = text.splitlines()
        text = "".join(f"{it}\n" if it.startswith("#") else f"{it} 1700000000\n" for it in lines)
    open(f"{work}/{name}", "w").write(text)

# The board's queries as rules, which are all that promtool checks.
board = open("docs/grafana.json").read().replace("$__rate_interval", "5m")
panels = json.loads(board)["panels"]
queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
rules = [{"record": f"board:{number}", "expr": it} for number, it in enumerate(queries)]
json.dump({"groups": [{"name": "board", "rules": rules}]}, open(f"{work}/board.yml", "w"))
END
  kill "$server"
  "$promtool" check metrics <"$work/text" || verdict=1
  "$promtool" tsdb create-blocks-from openmetrics "$work/openmetrics" "$work/blocks" || verdict=1
  "$promtool" check rules docs/alerts.yml "$work/board.yml" || verdict=1
  return $verdict
}

# A real browser: Debian's chromium, or the one that CHROMIUM names.
find_chromium() {
  if [ -z "${CHROMIUM-}" ]; then
    command -v chromium >/dev/null || apt_get chromium ||
      { echo "chromium is missing: install it, or name another by CHROMIUM"; return 1; }
    CHROMIUM=$(command -v chromium)
    export CHROMIUM
  fi
}

# Another real browser: Debian's firefox-esr, or the one that FIREFOX names.
find_firefox() {
  if [ -z "${FIREFOX-}" ]; then
    FIREFOX=$(command -v firefox-esr || command -v firefox) ||
      { apt_get firefox-esr && FIREFOX=$(command -v firefox-esr); } ||
      { echo "firefox-esr is missing: install it, or name another Firefox by FIREFOX"; return 1; }
    export FIREFOX
  fi
}

# The TypeScript client under faults of its network, clock, host and page, in Node and in Chromium.
faults() {
  find_chromium && install_node_packages &&
    with_servers "$1" "$2" node --test --test-reporter=spec --test-timeout=600000 \
      tests/clients/faults/*.test.mjs
}

# The chat page, and the TypeScript client without WebSockets, in Chromium; what Firefox inflates.
browser() {
  find_chromium && find_firefox && install_node_packages && install_client_packages && npm --prefix client-ts run build &&
    with_servers "$1" "$2" node --test --test-reporter=spec --test-timeout=300000 \
      tests/clients/browser/*.test.mjs
}

# The TypeScript client: its types, its lint, its decisions against the vectors, its size, and whether
# the chat page embeds what its source says. With a server, also against that.
typescript_client() {
  install_client_packages || return 1
  (cd client-ts && npm run check && npm run lint && npm run size && npm run bundle -- --check) &&
    with_servers "$1" "$2" npm --prefix client-ts test && same_decisions
}

# What the TypeScript client decides about random events, played against the Rust client.
same_decisions() {
  node client-ts/scripts/random-vectors.mjs "$target/vectors" "${SWITCHBOARD_VECTORS_SEED:-1}" 1000 &&
    SWITCHBOARD_VECTORS=$target/vectors cargo test --quiet --locked -p switchboard-core --test client_vectors
}

# pack_client: the client as a package, which `with_packed_client` copies.
pack_client() {
  packed=$target/client-ts
  rm -rf "$packed" && mkdir -p "$packed" && (cd client-ts && npm pack --silent --pack-destination "$packed")
}

# with_packed_client FOLDER: installs the packages of a folder that uses the client, with the client as it is
# packed now in place of what npm copied when it installed the others.
with_packed_client() {
  local stamp=$1/node_modules/.lock at=$1/node_modules/@switchboard/client
  if cmp -s "$1/package-lock.json" "$stamp"; then
    echo "npm packages of $1: present"
  else
    echo "npm packages of $1: installing what its package-lock.json names"
    (cd "$1" && npm ci --no-audit --no-fund) || return 1
    cp "$1/package-lock.json" "$stamp"
  fi
  rm -rf "$at" && mkdir -p "$at" && tar -xzf "$packed"/switchboard-client-*.tgz -C "$at" --strip-components=1
}

# The examples with React: built by Vite and by Next, then in Chromium.
react_examples() {
  local name at
  find_chromium && install_node_packages && install_client_packages && pack_client || return 1
  for name in vite next; do
    at=client-ts/examples/$name
    with_packed_client "$at" && NEXT_TELEMETRY_DISABLED=1 npm --prefix "$at" run build || return 1
  done
  with_servers "$1" "$2" node --test --test-reporter=spec --test-timeout=300000 tests/clients/react/*.test.mjs
}

# The TypeScript client where its README says that it runs: Node, Bun, Deno, Jest, Hermes, workers.
environments() {
  find_chromium && install_node_packages && install_client_packages && pack_client &&
    with_packed_client tests/clients/environments &&
    with_servers "$1" "$2" node --test --test-reporter=spec --test-timeout=300000 \
      tests/clients/environments/*.test.mjs
}

# Without the optimization of whole programs, which takes longer than all other compiling: a dozen programs
# are linked here.
export CARGO_PROFILE_RELEASE_LTO="${CARGO_PROFILE_RELEASE_LTO:-off}"
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS="${CARGO_PROFILE_RELEASE_CODEGEN_UNITS:-16}"

# What keeps the processors busy; where it cannot be late for anything, it gives way to the other lanes.
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
