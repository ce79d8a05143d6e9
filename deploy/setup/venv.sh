#!/usr/bin/env bash
# Makes a Python environment with the pinned clients the tests use. Does nothing when it is there and current.
set -euo pipefail
folder=${1:?usage: venv.sh FOLDER}
wanted=$(dirname "$0")/../../Tests/Support/requirements.txt
if [ -e "$folder/requirements.txt" ] && cmp -s "$wanted" "$folder/requirements.txt"; then exit 0; fi
python=$(command -v python3.11 || command -v python3)
rm -rf "$folder"
"$python" -m venv "$folder"
echo "setup: installing the Python clients the tests use"
"$folder/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
cp "$wanted" "$folder/requirements.txt"
