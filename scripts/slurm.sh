#!/usr/bin/env bash
# Train on a SLURM cluster, on one machine or many:
#
#     sbatch --nodes 2 --gpus-per-node 8 scripts/slurm.sh exp_dir=exp/x key=value ...
#
# Each machine runs one torchrun with a process for each of its GPUs. Two minutes before
# the time limit, and when the job is preempted, training saves and the job is put back
# into the queue, to go on where it was. Submit it from the repository; a partition, an
# account or another time limit go onto the command line of sbatch.
#SBATCH --job-name=asrkit
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=asrkit-%j.log
set -euo pipefail

: "${SLURM_JOB_ID:?is not set: submit this file with sbatch}"
python="${PYTHON:-.venv/bin/python}"
[ -x "$python" ] || python=python3
processes="${SLURM_GPUS_ON_NODE:-1}"
head="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)"
port=$((20000 + SLURM_JOB_ID % 20000)) # two jobs on one machine get two
# Each attempt of --max-restarts is to find processes of its own, not the dead ones'.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1

srun --kill-on-bad-exit=1 "$python" -m torch.distributed.run \
    --nnodes "$SLURM_JOB_NUM_NODES" --nproc-per-node "$processes" --max-restarts 3 \
    --rdzv-id "$SLURM_JOB_ID" --rdzv-backend c10d --rdzv-endpoint "$head:$port" \
    scripts/train.py "$@" &
step=$!

stopping=""
stop() {
    stopping=yes
    kill -TERM "$step" # srun hands it on to every machine
}
trap stop TERM

status=0
wait "$step" || status=$?
# A signal ends `wait` before the step has ended.
while kill -0 "$step" 2>/dev/null; do
    status=0
    wait "$step" || status=$?
done
if [ -n "$stopping" ] && [ "$status" -ne 0 ]; then
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
fi
exit "$status"
