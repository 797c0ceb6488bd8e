package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// A checkpoint is one safetensors file, step-000001234.safetensors: the trained weights and their moments in float32 and, in its metadata, all else that a run
// needs to continue. One file written through a temporary one, fsync and rename is there whole or not at all, whenever the run is killed.

// state is what a checkpoint's metadata holds.
type state struct {
	Step     int               `json:"step"`
	Tokens   int               `json:"tokens"`
	Place    FeedState         `json:"feed"`
	Since    since             `json:"since"`
	Identity map[string]string `json:"identity"`
}

const (
	checkpointPattern = "step-*.safetensors"
	stateKey          = "attune.train"
)

// begin goes to the newest checkpoint of the run's directory, if there is one.
func (r *run) begin(feed *Feed) error {
	r.place = feed.State()
	if r.Dir != "" {
		if err := os.MkdirAll(r.Dir, 0o755); err != nil {
			return err
		}
		for _, pattern := range []string{".step-*.tmp", ".log-*"} { // left by a run that was killed while it wrote
			left, _ := filepath.Glob(filepath.Join(r.Dir, pattern)) // the pattern is well-formed
			for _, path := range left {
				if err := os.Remove(path); err != nil {
					return err
				}
			}
		}
		if paths := r.checkpoints(); len(paths) > 0 {
			if err := r.resume(paths[len(paths)-1], feed); err != nil {
				return err
			}
		}
	}
	var err error
	r.log, r.report.Rows, err = openLog(r.Dir, r.report.Steps)
	return err
}

// checkpoints lists the directory's, oldest first.
func (r *run) checkpoints() []string {
	paths, _ := filepath.Glob(filepath.Join(r.Dir, checkpointPattern)) // the pattern is well-formed, and sorted
	return paths
}

// tensors calls visit with every variable of a checkpoint and its name there.
func (s *step) tensors(visit func(name string, v *mlmodel.Variable) error) error {
	for _, w := range s.weights {
		for prefix, v := range map[string]*mlmodel.Variable{"": w.value, "m.": w.m, "v.": w.v} {
			if err := visit(prefix+w.name, v); err != nil {
				return fmt.Errorf("%s: %w", prefix+w.name, err)
			}
		}
	}
	return nil
}

// save writes a checkpoint, if the run has a directory, and removes the oldest.
func (r *run) save() error {
	if r.Dir == "" {
		return nil
	}
	text, err := json.Marshal(state{r.report.Steps, r.report.Tokens, r.place, r.since, r.identity})
	if err != nil {
		return err
	}
	var list []safetensors.Tensor
	err = r.step.tensors(func(name string, v *mlmodel.Variable) error {
		t, err := v.Value()
		if err != nil {
			return err
		}
		values, err := tensors.CopyFlatData[float32](t)
		list = append(list, safetensors.FromFloat32s(name, v.Shape().Dimensions, values))
		return err
	})
	if err != nil {
		return err
	}
	path := filepath.Join(r.Dir, fmt.Sprintf("step-%09d.safetensors", r.report.Steps))
	if err := safetensors.Write(path, list, map[string]string{stateKey: string(text)}); err != nil {
		return fmt.Errorf("checkpoint of step %d: %w", r.report.Steps, err)
	}
	paths := r.checkpoints()
	for _, old := range paths[:max(0, len(paths)-r.Keep)] {
		if err := os.Remove(old); err != nil {
			return fmt.Errorf("removing an old checkpoint: %w", err)
		}
	}
	return nil
}

// resume puts model, optimizer and feed where a checkpoint was made.
func (r *run) resume(path string, feed *Feed) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var s state
	if err := json.Unmarshal([]byte(f.Metadata()[stateKey]), &s); err != nil {
		return fmt.Errorf("%s is not a checkpoint of a training run: %w", path, err)
	}
	if differs := differences(s.Identity, r.identity); len(differs) > 0 {
		return fmt.Errorf("the run in %s was started with other settings: %s; continue with the old ones, or train into another directory", r.Dir, strings.Join(differs, "; "))
	}
	if err := feed.Resume(s.Place); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	err = r.step.tensors(func(name string, v *mlmodel.Variable) error {
		t, err := f.Tensor(name)
		if err != nil {
			return err
		}
		if !slices.Equal(t.Shape, v.Shape().Dimensions) {
			return fmt.Errorf("shape %v, expected %v", t.Shape, v.Shape().Dimensions)
		}
		values, err := t.Float32s()
		if err != nil {
			return err
		}
		return v.SetValue(tensors.FromFlatDataAndDimensions(values, t.Shape...))
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r.report.Steps, r.report.Resumed, r.report.Tokens, r.place, r.since = s.Step, s.Step, s.Tokens, s.Place, s.Since
	return nil
}

// joined is an error and, where writing a checkpoint failed too, that one.
func joined(err, saving error) error {
	if saving == nil {
		return err
	}
	return errors.Join(err, saving)
}
