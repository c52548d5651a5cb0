#!/bin/sh
# Runs a task of the toolkit in its container, with no network and a read-only root:
#
#   sh run.sh test
#   sh run.sh create
#   sh run.sh create --prompt "1girl, solo, smile" --seed 1 --output first.png
#
# Pictures go to outputs/ beside this script; files that a task is to read go there too. DOCKER=podman
# uses Podman. GPUS=all hands NVIDIA GPUs to the container (the default where nvidia-smi finds one).
set -eu

image='@IMAGE@'
docker=${DOCKER:-docker}
here=$(CDPATH= cd "$(dirname "$0")" && pwd)
gpus=${GPUS-$(nvidia-smi -L > /dev/null 2>&1 && echo all || true)}

mkdir -p "$here/outputs"
[ $# -gt 0 ] || set -- test
set -- "$image" "$@"
for folder in "$here"/models/*; do
  [ -d "$folder" ] || continue
  set -- --volume "$folder:/app/models/${folder##*/}:ro" "$@"
done
[ ! -d "$here/models" ] || set -- --volume "$here/checksums.txt:/app/checksums.txt:ro" "$@"
[ -z "$gpus" ] || set -- --gpus "$gpus" "$@"
[ ! -t 0 ] || set -- --tty "$@"
exec "$docker" run --rm --interactive --network none --read-only --tmpfs /tmp \
  --cap-drop ALL --security-opt no-new-privileges --user "$(id -u):$(id -g)" \
  --volume "$here/outputs:/app/outputs" \
  --env LANG --env LC_ALL --env LC_MESSAGES --env TERM --env COLORTERM "$@"
