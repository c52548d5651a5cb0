#!/bin/sh
# Installs this bundle on a machine without a network. It needs docker (or podman), sh, cat, tar and
# sha256sum. Everything is verified before anything is installed.
#
#   sh load.sh [--verify] [--sha256 DIGEST] [--key FILE] [--into FOLDER] [FOLDER...]
#
#   --verify       only verify
#   --sha256 DIGEST
#                  what the SHA-256 of SHA256SUMS must be, as it was told with the bundle
#   --key FILE     the public key, of OpenSSH or of minisign, that SHA256SUMS must be signed with
#   --into FOLDER  where the scripts and the weights go (default: ./@NAME@-installed)
#   FOLDER...      where volumes lie that are not beside this script: other sticks, other discs
#
# DOCKER=podman uses Podman.
set -eu

image='@IMAGE@'
# What engines call it: by its configuration's digest, or by its manifest's.
ids='@IDS@'
members='@MEMBERS@'
into='@NAME@-installed'
docker=${DOCKER:-docker}
verify_only=
kept=
key=

case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
  zh | zh[_.-]*) say() { printf '%s\n' "$2"; } ;;
  *) say() { printf '%s\n' "$1"; } ;;
esac
fail() {
  say "error: $1" "错误：$2" >&2
  exit "${3:-1}"
}

here=$(CDPATH= cd "$(dirname "$0")" && pwd)
folders=$here
newline='
'
while [ $# -gt 0 ]; do
  case $1 in
    --verify) verify_only=yes ;;
    --sha256)
      [ $# -gt 1 ] || fail "--sha256 needs a digest." "--sha256 需要一个校验值。" 2
      kept=$(printf %s "$2" | tr A-F a-f)
      shift
      ;;
    --key)
      [ $# -gt 1 ] && [ -r "$2" ] || fail "--key needs a public key's file." "--key 需要一个公钥文件。" 2
      key=$2
      shift
      ;;
    --into)
      [ $# -gt 1 ] || fail "--into needs a folder." "--into 需要一个文件夹。" 2
      into=$2
      shift
      ;;
    -h | --help)
      sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    -*) fail "unknown option $1; see --help." "未知的选项 $1；参见 --help。" 2 ;;
    *)
      [ -d "$1" ] || fail "$1 is no folder." "$1 不是文件夹。" 2
      folders="$folders$newline$1"
      ;;
  esac
  shift
done

if command -v sha256sum > /dev/null; then
  sum_of() { sha256sum < "$1"; }
elif command -v shasum > /dev/null; then
  sum_of() { shasum -a 256 < "$1"; }
else
  fail "sha256sum is not here, so nothing can be verified." "找不到 sha256sum，无法校验。"
fi

[ -r "$here/SHA256SUMS" ] ||
  fail "SHA256SUMS is not beside this script." "此脚本旁没有 SHA256SUMS。"

if [ -n "$kept" ]; then
  found=$(sum_of "$here/SHA256SUMS")
  [ "${found%% *}" = "$kept" ] || fail "the SHA-256 of SHA256SUMS is ${found%% *}, and should be $kept." \
    "SHA256SUMS 的 SHA-256 为 ${found%% *}，应为 $kept。"
fi

if [ -n "$key" ]; then
  case $(cat "$key") in
    "untrusted comment:"*)
      command -v minisign > /dev/null || fail "minisign is not installed." "未安装 minisign。"
      minisign -V -q -p "$key" -m "$here/SHA256SUMS" -x "$here/SHA256SUMS.minisig" ||
        fail "SHA256SUMS was not signed with that key; nothing was installed." \
          "SHA256SUMS 不是用该密钥签名的，未安装任何内容。"
      ;;
    *)
      command -v ssh-keygen > /dev/null || fail "ssh-keygen is not installed." "未安装 ssh-keygen。"
      signers=$(mktemp) && printf 'newbie namespaces="newbie-bundle" %s\n' "$(head -n 1 "$key")" > "$signers"
      signed=yes
      ssh-keygen -Y verify -f "$signers" -I newbie -n newbie-bundle -s "$here/SHA256SUMS.sig" \
        < "$here/SHA256SUMS" > /dev/null || signed=
      rm -f "$signers"
      [ -n "$signed" ] || fail "SHA256SUMS was not signed with that key; nothing was installed." \
        "SHA256SUMS 不是用该密钥签名的，未安装任何内容。"
      ;;
  esac
fi

# Everything is looked for and verified; all that is wrong is told at once.
set --
wrong=
while read -r expected name; do
  path=
  while IFS= read -r folder; do
    [ -z "$path" ] && [ -f "$folder/$name" ] && path=$folder/$name
  done << END
$folders
END
  if [ -z "$path" ]; then
    wrong=yes
    say "missing: $name" "缺失：$name" >&2
    continue
  fi
  say "verifying $name" "正在校验 $name"
  found=$(sum_of "$path") || found=
  if [ "${found%% *}" != "$expected" ]; then
    wrong=yes
    say "damaged: $path" "已损坏：$path" >&2
    continue
  fi
  case $name in
    *.tar | *.tar.[0-9]*) set -- "$@" "$path" ;;
  esac
done < "$here/SHA256SUMS"
[ -z "$wrong" ] || fail "the bundle is not whole; nothing was installed. Copy what is named above again." \
  "离线包不完整，未安装任何内容。请重新复制上面列出的文件。"
[ $# -gt 0 ] || fail "SHA256SUMS names no volume." "SHA256SUMS 中没有列出任何分卷。"
say "Everything is as it should be." "全部校验通过。"
[ -z "$verify_only" ] || exit 0

[ ! -e "$into" ] || fail "$into is there already. Remove it, or give another folder with --into." \
  "$into 已存在。请删除它，或用 --into 指定其他文件夹。"
command -v "$docker" > /dev/null || fail "$docker is not installed." "未安装 $docker。"
"$docker" version > /dev/null || fail "$docker does not answer." "$docker 没有响应。"

# What a run of this script left when it was killed, and nothing else: it has our mark in it, and the
# process in its name is no more.
for old in "$into".part[0-9]*; do
  [ -f "$old/.newbie-load" ] || continue
  kill -0 "${old##*.part}" 2> /dev/null || rm -rf "$old"
done
part=$into.part$$
mkdir -p "$(dirname "$into")" && mkdir "$part" && : > "$part/.newbie-load" ||
  fail "$into cannot be made here; give a folder with --into." \
    "无法创建 $into，请用 --into 指定文件夹。"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
say "copying files" "正在复制文件"
# The names of the members are the bundle's own, without spaces.
# shellcheck disable=SC2086
cat "$@" | tar -xf - -C "$part" $members ||
  fail "the files could not be copied; nothing was installed." "无法复制文件，未安装任何内容。"
say "loading the image $image" "正在加载镜像 $image"
cat "$@" | tar -xOf - image.tar | "$docker" load ||
  fail "$docker did not take the image; nothing was installed." "$docker 未能加载镜像，未安装任何内容。"
id=$("$docker" image inspect --format '{{.Id}}' "$image") || id=
case " $ids " in
  *" ${id#sha256:} "*) ;;
  *) fail "$docker has another image under the name $image: ${id:-none}." \
    "$docker 中名为 $image 的镜像与离线包不符：${id:-无}。" ;;
esac
# As the toolkit calls what was loaded last.
"$docker" tag "$image" "${image%:*}:latest" || fail "$docker gives the image no name." "$docker 未能为镜像命名。"
rm "$part/.newbie-load"
# Somebody may have made the folder meanwhile, and mv would put this one into it.
[ ! -e "$into" ] || fail "$into is there already. Remove it, or give another folder with --into." \
  "$into 已存在。请删除它，或用 --into 指定其他文件夹。"
mv "$part" "$into"
say "Done. Try: sh $into/run.sh test" "完成。试一试：sh $into/run.sh test"
