#!/usr/bin/env bash
# numpy.savez_compressed(file, allow_pickle=False, x=...) on two versions of NumPy.
#
# Versions: NumPy 1.26.4 and 2.3.5.
# Guess: every version takes allow_pickle as the switch that it is in numpy.save and numpy.load.
# Seen: NumPy 1.26 stores it: the archive holds a second array, named allow_pickle. NumPy 2.3 takes it as the switch. So
# code that is careful about pickles writes files that differ with the version, and a name that no reader expects.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
cat > write.py <<'PY'
import io

import numpy as np

buffer = io.BytesIO()
np.savez_compressed(buffer, allow_pickle=False, x=np.arange(3))
buffer.seek(0)
print(*sorted(np.load(buffer).files))
PY
for version in 1.26.4 2.3.5; do
    python3 -m venv "v$version"
    "v$version/bin/python" -m pip install --quiet "numpy==$version"
    "v$version/bin/python" write.py > "seen-$version"
    echo "seen: NumPy $version writes: $(cat "seen-$version")"
done
[ "$(cat seen-1.26.4)" = "allow_pickle x" ] || { echo "changed: NumPy 1.26 no longer stores the switch"; exit 1; }
[ "$(cat seen-2.3.5)" = "x" ] || { echo "changed: NumPy 2.3 does not take the switch"; exit 1; }
