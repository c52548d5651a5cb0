#!/bin/bash
#SBATCH --job-name=newbie
#SBATCH --array=0-7
#SBATCH --cpus-per-task=4
#SBATCH --requeue
# With GPUs: sbatch --gpus=1 deploy/slurm.sh BATCH. Without, the pictures are drawn on the processors.
#
# A batch as an array of jobs, submitted from the top of the toolkit. A task that failed is submitted
# again alone, as the number of parts does not depend on the array: sbatch --array=3 deploy/slurm.sh.
# Another number needs both: PARTS=16 sbatch --array=0-15 deploy/slurm.sh. With --claim behind the
# batch there are no parts: tasks draw what no other draws, and any array will do.
set -euo pipefail
batch=${1:-outputs/prompts.jsonl}
parts=${PARTS:-8}
index=${SLURM_ARRAY_TASK_ID:?submit it with sbatch: it is one task of an array}
first=${SLURM_ARRAY_TASK_MIN:-$index} last=${SLURM_ARRAY_TASK_MAX:-$index}
count=${SLURM_ARRAY_TASK_COUNT:-1}
case " ${*:2} " in
  *" --claim "*) share=() ;;
  *)
    # 0-3, say, looks like a whole array, and would leave four parts of eight undrawn.
    if [[ -z ${PARTS:-} && $count -gt 1 && $count -ne $parts &&
      ($last -gt $parts || ($first -le 1 && $((last - first + 1)) -eq $count)) ]]; then
      echo "The array has $count tasks, and the batch $parts parts." \
        "Say how many parts are meant: PARTS=$count sbatch …, or PARTS=$parts." >&2
      exit 2
    fi
    share=(--shard "$index/$parts")
    ;;
esac
# exec: Slurm's signals reach the task, and not a shell.
exec deno task --quiet create --batch "$batch" ${share+"${share[@]}"} ${2+"${@:2}"}
