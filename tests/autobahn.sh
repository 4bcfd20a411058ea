#!/usr/bin/env bash
# Conformance: the Autobahn test suite against the echo servers, with compression: families 1 to 7, 9 and 10
# (301 cases), and 84 of the 216 cases of families 12 and 13.
#
#   tests/autobahn.sh [--all | --accept] SERVER...
#
#   SERVER     a program that takes `--listen ADDR` and `--compress on`, prints `listening on ADDR` and echoes
#              every message
#   --all      run all cases of families 12 and 13, as AUTOBAHN=all does
#   --accept   write what came out to tests/autobahn/results.txt instead of comparing with it
#
# Every case is one line, `CASE BEHAVIOR BEHAVIOR_CLOSE`, and has to be as committed, for every server the
# same, or OK if it only runs with --all; a FAILED is never accepted. What a case sends in one packet may arrive
# in several and the other way round, so cases that came out otherwise run again, by themselves and twice at
# most, before they count.
# Exit: 0 as committed, 1 not, 3 the suite could not be set up, 77 there is no Python 2.7 to run it on.
set -u -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 3
here=tests/autobahn
cache=$PWD/tests/.cache/autobahn
venv=$cache/venv
# Each case of compression sends 1000 messages, of up to 128 KiB: 10 GB in all, for each of which the suite takes
# half a minute of CPU time. So messages of up to 8 KiB, with all data and all offers.
cases=('1.*' '2.*' '3.*' '4.*' '5.*' '6.*' '7.*' '9.*' '10.*')
compression=(12.{1..5}.{1..6} 12.{1..5}.11 13.{1..7}.{1..6} 13.{1..7}.11)
accept=
case ${1-} in
  --accept) accept=yes && shift ;;
  --all) AUTOBAHN=all && shift ;;
esac
# How long the suite may take, in seconds.
limit=1800
[ "${AUTOBAHN-}" != all ] || { compression=('12.*' '13.*') && limit=14400; }
[ $# -gt 0 ] || { sed -n '5,10p' "$0" >&2; exit 3; }

server=
stop_server() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    server=
  fi
}
trap stop_server EXIT

# A CPython 2.7 of pyenv or of the PATH.
find_python() {
  local candidate
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7 python2.7 python2; do
    candidate=$(command -v -- "$candidate") || continue
    # A shim of pyenv is there for versions that are not.
    "$candidate" -c 'import sys, ssl, zlib; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null || continue
    echo "$candidate"
    return 0
  done
  return 1
}

set_up() {
  local python=$1
  cmp -s "$here/requirements.txt" "$venv/requirements.txt" && return 0
  echo "setting up the Autobahn test suite in tests/.cache/autobahn, once; this takes a minute or two"
  rm -rf -- "$venv" "$cache/boot"
  mkdir -p "$cache"
  # The last virtualenv that makes environments of Python 2.7.
  python3 -m venv "$cache/boot" &&
    "$cache/boot/bin/pip" install --quiet --disable-pip-version-check 'virtualenv==20.21.1' &&
    "$cache/boot/bin/virtualenv" --quiet --no-download --python "$python" "$venv" &&
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-python-version-warning \
      --requirement "$here/requirements.txt" || return 1
  cp "$here/requirements.txt" "$venv/requirements.txt"
}

# run NAME ADDRESS CASE...: runs the cases; the report of NAME is in its folder of the cache.
run() {
  local out=$cache/$1 address=$2 cases
  shift 2
  cases=$(printf '"%s", ' "$@")
  rm -rf -- "$out"
  mkdir -p "$out"
  cat >"$out/spec.json" <<SPEC
{
  "outdir": "$out",
  "servers": [{"agent": "echo", "url": "ws://$address"}],
  "cases": [${cases%, }],
  "exclude-cases": [],
  "exclude-agent-cases": {}
}
SPEC
  # Nothing between us and the loopback.
  (cd "$out" && env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY \
    timeout --kill-after=10 "$limit" "$venv/bin/wstest" -m fuzzingclient -s spec.json) \
    >"$out/wstest.log" 2>&1 </dev/null
  [ -f "$out/index.json" ] || { tail -n 20 "$out/wstest.log"; return 1; }
}

# expected RESULTS: what has to come out for the cases that ran.
expected() {
  cat "$here/results.txt"
  cut -d' ' -f1 "$1" | grep -vxFf <(cut -d' ' -f1 "$here/results.txt") | sed 's/$/ OK OK/'
}

differing() {
  diff <(expected "$1" | sort) <(sort "$1") | sed -n 's/^[<>] \([0-9.]*\) .*/\1/p' | sort -u
}

# once_more NAME ADDRESS RESULTS: a few that came out otherwise run again, twice at most.
once_more() {
  local name=$1 address=$2 results=$3 attempt again reports=("$cache/$1/index.json")
  for attempt in 1 2; do
    mapfile -t again < <(differing "$results")
    if [ ${#again[@]} -eq 0 ] || [ ${#again[@]} -gt 20 ]; then return 0; fi
    echo "$name: once more: ${again[*]}"
    run "$name-again-$attempt" "$address" "${again[@]}" || return 1
    reports+=("$cache/$name-again-$attempt/index.json")
    python3 "$here/verdicts.py" "${reports[@]}" >"$results" || return 1
  done
}

# conform PROGRAM: runs everything against this server and compares.
conform() {
  local program=$1 name address='' results
  name=$(basename "$program")
  results=$cache/$name.txt
  exec 5< <(exec "$program" --listen 127.0.0.1:0 --compress on)
  server=$!
  read -r -t 20 _ _ address <&5
  [ -n "$address" ] || { echo "$name does not listen"; return 1; }
  run "$name" "$address" "${cases[@]}" "${compression[@]}" || return 1
  python3 "$here/verdicts.py" "$cache/$name/index.json" >"$results" || return 1
  [ -n "$accept" ] || once_more "$name" "$address" "$results" || return 1
  stop_server
  exec 5<&-
  echo "$name: $(wc -l <"$results") cases: $(cut -d' ' -f2 "$results" | sort | uniq -c |
    sed 's/^ *\([0-9]*\) \(.*\)/\2 \1/' | paste -sd, | sed 's/,/, /g')"
  if grep -E 'FAILED|UNCLEAN|WRONG CODE|UNIMPLEMENTED' "$results"; then
    echo "$name: the report is tests/.cache/autobahn/$name/index.html"
    return 1
  fi
  if [ -n "$accept" ]; then
    [ ! -f "$cache/accepted" ] || diff -u "$cache/accepted" "$results" || return 1
    cp "$results" "$cache/accepted"
  else
    diff -u <(expected "$results" | sort -V) <(sort -V "$results")
  fi
}

python=$(find_python) || { echo "no Python 2.7, neither of pyenv nor in the PATH: the Autobahn test suite cannot run"; exit 77; }
set_up "$python" || exit 3
rm -f "$cache/accepted"
for program in "$@"; do
  conform "$program" || exit 1
done
if [ -n "$accept" ]; then
  cp "$cache/accepted" "$here/results.txt"
fi
