#!/bin/sh
# What only a GPU can tell, as one table in under eight minutes: see benchmarks/gpu.py, which takes the flags.
#
#     benchmarks/gpu.sh            on the first GPU
#     benchmarks/gpu.sh --small    tiny sizes on the CPU, to try the script
cd "$(dirname "$0")/.." || exit 1
PYTHONPATH=$PWD exec "${PYTHON:-python}" benchmarks/gpu.py "$@"
