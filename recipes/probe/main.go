// Command probe opens one backend and prints what it found as a line of JSON. `go run ./recipes doctor` runs it as a process
// of its own for every backend: a broken plugin crashes whoever loads it, and the recipe runner itself stays free
// of cgo and of GoMLX, so that it is built in seconds.
//
//	go run ./recipes/probe xla:cuda
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/gomlx/compute"
)

// report is read by doctor.
type report struct {
	Backend string            `json:"backend"`
	Error   string            `json:"error,omitempty"`
	Name    string            `json:"name,omitempty"`    // what the backend calls itself
	Devices []string          `json:"devices,omitempty"` // their descriptions
	Plugins map[string]string `json:"plugins,omitempty"` // PJRT plugins found: name to path
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: probe BACKEND")
		os.Exit(2)
	}
	found := report{Backend: os.Args[1], Plugins: plugins()}
	if b, err := backend.Open(os.Args[1]); err != nil {
		found.Error = err.Error()
	} else {
		found.Name = b.Description()
		for i := range b.NumDevices() {
			found.Devices = append(found.Devices, b.DeviceDescription(compute.DeviceNum(i)))
		}
		b.Finalize()
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
