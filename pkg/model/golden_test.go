package model

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// golden is a config.json and what transformers reads from it (testdata/make_configs.py).
type golden struct {
	Config json.RawMessage
	Want   struct {
		Hidden, Layers, Heads, KV, Vocab, Inter int
		HeadDim                                 int `json:"head_dim"`
		Eps                                     float64
		Tie                                     bool
		Act                                     string
		BOS                                     *int
		EOS                                     json.RawMessage
		Windows                                 []int
		Rope                                    []struct {
			N                           int
			First, Middle, Last, Factor float64
		}
	}
}

// TestConfigsAreReadAsTransformersReadsThem goes through 160 configurations of every family, as transformers writes them and as people leave them: the same
// effective values, or a refusal that names a field of the file.
func TestConfigsAreReadAsTransformersReadsThem(t *testing.T) {
	file, err := os.Open("testdata/configs.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	read, refused, wrong := map[string]int{}, map[string]int{}, map[string]int{}
	for lines.Scan() {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(g.Config, &fields); err != nil {
			t.Fatal(err)
		}
		family := strings.Trim(string(fields["model_type"]), `"`)
		c, a, err := parseConfig(g.Config)
		if err != nil {
			refused[family]++
			if !namesAField(err, fields) {
				t.Errorf("%s: refused without the name of a field: %v\n%s", family, err, g.Config)
			}
			continue
		}
		read[family]++
		if what := g.differs(c, a); what != "" {
			if wrong[family]++; wrong[family] <= 2 {
				t.Errorf("%s: %s\n%s", family, what, g.Config)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for family := range families {
		if family == "gemma4_text" { // its layers differ in more than this table has; testdata/reference covers it
			continue
		}
		if read[family] < 120 || wrong[family] > 0 {
			t.Errorf("%s: %d configurations read, %d of them wrong, %d refused; expected 120 and more, none and the rest", family, read[family], wrong[family], refused[family])
		}
	}
}

// namesAField reports whether an error names a field of the file, or of an object in it.
func namesAField(err error, fields map[string]json.RawMessage) bool {
	if strings.Contains(err.Error(), "hidden_size") || strings.Contains(err.Error(), "head_dim") { // n_embd by its usual name
		return true
	}
	for name, v := range fields {
		var inner map[string]json.RawMessage
		if strings.Contains(err.Error(), name) || json.Unmarshal(v, &inner) == nil && namesAField(err, inner) {
			return true
		}
	}
	return false
}

// differs says what of a configuration is not as transformers reads it; empty if nothing is.
func (g *golden) differs(c *Config, a *architecture) string {
	w := &g.Want
	var ends []int
	var one int
	if json.Unmarshal(w.EOS, &one) == nil && string(w.EOS) != "null" {
		ends = []int{one}
	} else if err := json.Unmarshal(w.EOS, &ends); err != nil {
		return err.Error()
	}
	ends = slices.DeleteFunc(ends, func(id int) bool { return id >= w.Vocab }) // defaults of the published model
	bos := -1
	if w.BOS != nil && *w.BOS < w.Vocab {
		bos = *w.BOS
	}
	for _, x := range []struct {
		what      string
		got, want int
	}{
		{"vocab_size", c.VocabSize, w.Vocab}, {"hidden_size", c.HiddenSize, w.Hidden}, {"layers", c.Layers, w.Layers}, {"heads", c.Heads, w.Heads},
		{"key heads", c.KVHeads, w.KV}, {"head_dim", c.HeadDim, w.HeadDim}, {"intermediate_size", c.IntermediateSize, w.Inter}, {"bos_token_id", c.BOS, bos},
	} {
		if x.got != x.want {
			return x.what + " differs"
		}
	}
	switch {
	case c.NormEps != w.Eps:
		return "the epsilon differs"
	case c.TieEmbeddings != w.Tie:
		return "tie_word_embeddings differs"
	case !slices.Equal(c.EOS, ends):
		return "eos_token_id differs"
	}
	f, err := newFields(g.Config)
	if err != nil {
		return err.Error()
	}
	f.class = classes[c.ModelType]
	if got := f.text("", "hidden_activation", "hidden_act", "activation_function", "activation"); got != w.Act {
		return "the activation differs"
	}
	for l, window := range w.Windows {
		at := &a.blocks[l].attn
		// A window of all positions is none.
		if at.window != window && !(window >= c.MaxPositions && at.window == 0) {
			return "the windows differ"
		}
		if w.Rope == nil || at.rope == nil { // no positions in this layer
			continue
		}
		r, want := at.rope, w.Rope[l]
		if len(r.inverse) != want.N || !near(r.factor, want.Factor) || !near(math.Abs(r.inverse[0]), want.First) || !near(math.Abs(r.inverse[want.N/2]), want.Middle) ||
			!near(math.Abs(r.inverse[want.N-1]), want.Last) {
			return "the rotary embedding differs"
		}
	}
	return ""
}

// near compares with a number that was computed in float32.
func near(got, want float64) bool { return math.Abs(got-want) <= 2e-6*math.Abs(want) }
