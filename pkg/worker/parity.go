package worker

import (
	"context"
	"fmt"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/parity"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// parityTable compares the model with tensors that another implementation computed on the same weights.
func parityTable(ctx context.Context, j *job) error {
	a, err := args[struct {
		Reference string `json:"reference"`
	}](j)
	if err != nil {
		return err
	}
	path, err := j.path("reference", a.Reference)
	if err != nil {
		return err
	}
	ref, err := safetensors.Open(path)
	if err != nil {
		return client.Parameter("reference", a.Reference, "%v", err)
	}
	defer ref.Close()
	m, err := j.open()
	if err != nil {
		return err
	}
	tick := j.ticker("tensors", len(ref.Names())-1)
	rows, err := parity.Compare(m, ref, func(parity.Row) { tick(1) })
	if err != nil {
		return err
	}
	p := &report.Part{Method: "Same weights, same tokens, another implementation. Differences are largest absolute differences; greedy rows are the share of equal tokens.",
		Facts: map[string]any{"model": m.Hash, "model_type": m.Config.ModelType, "dtype": dtypeName(m.DType), "device": backend.Describe(m.Backend)}}
	t := report.Table{Name: "parity", Title: "Agreement with the reference", Columns: []string{"tensor", "value", "limit", "numbers", "passed"}}
	failed := 0
	for _, r := range rows {
		unit, tolerance := "largest absolute difference", r.Limit
		if r.Share {
			unit, tolerance = "share of equal tokens", 0
		}
		p.Numbers = append(p.Numbers, report.Number{Name: "parity/" + r.Tensor, Value: r.Value, Unit: unit, N: r.N, Tolerance: tolerance})
		t.Rows = append(t.Rows, []any{r.Tensor, r.Value, r.Limit, r.N, r.Passed()})
		if !r.Passed() {
			failed++
		}
	}
	p.Tables = []report.Table{t}
	p.Finding = fmt.Sprintf("All %d tensors agree with the reference.", len(rows))
	if failed > 0 {
		p.Finding = fmt.Sprintf("%d of %d tensors do not agree with the reference. Nothing measured on this model counts before they do.", failed, len(rows))
	}
	return j.show(p)
}
