#!/usr/bin/env bash
# Feast from PyPI in FOLDER/venv, and two repos with the benchmark's rows: FOLDER/redis, over the Redis at 127.0.0.1:6390, and
# FOLDER/sqlite. Needs Python 3.11 or newer, a package registry, and that Redis.
#
#     bench/peers/feast/setup.sh /tmp/feast
set -euo pipefail
folder=${1:?usage: setup.sh FOLDER}
here=$(cd "$(dirname "$0")" && pwd)

mkdir -p "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
"$folder/venv/bin/python" "$here/prepare.py" "$folder/redis" --online 127.0.0.1:6390
"$folder/venv/bin/python" "$here/prepare.py" "$folder/sqlite" --online sqlite
