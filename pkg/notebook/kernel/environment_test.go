package kernel

import (
	"strings"
	"testing"
)

func TestEnvironmentFollowsTheBackend(t *testing.T) {
	t.Setenv("GOEXPERIMENT", "synctest")
	t.Setenv("PATH", "/usr/bin")
	t.Setenv("GOFLAGS", "-trimpath")
	find := func(env []string, name string) string {
		found := ""
		for _, entry := range env {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				found += value
			}
		}
		return found
	}
	plain := Environment(GoBackend, "/tools")
	for name, want := range map[string]string{"CGO_ENABLED": "0", "ATTUNE_BACKEND": "go", "GOWORK": "off", "GOFLAGS": "-trimpath -ldflags=-s", "PATH": "/tools:/usr/bin"} {
		if got := find(plain, name); got != want {
			t.Errorf("%s=%s, expected %s", name, got, want)
		}
	}
	if got := find(Environment("xla:cuda", ""), "CGO_ENABLED"); got != "1" {
		t.Errorf("XLA with CGO_ENABLED=%s", got)
	}
	t.Setenv("GOFLAGS", "-ldflags=-w")
	if got := find(Environment(GoBackend, ""), "GOFLAGS"); got != "-ldflags=-w" {
		t.Errorf("GOFLAGS=%s lost what the user set", got)
	}
	t.Setenv("XLA_FLAGS", "--a=b") // package backend adds to it, by purpose
	for _, backend := range []string{"xla:cuda", GoBackend} {
		if got := find(Environment(backend, ""), "XLA_FLAGS"); got != "--a=b" {
			t.Errorf("%s changes XLA_FLAGS to %s", backend, got)
		}
	}
	if got := find(plain, "GOEXPERIMENT"); got != "synctest" && got != "synctest,simd" {
		t.Errorf("GOEXPERIMENT=%s lost what the user set", got)
	}
}
