#!/usr/bin/env bash
# Runs quickstart from an archive where there is no Go and no network: in a folder that holds the archive, a shell and nothing else, as its own root and in
# namespaces of its own. Needs Linux, iproute2, and root or user namespaces.
#
#   release/chroot-test.sh attune.tar.xz [command...]      (default: run quickstart -p limit=20)
set -euo pipefail
archive=$(realpath "$1"); shift
[ $# -gt 0 ] || set -- run quickstart -p limit=20 -o /tmp/run --backend go
root=$(mktemp -d)
trap 'chmod -R u+w "$root"; rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,etc,proc,tmp,opt}
chmod 1777 "$root/tmp"
for program in bash sh cat cp dirname env ls mkdir mv readlink rm sleep uname; do # no go, no git, no compiler
  path=$(readlink -f "$(command -v "$program")")
  cp "$path" "$root/bin/$program"
  ldd "$path" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -n "$library" "$root$library" 2>/dev/null || true
  done
done
echo 'root:x:0:0:root:/tmp:/bin/sh' > "$root/etc/passwd"
started=$SECONDS
tar xf "$archive" -C "$root/opt"
echo "unpacked in $((SECONDS - started)) s: $(du -sh "$root/opt" | cut -f1)"
started=$SECONDS
unshare --map-root-user --net --mount --pid --fork bash -c '
  root=$1; shift
  ip link set lo up # a machine without a network has it all the same: the kernel listens there
  mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
  for device in null zero urandom random; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
  if chroot "$root" /bin/sh -c "command -v go git gcc" >/dev/null; then echo "the root holds a compiler" >&2; exit 1; fi
  exec env -i PATH=/bin TERM=dumb HOME=/tmp "$(command -v chroot)" "$root" /opt/attune/attune "$@"' _ "$root" "$@"
echo "finished after $((SECONDS - started)) s without Go and without a network"
