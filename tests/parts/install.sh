# Installs what the parts of tests/run.sh need, which sources this file.
# shellcheck shell=bash

apt_get() {
  local sudo=() lock
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  echo "installing with apt-get: $*"
  # Functions that install concurrently wait for each other.
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
