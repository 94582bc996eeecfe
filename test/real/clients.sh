#!/bin/bash
# Debian's python-karborclient 2.1 and OpenStackClient 6.0 with its data protection commands.
#
#   clients.sh install    installs the packages where they are missing; exit 3 when that cannot be done
set -euo pipefail
[ "${1:-}" = install ] || { sed -n '2,4p' "$0" >&2; exit 2; }
[ -d /usr/lib/python3/dist-packages/karborclient ] && [ -x /usr/bin/openstack ] && exit 0
export DEBIAN_FRONTEND=noninteractive
{ apt-get -o DPkg::Lock::Timeout=600 -qq update \
  && apt-get -o DPkg::Lock::Timeout=600 -qq -y --no-install-recommends install python3-karborclient python3-openstackclient; } >&2 || exit 3
