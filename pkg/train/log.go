package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/env"
)

// Row is a line of a run's log. Its step, loss, rate, norm, tokens and values do not depend on where a run was killed and continued; its speeds are measured.
type Row struct {
	Step            int                `json:"step"`
	Loss            float64            `json:"loss,omitempty"` // mean over the steps since the last row, in nats per token; row 0 has none
	Rate            float64            `json:"rate,omitempty"` // learning rate
	Norm            float64            `json:"norm,omitempty"` // of the step's gradient, before clipping
	Tokens          int                `json:"tokens"`         // seen, without padding
	TokensPerSecond float64            `json:"tokens_per_second,omitempty"`
	Utilisation     float64            `json:"utilisation,omitempty"` // model FLOPs ([FLOPs]) over Options.PeakFLOPs
	Values          map[string]float64 `json:"values,omitempty"`      // of the probes
}

// Speed says how fast the steps since the last row were, in words, and where the machine's peak is known what share of it that is; "" where nothing was timed.
func (r Row) Speed() string {
	switch {
	case r.TokensPerSecond == 0:
		return ""
	case r.Utilisation == 0:
		return fmt.Sprintf("%.0f tokens/s", r.TokensPerSecond)
	}
	return fmt.Sprintf("%.0f tokens/s · %.1f %% of the machine's peak", r.TokensPerSecond, 100*r.Utilisation)
}

// row makes a row of what happened since the last one.
func (r *run) row(norm float64, values map[string]float64) error {
	row := Row{Step: r.report.Steps, Norm: norm, Tokens: r.report.Tokens, Values: values}
	if row.Step > 0 {
		row.Rate = r.Optimizer.Schedule.At(row.Step)
	}
	if r.since.Steps > 0 {
		row.Loss = r.since.Loss / float64(r.since.Steps)
	}
	if seconds := r.since.busy.Seconds(); seconds > 0 {
		row.TokensPerSecond = float64(r.since.Tokens) / seconds
		if r.PeakFLOPs > 0 {
			row.Utilisation = row.TokensPerSecond * r.perToken / r.PeakFLOPs
		}
	}
	r.since = since{}
	r.report.Rows = append(r.report.Rows, row)
	if err := r.log.write(row); err != nil {
		return err
	}
	if r.OnRow != nil {
		r.OnRow(row)
	}
	return nil
}

// log is log.jsonl in a run's directory; without a directory it keeps nothing.
type log struct{ file *os.File }

// openLog opens the log for a run that stands at a step. Rows of later steps, written before the run was killed, and a half-written last one go; the others
// are returned.
func openLog(dir string, step int) (*log, []Row, error) {
	if dir == "" {
		return &log{}, nil, nil
	}
	path := filepath.Join(dir, "log.jsonl")
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	var rows []Row
	var kept bytes.Buffer
	for i, line := range bytes.SplitAfter(data, []byte("\n")) {
		var row Row
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		if err := json.Unmarshal(line, &row); err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w: this is not a training log", path, i+1, err)
		}
		if row.Step > step || step == 0 {
			break
		}
		rows = append(rows, row)
		kept.Write(line)
	}
	if err := env.WriteBytes(path, 0o666, kept.Bytes()); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, err
	}
	return &log{file}, rows, nil
}

func (l *log) write(row Row) error {
	if l.file == nil {
		return nil
	}
	data, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("the log's row of step %d: %w", row.Step, err)
	}
	return l.append(append(data, '\n'))
}

func (l *log) append(data []byte) error {
	if _, err := l.file.Write(data); err != nil {
		return fmt.Errorf("the training log: %w", err)
	}
	return l.file.Sync()
}

func (l *log) close() {
	if l.file != nil {
		l.file.Close()
	}
}
