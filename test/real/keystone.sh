#!/bin/bash
# A real Keystone (Debian 12, 22.0) on loopback: one process, SQLite, Fernet tokens. Everything it writes is below one directory.
#
#   keystone.sh install            installs Debian's packages where they are missing; exit 3 when that cannot be done
#   keystone.sh start DIR [PORT]   v3 API on 127.0.0.1:PORT (default 15000), with user admin of project admin; prints
#                                  how to log in as shell exports
#   keystone.sh stop  DIR          ends what start began, by pid
#
# A second start goes on with what the first one left. Environment: KEYSTONE_TOKEN_SECONDS (default 3600), the life of a token
set -euo pipefail
PY=/usr/bin/python3 # Debian's: another one in PATH does not see Debian's modules.
ACTION=${1:-}; DIR=${2:-}; PORT=${3:-15000}
usage() { sed -n '2,10p' "$0" >&2; exit 2; }
install_packages() {
  [ -d /usr/lib/python3/dist-packages/keystone ] && [ -x /usr/bin/openstack ] && return 0
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -o DPkg::Lock::Timeout=600 -qq update \
    && apt-get -o DPkg::Lock::Timeout=600 -qq -y --no-install-recommends install python3-keystone python3-openstackclient; } >&2 || exit 3
}
if [ "$ACTION" = install ]; then install_packages; exit 0; fi
[ -n "$ACTION" ] && [ -n "$DIR" ] || usage
mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
C=$DIR/keystone.conf

make_config() {
  mkdir -p "$DIR"/{log,fernet,credential}; chmod 700 "$DIR/fernet" "$DIR/credential"
  cat >"$C" <<X
[DEFAULT]
log_dir = $DIR/log
log_file = keystone.log
[database]
connection = sqlite:///$DIR/keystone.sqlite
[token]
provider = fernet
expiration = ${KEYSTONE_TOKEN_SECONDS:-3600}
[fernet_tokens]
key_repository = $DIR/fernet
[credential]
key_repository = $DIR/credential
[cache]
enabled = false
[identity]
password_hash_rounds = 4
[oslo_messaging_notifications]
driver = noop
X
  cat >"$DIR/run.py" <<'P'
import logging, os, sys
conf, port = sys.argv[1], int(sys.argv[2])
sys.argv = ['keystone']
os.environ['OS_KEYSTONE_CONFIG_FILES'] = conf
from werkzeug.serving import run_simple
from keystone.server.wsgi import initialize_public_application
logging.getLogger('werkzeug').setLevel(logging.ERROR)
# One request after the other: SQLite has one writer.
run_simple('127.0.0.1', port, initialize_public_application())
P
}

make_database() {
  local manage="/usr/bin/keystone-manage --config-file $C" url=http://127.0.0.1:$PORT/v3
  $manage db_sync
  $manage fernet_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
  $manage credential_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
  $manage bootstrap --bootstrap-password secret --bootstrap-region-id RegionOne \
    --bootstrap-admin-url "$url" --bootstrap-internal-url "$url" --bootstrap-public-url "$url"
  # Write-ahead logging: Keystone reads beside its own writes, and SQLite would otherwise refuse their commit.
  "$PY" -c "import sqlite3; sqlite3.connect('$DIR/keystone.sqlite').execute('pragma journal_mode=wal')"
}

start() {
  install_packages
  export PYTHONWARNINGS=ignore
  make_config
  if [ ! -f "$DIR/ready" ]; then
    make_database >"$DIR/log/make.out" 2>&1 || { tail -20 "$DIR/log/make.out" >&2; exit 1; }
    touch "$DIR/ready"
  fi
  setsid "$PY" "$DIR/run.py" "$C" "$PORT" >"$DIR/log/keystone.out" 2>&1 </dev/null &
  echo $! >"$DIR/pid"
  local i
  for i in $(seq 1 600); do
    "$PY" -c "
import http.client, sys
c = http.client.HTTPConnection('127.0.0.1', $PORT, timeout=5); c.request('GET', '/v3'); sys.exit(c.getresponse().status != 200)" 2>/dev/null && break
    kill -0 "$(cat "$DIR/pid")" 2>/dev/null || { tail -20 "$DIR/log/keystone.out" >&2; exit 1; }
    sleep 0.2
  done
  cat <<X
export OS_AUTH_URL=http://127.0.0.1:$PORT/v3
export OS_IDENTITY_API_VERSION=3
export OS_USERNAME=admin
export OS_PASSWORD=secret
export OS_PROJECT_NAME=admin
export OS_USER_DOMAIN_NAME=Default
export OS_PROJECT_DOMAIN_NAME=Default
export OS_REGION_NAME=RegionOne
X
}

stop() {
  [ -f "$DIR/pid" ] || return 0
  local p i; p=$(cat "$DIR/pid")
  kill -TERM "$p" 2>/dev/null || true
  for i in $(seq 1 50); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
  kill -KILL "$p" 2>/dev/null || true
  rm -f "$DIR/pid"
}
case $ACTION in start) start;; stop) stop;; *) usage;; esac
