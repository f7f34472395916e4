#!/bin/sh
# All that needs a GPU, in one go: parity in float16 on CUDA, then the serving benchmark on the GPU and on the CPU.
#
#     benchmarks/gpu.sh FOLDER
#
# FOLDER holds a bundle that was exported in float16 and int8; MODEL (everyday) and TARGET_LANGUAGE (de) say which, and
# what it translates into. Needs an NVIDIA driver and Python 3.11 or later; makes .venv-gpu. Results go to
# benchmarks/results/gpu-DATE, with the date, the machine and the name of its GPU.
set -eu

[ $# -eq 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
bundles=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
command -v nvidia-smi >/dev/null || { echo "no NVIDIA driver: nvidia-smi is missing" >&2; exit 1; }

[ -d .venv-gpu ] || "${PYTHON:-python3}" -m venv .venv-gpu
python=.venv-gpu/bin/python
# The CPU's package of ONNX Runtime and the GPU's share their files: the latter is installed last, and alone.
$python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' --editable ./service --editable ./models \
    --editable ./models/zoo --editable ./export
$python -m pip uninstall --quiet --yes onnxruntime onnxruntime-gpu
$python -m pip install --quiet 'onnxruntime-gpu[cuda,cudnn]>=1.23'
$python - <<'PYTHON'
import sys
import onnxruntime
onnxruntime.preload_dlls()
if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
    sys.exit("onnxruntime-gpu does not offer the CUDA provider here")
PYTHON

results=benchmarks/results/gpu-$(date +%Y-%m-%d)
mkdir -p "$results"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader > "$results/gpu.txt"
echo "Parity in float16 on CUDA"
$python -m pytest -m gpu tests -q 2>&1 | tee "$results/parity.txt"
for kind in cuda:float16 cpu:int8; do
  provider=${kind%:*}
  echo "Serving on $provider in ${kind#*:}"
  REGARD_PROVIDER=$provider REGARD_PRECISION=${kind#*:} $python -m benchmarks.serving --bundles "$bundles" --model "${MODEL:-everyday}" \
    --language "${TARGET_LANGUAGE:-de}" --json "$results/serving-$provider.json" | tee "$results/serving-$provider.txt"
done
echo "Results: $results"
