#!/bin/bash
# Builds the other contestants of the IPC benchmark and runs it: peers.sh [options of peers.py]. Options: peers.py --help.
# The scratch folder is .build/bench-peers, or $BENCH_PEERS.
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=${BENCH_PEERS:-$here/../../.build/bench-peers}
case " $* " in *" --help "* | *" -h "*) exec python3 "$here/peers.py" --help ;; esac
"$here/Peers/build.sh" "$folder" || exit
exec python3 "$here/peers.py" --peers "$folder" "$@"
