#!/usr/bin/env bash
# Builds one archive that runs on a Linux machine of this architecture which has no Go and no network: the repository, the command, the kernel, the worker,
# a trimmed Go toolchain (cells are compiled) and the modules that cells and tools import.
#
#   release/archive.sh [OUT.tar.xz]     from a clean checkout, with a network or a filled module cache
#   tar xf OUT.tar.xz && attune/attune run quickstart
#
# The archive is made of the commit: what is not committed is left out. FULL=1 adds what gopls (completion in Jupyter) is built of;
# LEVEL=1 packs in a fifth of the time, a tenth larger.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-attune-$(git describe --always --tags)-$(go env GOOS)-$(go env GOARCH).tar.xz}")
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
stage=$work/attune dist=$work/attune/.dist
mkdir -p "$dist/bin" "$dist/mod" "$dist/cache"
say() { printf '%4ds  %s\n' "$SECONDS" "$1"; }

say "the repository"
git archive HEAD | tar x -C "$stage"
git rev-parse HEAD > "$dist/commit"

say "the toolchain"
goos=$(go env GOOS) goarch=$(go env GOARCH)
mkdir -p "$dist/go"
tar c -C "$(go env GOROOT)" --exclude='*_test.go' --exclude=testdata --exclude=src/cmd \
  bin/go "pkg/tool/${goos}_${goarch}"/{compile,link,asm,cgo,vet} pkg/include src VERSION go.env | tar x -C "$dist/go"

say "the modules"
go mod download
cache=$(go env GOMODCACHE)
escaped() { sed 's/[A-Z]/!\L&/g' <<<"$1"; } # as the module cache writes capital letters
tools=(github.com/janpfeifer/gonb golang.org/x/tools/cmd/goimports)
if [ "${FULL:-}" = 1 ]; then tools+=(golang.org/x/tools/gopls); fi
# What the build of the packages and of the tools imports, with and without cgo, stripped of what no build reads.
for cgo in 0 1; do
  CGO_ENABLED=$cgo GOEXPERIMENT=simd GOFLAGS=-mod=readonly go list -deps -f '{{with .Module}}{{.Path}} {{.Version}}{{end}}' ./... "${tools[@]}"
done | sort -u | awk 'NF == 2' | while read -r path version; do
  dir=$(escaped "$path")@$(escaped "$version")
  [ -d "$cache/$dir" ] || continue
  mkdir -p "$dist/mod/$dir"
  tar c -C "$cache/$dir" --exclude='*_test.go' --exclude=testdata --exclude=docs --exclude=examples --exclude='*.png' --exclude='*.jpg' --exclude='*.jpeg' \
    --exclude='*.ipynb' --exclude='*.mp4' --exclude='*.gif' . | tar x -C "$dist/mod/$dir"
done
# The go.mod files of all versions that the module graph names.
go list -m -f '{{.Path}} {{.Version}}' all | awk 'NF == 2' | while read -r path version; do
  dir=cache/download/$(escaped "$path")/@v
  mkdir -p "$dist/mod/$dir"
  for ending in info mod ziphash; do
    file=$cache/$dir/$(escaped "$version").$ending
    if [ -e "$file" ]; then cp "$file" "$dist/mod/$dir/"; fi
  done
done
chmod -R u+w "$dist/mod"

say "the command"
CGO_ENABLED=0 GOWORK=off go build -trimpath -ldflags='-s -w' -o "$dist/bin/recipes" ./recipes
cat > "$stage/attune" <<'LAUNCHER'
#!/bin/sh
# Attune without an installed Go and without a network: attune list, attune run quickstart, ...
at=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
export GOROOT="$at/.dist/go" GOMODCACHE="$at/.dist/mod" GOTOOLCHAIN=local GOPROXY=off GOSUMDB=off GOENV=off
export PATH="$at/.dist/go/bin:$PATH" ATTUNE_COMMAND="$0"
if [ -w "$at/.dist/cache" ]; then # else, as when several people share it, the user's own cache
	export XDG_CACHE_HOME="$at/.dist/cache" GOCACHE="$at/.dist/cache/go-build" GOPATH="$at/.dist/cache/gopath"
fi
export HOME="${HOME:-$at/.dist/cache}"
exec "$at/.dist/bin/recipes" "$@"
LAUNCHER
chmod +x "$stage/attune"

say "the kernel and the worker, and a run that fills the caches"
# In the stage itself: both are kept under names that depend on their sources and on Go, so the first run elsewhere finds them. The caches of this machine are
# used, since another folder of modules would compile everything again.
(cd "$stage" && env -i HOME="$work" PATH="$dist/go/bin:/usr/bin:/bin" GOROOT="$dist/go" GOTOOLCHAIN=local GOPROXY=off GOSUMDB=off GOENV=off GOMODCACHE="$cache" GOCACHE="$(go env GOCACHE)" \
  XDG_CACHE_HOME="$dist/cache" .dist/bin/recipes run quickstart -p limit=4 -o "$work/run" --backend go > "$work/log" 2>&1) || { tail -n 30 "$work/log"; exit 1; }
find "$dist/cache/attune" -type f -perm -u+x -size +1M -exec strip {} + 2>/dev/null || true
rm -rf "$dist/cache/go-build" "$dist/cache/gopath" "$dist/cache/.config" "$stage/runs"
find "$dist/cache" -name '*.lock' -delete

say "packing"
find "$stage" -newermt '1980-01-01' -exec touch -hd '1980-01-01T00:00:00Z' {} + # the build cache does not look at times
tar c -C "$work" --sort=name --owner=0 --group=0 --numeric-owner attune | xz -T0 "-${LEVEL:-7}" > "$out"
say "$out, $(du -h "$out" | cut -f1)"
