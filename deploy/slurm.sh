#!/bin/bash
#SBATCH --job-name=newbie
#SBATCH --array=0-7
#SBATCH --cpus-per-task=4
#SBATCH --signal=TERM@60
# With GPUs: sbatch --gpus=1 deploy/slurm.sh BATCH. Without, the pictures are drawn on the processors.
#
# A batch as an array of jobs, submitted from the top of the toolkit. A task that failed is submitted
# again alone, as the number of parts does not depend on the array: sbatch --array=3 deploy/slurm.sh.
# Another number needs both: PARTS=16 sbatch --array=0-15 deploy/slurm.sh.
set -euo pipefail
batch=${1:-outputs/prompts.jsonl}
parts=${PARTS:-8}
index=${SLURM_ARRAY_TASK_ID:?submit it with sbatch: it is one task of an array}
# exec: Slurm's signals reach the task, which ends the picture that it draws.
exec deno task --quiet create --batch "$batch" --shard "$index/$parts" ${2+"${@:2}"}
