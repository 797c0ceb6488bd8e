package worker

import (
	"context"
	"fmt"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/parity"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// selfReference is a reference that needs no file: what must hold of any model.
const selfReference = "self"

// parityTable compares the model with tensors that another implementation computed on the same weights, or checks what must hold of it without any.
func parityTable(ctx context.Context, j *job) error {
	a, err := args[struct {
		Reference string `json:"reference"`
	}](j)
	if err != nil {
		return err
	}
	if a.Reference == selfReference {
		return j.ownChecks()
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
	m, err := j.openSilent()
	if err != nil {
		return err
	}
	tick := j.ticker("tensors", len(ref.Names())-1)
	rows, err := parity.Compare(m, ref, func(parity.Row) { tick(1) })
	if err != nil {
		return err
	}
	p, failed := parityPart(m, rows, report.Table{Name: "parity", Title: "Agreement with the reference", Columns: []string{"tensor", "value", "limit", "numbers", "passed"}})
	p.Method = "Same weights, same tokens, another implementation. Differences are largest absolute differences; greedy rows are the share of equal tokens."
	p.Finding = fmt.Sprintf("All %d tensors agree with the reference.", len(rows))
	if failed > 0 {
		p.Finding = fmt.Sprintf("%d of %d tensors do not agree with the reference. Nothing measured on this model counts before they do.", failed, len(rows))
	}
	return j.show(p)
}

// ownChecks are a model's checks without a reference.
func (j *job) ownChecks() error {
	m, err := j.openSilent()
	if err != nil {
		return err
	}
	tick := j.ticker("checks", parity.SelfChecks)
	rows, err := parity.Self(m, func(parity.Row) { tick(1) })
	if err != nil {
		return err
	}
	p, failed := parityPart(m, rows, report.Table{Name: "parity", Title: "What must hold of any model", Columns: []string{"check", "value", "limit", "numbers", "passed"}})
	p.Method = "Without a reference: attention rows sum to one and see no future, padding and batch mates change no logit, an experiment that changes nothing changes nothing, one that halves a layer's " +
		"diagonal is felt (the least of all layers), and what is decoded step by step is what a prefill of the same tokens would choose. Values of logits are relative to the largest one."
	p.Finding = fmt.Sprintf("All %d checks hold.", len(rows))
	if failed > 0 {
		p.Finding = fmt.Sprintf("%d of %d checks do not hold. Nothing measured on this model counts before they do.", failed, len(rows))
	}
	return j.show(p)
}

// parityPart puts rows into a table and numbers, and counts those that did not pass.
func parityPart(m *model.Model, rows []parity.Row, t report.Table) (p *report.Part, failed int) {
	p = &report.Part{Facts: map[string]any{"model": m.Hash, "model_type": m.Config.ModelType, "dtype": dtypeName(m.DType), "device": m.Device()}}
	for _, r := range rows {
		unit, tolerance := "largest absolute difference", r.Limit
		switch {
		case r.Share:
			unit, tolerance = "share of equal tokens", 0
		case r.Least:
			unit, tolerance = "largest absolute difference", r.Value/2
		}
		p.Numbers = append(p.Numbers, report.Number{Name: "parity/" + r.Tensor, Value: r.Value, Unit: unit, N: r.N, Tolerance: tolerance})
		t.Rows = append(t.Rows, []any{r.Tensor, r.Value, r.Limit, r.N, r.Passed()})
		if !r.Passed() {
			failed++
		}
	}
	p.Tables = []report.Table{t}
	return p, failed
}
