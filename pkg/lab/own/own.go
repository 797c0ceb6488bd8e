// Package own runs experiments that are written in a notebook's cell: closures over graph nodes, which are no data and so cannot be sent to the worker. It opens the model in
// the cell's own process, so such a cell takes longer to start than one that asks through package lab, and its results are not stored.
//
//	r := must.M1(own.Forward(s, []string{text}, experiment))
//	fmt.Println(own.Number(r, "worst", 1))
package own

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/lab"
	"github.com/attune-lab/attune/pkg/model"
)

// Open opens the session's model in this process.
func Open(s *lab.Session) (*model.Model, error) {
	o := s.Options()
	return model.Load(s.Path("model", o.Model), model.Options{})
}

// Forward runs texts through the session's model with an experiment attached.
func Forward(s *lab.Session, texts []string, e attention.Experiment) (*model.Result, error) {
	m, err := Open(s)
	if err != nil {
		return nil, err
	}
	var prompts [][]int
	for _, text := range texts {
		prompts = append(prompts, m.Tokenizer.Encode(text))
	}
	return m.Forward(model.Prompts(prompts...), model.Outputs{}, e)
}

// Number is the scalar that an experiment emitted under a name at a layer.
func Number(r *model.Result, name string, layer int) float64 {
	emitted := r.Emitted[name]
	if layer >= len(emitted) || emitted[layer] == nil {
		panic(fmt.Sprintf("layer %d emitted no %q", layer, name))
	}
	return float64(tensors.ToScalar[float32](emitted[layer]))
}

// Tiny makes a model of a family with random weights: 4 layers of 4 heads, 97 tokens, enough for an identity that needs no training.
func Tiny(family string) (*model.Model, error) {
	more := ""
	if family == "gemma2" || family == "gemma3_text" {
		more = `,"sliding_window":16,"query_pre_attn_scalar":8`
	}
	c, err := model.ParseConfig([]byte(fmt.Sprintf(`{"model_type":%q%s,"vocab_size":97,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":4,
		"num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"max_position_embeddings":128,"initializer_range":0.3,"bos_token_id":1}`, family, more)))
	if err != nil {
		return nil, err
	}
	return model.New(c, nil, 5, model.Options{})
}

// Moved is the largest difference that an intervention makes to a logit of a prompt.
func Moved(m *model.Model, prompt []int, s emulate.Spec) (float64, error) {
	e, err := apply.New(s)
	if err != nil {
		return 0, err
	}
	var logits [2][]float32
	for i, experiment := range []attention.Experiment{nil, e} {
		r, err := m.Forward(model.Prompts(prompt), model.Outputs{Logits: true}, experiment)
		if err != nil {
			return 0, err
		}
		logits[i] = tensors.MustCopyFlatData[float32](r.Logits)
	}
	most := 0.0
	for i, x := range logits[0] {
		most = max(most, float64(max(x-logits[1][i], logits[1][i]-x)))
	}
	return most, nil
}
