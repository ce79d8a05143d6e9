#!/usr/bin/env bash
# Installs the Debian packages for building (build), testing (test) or benchmarking (bench). Does nothing when they are there.
set -euo pipefail

build=(
    libprotobuf-c-dev protobuf-c-compiler protobuf-compiler python3-protobuf libsqlite3-dev libsimdjson-dev libopenblas-dev
    libhiredis-dev libpq-dev libsecret-1-dev zlib1g-dev g++ pkg-config python3 python3-pip python3-venv ca-certificates curl procps
)
test=(
    iproute2 faketime redis-server gnome-keyring dbus libsecret-tools openssl binutils systemd mount e2fsprogs util-linux
    postgresql pgbouncer
)
bench=(nginx-light wrk)

case "${1:-}" in
    build) wanted=("${build[@]}") ;;
    test) wanted=("${test[@]}") ;;
    bench) wanted=("${bench[@]}") ;;
    *)
        echo "usage: install.sh build|test|bench" >&2
        exit 64
        ;;
esac

if ! command -v swift >/dev/null; then
    echo "setup: swift is missing; install Swift 6.3 from swift.org and put it on PATH" >&2
    exit 1
fi

missing=()
for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

run=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: these packages are missing, and only root can install them: ${missing[*]}" >&2
        echo "setup: run as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    run=(sudo)
fi
echo "setup: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
get() { "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }
# The tests start servers of their own: Debian's package is kept from making one that runs from then on.
without_cluster() {
    [[ " ${missing[*]} " == *" postgresql "* ]] || return 0
    get postgresql-common && "${run[@]}" sed -Ei 's/^#?[[:space:]]*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
}
if ! { "${run[@]}" apt-get update && without_cluster && get "${missing[@]}"; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    echo "setup: apt-get could not install: ${missing[*]}" >&2
    exit 1
fi
