package model

import (
	"fmt"
	"math"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
)

// ropeOf reads the rotary embedding of a llama with heads of 64 and a context of 2048.
func ropeOf(t *testing.T, fields string) (*rope, *Config) {
	t.Helper()
	c, a, err := parseConfig([]byte(`{` + minimal + `,"head_dim":64` + fields + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return a.blocks[0].attn.rope, c
}

// TestRopeScalings checks each kind against its published formula, evaluated by hand at pairs where it is simple.
func TestRopeScalings(t *testing.T) {
	plain := func(theta float64, i int) float64 { return math.Pow(theta, -2*float64(i)/64) }
	for _, c := range []struct {
		name, fields string
		factor       float64
		want         map[int]float64 // by pair
	}{
		{"default", `,"rope_theta":500000`, 1, map[int]float64{0: 1, 5: plain(500000, 5), 31: plain(500000, 31)}},
		{"linear, old spelling", `,"rope_scaling":{"type":"linear","factor":4}`, 1, map[int]float64{0: 0.25, 31: plain(10000, 31) / 4}},
		{"linear, new spelling", `,"rope_parameters":{"rope_type":"linear","factor":4,"rope_theta":20000}`, 1, map[int]float64{0: 0.25, 31: plain(20000, 31) / 4}},
		// Waves shorter than 8192/4 stay, longer than 8192 are slowed by 8.
		{"llama3", `,"rope_theta":500000,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":8192}`, 1,
			map[int]float64{0: 1, 10: plain(500000, 10), 25: plain(500000, 25) / 8, 31: plain(500000, 31) / 8, 16: func() float64 {
				inv := plain(500000, 16)
				smooth := (8192*inv/(2*math.Pi) - 1) / 3
				return inv * ((1-smooth)/8 + smooth)
			}()}},
		// Bounds of the ramp: 64*ln(512/(32*2pi))/(2 ln 10000) = 3.2 -> 3 and 64*ln(512/(2pi))/(2 ln 10000) = 15.3 -> 16.
		{"yarn", `,"rope_scaling":{"rope_type":"yarn","factor":4,"original_max_position_embeddings":512}`, 1 + 0.1*math.Log(4),
			map[int]float64{0: 1, 3: plain(10000, 3), 16: plain(10000, 16) / 4, 31: plain(10000, 31) / 4, 8: plain(10000, 8) * (5./13/4 + 8./13)}},
		{"yarn, its own attention factor", `,"rope_scaling":{"rope_type":"yarn","factor":4,"attention_factor":1.5,"original_max_position_embeddings":512}`, 1.5, nil},
		{"partial", `,"partial_rotary_factor":0.5,"rope_scaling":{"type":"linear","factor":1}`, 1, map[int]float64{0: 1, 15: math.Pow(10000, -30./32)}},
		{"partial where the plain embedding turns all", `,"partial_rotary_factor":0.5`, 1, map[int]float64{31: plain(10000, 31)}},
		{"no scaling, empty", `,"rope_scaling":{},"rope_parameters":{"rope_theta":500000}`, 1, map[int]float64{31: plain(500000, 31)}},
		{"a whole number with a point", `,"rope_scaling":{"type":"yarn","factor":4.0,"original_max_position_embeddings":512.0}`, 1 + 0.1*math.Log(4), map[int]float64{16: plain(10000, 16) / 4}},
		{"dynamic, within its length", `,"rope_scaling":{"type":"dynamic","factor":2}`, 1, map[int]float64{0: 1, 31: plain(10000, 31)}},
	} {
		r, _ := ropeOf(t, c.fields)
		if math.Abs(r.factor-c.factor) > 1e-12 {
			t.Errorf("%s: factor %v, expected %v", c.name, r.factor, c.factor)
		}
		for i, want := range c.want {
			if math.Abs(r.inverse[i]/want-1) > 1e-12 {
				t.Errorf("%s: pair %d turns by %v a position, expected %v", c.name, i, r.inverse[i], want)
			}
		}
	}
}

// TestRopeOfLongSequences: beyond the trained length a sequence turns by another base or other frequencies, within it as ever, both in one batch.
func TestRopeOfLongSequences(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	repeat := func(v string) string { return "[" + strings.TrimSuffix(strings.Repeat(v+",", 32), ",") + "]" }
	dynamic, c := ropeOf(t, `,"rope_scaling":{"type":"dynamic","factor":3}`)
	if c.MaxPositions != 3*2048 {
		t.Errorf("a dynamic factor of 3 allows %d positions, expected %d", c.MaxPositions, 3*2048)
	}
	long, _ := ropeOf(t, fmt.Sprintf(`,"original_max_position_embeddings":512,"rope_scaling":{"type":"longrope","short_factor":%s,"long_factor":%s}`, repeat("1"), repeat("2")))
	if want := math.Sqrt(1 + math.Log(4)/math.Log(512)); math.Abs(long.factor-want) > 1e-12 {
		t.Errorf("longrope: factor %v, expected %v", long.factor, want)
	}
	// theta * (3*4096/2048 - 2)^(64/62)
	grown := 10000 * math.Pow(4, 64./62)
	for name, x := range map[string]struct {
		rope   *rope
		length int32
		want   func(i int) float64
	}{
		"dynamic":  {dynamic, 4096, func(i int) float64 { return math.Pow(grown, -2*float64(i)/64) }},
		"longrope": {long, 513, func(i int) float64 { return math.Pow(10000, -2*float64(i)/64) / 2 }},
	} {
		exec := MustNewExec(b, func(lengths *Node) []*Node {
			r := x.rope.at(AddScalar(positionsUpTo(lengths.Graph(), 1), 1), lengths) // position 1
			return []*Node{r.cos, r.sin}
		})
		out := exec.MustExec(tensors.FromFlatDataAndDimensions([]int32{9, x.length}, 2))
		cos, sin := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
		for i := range 32 {
			for row, want := range []float64{math.Pow(10000, -2*float64(i)/64), x.want(i)} {
				if got := math.Atan2(float64(sin[row*32+i]), float64(cos[row*32+i])); math.Abs(got-want) > 2e-6 {
					t.Errorf("%s, row %d: pair %d turns by %v, expected %v", name, row, i, got, want)
				}
			}
		}
	}
}

func TestRopeRefusals(t *testing.T) {
	for fields, want := range map[string]string{
		`,"rope_scaling":{"type":"mrope","factor":2}`:                              "mrope",
		`,"rope_scaling":{"type":"linear"}`:                                        "factor",
		`,"rope_scaling":{"type":"linear","factor":0}`:                             "factor",
		`,"rope_scaling":{"type":"linear","factor":"2"}`:                           "rope_scaling.factor",
		`,"rope_scaling":{"rope_type":"llama3","factor":2}`:                        "low_freq_factor",
		`,"rope_scaling":{"type":"longrope","short_factor":[1],"long_factor":[1]}`: "long_factor",
		`,"rope_theta":-1`: "rope_theta",
		`,"partial_rotary_factor":3,"rope_scaling":{"type":"linear","factor":2}`: "partial_rotary_factor",
		`,"rope_parameters":[1]`:                                                                "rope_parameters",
		`,"layer_types":["full_attention"]`:                                                     "",
		`,"rope_parameters":{"rope_type":"yarn","factor":2,"beta_fast":{}}`:                     "beta_fast",
		`,"rope_parameters":{"full_attention":{"rope_type":"default","rope_theta":"x"}}`:        "rope_theta",
		`,"rope_parameters":{"rope_type":"dynamic","factor":2},"partial_rotary_factor":0.03125`: "dynamic",
	} {
		_, err := ParseConfig([]byte(`{` + minimal + `,"head_dim":64` + fields + `}`))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", fields, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, expected an error that names %s", fields, err, want)
		}
	}
}
