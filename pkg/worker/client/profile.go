package client

import (
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// profileOf is the profile of the worker that answers a request. It is "" where any does: the request computes nothing on the device, or the environment names a backend
// whose compiler has no flags by purpose.
func profileOf(kind, view string) env.Profile {
	if name, err := env.BackendName(); err != nil || !strings.HasPrefix(name, "xla:cuda") {
		return ""
	}
	switch kind {
	case "ping", "stop":
		return ""
	case "bench":
		return env.Bench
	case "tune", "pretrain":
		if view == "data" {
			return ""
		}
		return env.Train
	}
	return env.Score
}
