# The parts of tests/run.sh in which clients and tools of others meet a server, which sources this file.
# shellcheck shell=bash

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
