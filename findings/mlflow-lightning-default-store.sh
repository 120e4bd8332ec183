#!/usr/bin/env bash
# Lightning's MLflow logger with its defaults, under the third major version of MLflow.
#
# Versions: mlflow-skinny 3.17.2, pytorch-lightning 2.6.6, torch 2.13.0.
# Guess: `MLFlowLogger()` logs into ./mlruns, as its documentation says.
# Seen: making the logger already raises MlflowException: the file store is "in maintenance mode" and refused unless
# MLFLOW_ALLOW_FILE_STORE=true is set, so the logger's own default cannot log; a database address can.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
python3 -m venv v
v/bin/python -m pip install --quiet mlflow-skinny==3.17.2 pytorch-lightning==2.6.6 torch==2.13.0
v/bin/python - <<'PY'
import os

os.environ.pop("MLFLOW_ALLOW_FILE_STORE", None)
os.environ.pop("MLFLOW_TRACKING_URI", None)
from pytorch_lightning.loggers import MLFlowLogger

try:
    MLFlowLogger()
except Exception as error:
    kind, text = type(error).__name__, str(error)
    print(f"seen: {kind}: {text[:150]}")
    assert kind == "MlflowException" and "maintenance mode" in text, "the refusal changed"
else:
    raise SystemExit("changed: the default file store is accepted again")
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
MLFlowLogger().log_metrics({"loss": 1.0}, step=0)
print("seen: with MLFLOW_ALLOW_FILE_STORE=true the same call writes", sorted(os.listdir("."))[0:3])
PY
