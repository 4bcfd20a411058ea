# The parts of tests/run.sh that are Rust programs, which sources this file.
# shellcheck shell=bash

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
