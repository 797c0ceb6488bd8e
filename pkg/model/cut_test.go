package model

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/internal/testdevices"
)

// TestPiecesHaveAPartOfEveryBlock: rows and columns of blocks such as queries, keys and values, and an axis in the middle.
func TestPiecesHaveAPartOfEveryBlock(t *testing.T) {
	numbers := make([]float32, 24)
	for i := range numbers {
		numbers[i] = float32(i)
	}
	for _, c := range []struct {
		shape  []int
		axis   int
		blocks []int
		i      int
		want   []float32
	}{
		{[]int{6, 4}, 0, nil, 1, []float32{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
		{[]int{6, 4}, 0, []int{4, 2}, 0, []float32{0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19}},
		{[]int{4, 6}, 1, []int{2, 4}, 1, []float32{1, 4, 5, 7, 10, 11, 13, 16, 17, 19, 22, 23}},
		{[]int{2, 4, 3}, 1, nil, 0, []float32{0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17}},
	} {
		var got []float32
		for _, p := range piecesOf(safetensors.FromFloat32s("x", c.shape, numbers), c.axis, c.blocks, c.i, 2) {
			values, err := p.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, values...)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("piece %d of %v along axis %d in blocks %v is %v, expected %v", c.i, c.shape, c.axis, c.blocks, got, c.want)
		}
	}
}

// TestExpertsOverDevices: rounds, every expert on every row, and few rows, of experts that are cut within each and of experts whose width is odd, which are cut by expert.
func TestExpertsOverDevices(t *testing.T) {
	dev := testdevices.Open(t, 2)
	host, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	const common = `,"vocab_size":64,"hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":8,"max_position_embeddings":512,"initializer_range":0.3`
	for name, text := range map[string]string{
		"within":    `{"model_type":"mixtral","intermediate_size":24,"num_local_experts":8,"num_experts_per_tok":2` + common + `}`,
		"by expert": `{"model_type":"gpt_oss","intermediate_size":23,"num_local_experts":16,"num_experts_per_tok":2` + common + `}`,
	} {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		one, err := New(c, nil, 1, Options{Backend: host})
		if err != nil {
			t.Fatal(err)
		}
		two, err := New(c, nil, 1, Options{Backend: dev, Devices: 2})
		if err != nil {
			t.Fatal(err)
		}
		if cut := two.cuts[two.arch.blocks[0].mlp.experts.products()[0]]; (cut.axis == 0) != (name == "by expert") {
			t.Errorf("%s: experts are cut along axis %d", name, cut.axis)
		}
		for _, n := range []int{300, 60, 3} {
			p := make([]int, n)
			for k := range p {
				p[k] = (k*k*3 + k) % 64
			}
			var values [2][]float32
			for i, m := range []*Model{one, two} {
				r, err := m.Forward(Batch{Tokens: [][]int{p}, Bucket: n}, Outputs{Logits: true}, nil)
				if err != nil {
					t.Fatal(err)
				}
				values[i] = tensors.MustCopyFlatData[float32](r.Logits)
			}
			for i, want := range values[0] {
				if d := math.Abs(float64(values[1][i] - want)); !(d < 2e-4) {
					t.Fatalf("%s, %d tokens: logit %d differs by %g", name, n, i, d)
				}
			}
		}
		two.Close()
	}
}

// TestFullDevicesAreExplained: the message counts the bytes on each device; other errors stay as they are.
func TestFullDevicesAreExplained(t *testing.T) {
	config, err := ParseConfig([]byte(`{"model_type":"llama","vocab_size":1024,"hidden_size":1024,"intermediate_size":4096,"num_hidden_layers":16,"num_attention_heads":8,"num_key_value_heads":8,"max_position_embeddings":64}`))
	if err != nil {
		t.Fatal(err)
	}
	m := &Model{Config: config, DType: dtypes.BFloat16}
	if m.arch, err = config.describe(); err != nil {
		t.Fatal(err)
	}
	m.weights = m.arch.weights(config)
	full := errors.New("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 byte")
	for _, c := range []struct {
		devices int
		want    string
	}{{1, "its weights take 0.50 GiB; over more devices"}, {4, "its weights take 0.13 GiB on each of 4 devices; over more devices"}} {
		if c.devices > 1 {
			if m.mesh, err = distributed.NewDeviceMesh([]int{c.devices}, []string{meshAxis}); err != nil {
				t.Fatal(err)
			}
		}
		m.planCut()
		if got := m.fit(full); !errors.Is(got, full) || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%d devices: %v, expected %q", c.devices, got, c.want)
		}
	}
	other := errors.New("INTERNAL")
	if got := m.fit(other); got != other {
		t.Errorf("another error becomes %v", got)
	}
}
