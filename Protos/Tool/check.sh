#!/usr/bin/env bash
# Fails when the committed generated code is not what the .proto files say.
set -euo pipefail
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
/usr/bin/python3 Protos/Tool/generate.py Protos "$scratch"
for folder in Protos/Generated Protos/API/Generated Shared/IPC/Generated; do
    if ! diff -r -q "$folder" "$scratch/$folder" >&2; then
        echo "protos-check: $folder is stale; run: make protos" >&2
        exit 1
    fi
done
