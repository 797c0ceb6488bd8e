package sink

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

const (
	nameTop        = "top-magnitude"
	nameTopChannel = "top-channel"
	nameSample     = "sample"
	nameMedian     = "median-magnitude"

	topEntries = 3 // largest entries kept of each token; published models have one to three massive channels
	maxSample  = 1 << 14
)

// Thresholds of massive activations (Sun et al. 2024, arXiv 2402.17762, section 2).
const (
	MassiveMagnitude = 100  // smallest magnitude
	MassiveRatio     = 1000 // smallest multiple of the layer's median magnitude
)

// MassiveActivation is an entry of the residual stream with a magnitude above MassiveMagnitude and above MassiveRatio times the median magnitude of
// its layer.
type MassiveActivation struct {
	Prompt    int // index among the surveyed prompts
	Layer     int // behind this layer
	Token     int // position
	Channel   int
	Magnitude float64
	Median    float64 // of the layer's magnitudes, over all tokens and channels of the prompt
}

// massive emits each token's largest magnitudes with their channels, float32 [batch, entries, tokens], and an evenly spread sample of all
// magnitudes for the median: sorting them all would cost more than the layer.
func (c *collector) massive(x *Node) {
	a := Abs(ConvertDType(x, dtypes.Float32))
	d := a.Shape().Dimensions
	count := func(axis int) *Node { return Iota(a.Graph(), shapes.Make(dtypes.Int32, d[0], d[1], 1), axis) }
	var values, at []*Node
	rest := a
	for i := range topEntries {
		channel := ArgMax(rest, -1, dtypes.Int32)
		place := Concatenate([]*Node{count(0), count(1), InsertAxes(channel, -1)}, -1)
		values, at = append(values, Gather(a, place)), append(at, ConvertDType(channel, dtypes.Float32))
		if i < topEntries-1 {
			rest = ScatterMin(rest, place, Neg(Ones(a.Graph(), shapes.Make(dtypes.Float32, d[0], d[1]))), true, true)
		}
	}
	c.put(nameTop, Stack(values, 1))
	c.put(nameTopChannel, Stack(at, 1))
	c.put(nameSample, c.sample(Reshape(a, d[0], d[1]*d[2]), d[1], d[2]))
}

// sample takes each text's entries out of [batch, tokens*hidden]: all where so few fit the pass, else every sampleStride-th, [batch, maxSample]. Which they are depends
// on the text's own length alone, not on the padding that its batch gave it.
func (c *collector) sample(flat *Node, tokens, hidden int) *Node {
	if tokens*hidden <= maxSample {
		return flat
	}
	g, batch := flat.Graph(), flat.Shape().Dimensions[0]
	ofLength := make([]int32, tokens+1)
	for n := range ofLength {
		ofLength[n] = int32(sampleStride(n, hidden))
	}
	stride := Gather(Const(g, ofLength), InsertAxes(ConvertDType(c.site.Lengths, dtypes.Int32), -1))
	of := shapes.Make(dtypes.Int32, batch, maxSample)
	at := Mul(Iota(g, of, 1), BroadcastToDims(InsertAxes(stride, -1), batch, maxSample))
	at = MinScalar(at, tokens*hidden-1) // behind a text's last entry, which medians does not read
	return Gather(flat, Stack([]*Node{Iota(g, of, 0), at}, -1))
}

// sampleStride is the distance of sampled entries in a text's [tokens, hidden]: 1, all of them, as long as they are few; otherwise without a common
// divisor with hidden, so that every channel is sampled.
func sampleStride(tokens, hidden int) int {
	stride := (tokens*hidden + maxSample - 1) / maxSample
	for ; gcd(stride, hidden) > 1; stride++ {
	}
	return max(1, stride)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// medians turns a text's samples, [layers][sampled], into one median per layer, leaving padding out.
func (s *Survey) medians(samples []float32, tokens, hidden int) []float32 {
	stride := sampleStride(tokens, hidden)
	n := len(samples) / s.Layers
	medians := make([]float32, s.Layers)
	each(s.Layers, func(l int) {
		real := min(n, (tokens*hidden+stride-1)/stride)
		row := slices.Clone(samples[l*n:][:real])
		medians[l] = (ranked(row, (real-1)/2) + ranked(row, real/2)) / 2
	})
	return medians
}

// ranked is the k-th smallest value (Hoare's selection), which needs no sorting of the rest. It reorders x.
func ranked(x []float32, k int) float32 {
	for low, high := 0, len(x)-1; low < high; {
		pivot, i, j := x[k], low, high
		for i <= j {
			for x[i] < pivot {
				i++
			}
			for pivot < x[j] {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i, j = i+1, j-1
			}
		}
		if j < k {
			low = i
		}
		if k < i {
			high = j
		}
	}
	return x[k]
}

// MassiveActivations lists what is massive by both thresholds, in order of prompt, layer, token and falling magnitude; at most three
// entries of a token. The median is that of all entries where a prompt has at most 16,384 of them in a layer, else of as many, evenly spread.
func (s *Survey) MassiveActivations() ([]MassiveActivation, error) {
	if err := s.need(Massive, "massive activations"); err != nil {
		return nil, err
	}
	var out []MassiveActivation
	for p, n := range s.Lengths {
		top, channel, medians := s.data[nameTop][p], s.data[nameTopChannel][p], s.data[nameMedian][p]
		for l := range s.Layers {
			median := float64(medians[l])
			for k := range n {
				for i := range topEntries {
					at := (l*topEntries+i)*n + k
					if v := float64(top[at]); v > MassiveMagnitude && v > MassiveRatio*median {
						out = append(out, MassiveActivation{p, l, k, int(channel[at]), v, median})
					}
				}
			}
		}
	}
	return out, nil
}

// Largest is each layer's largest magnitude over its median, the maximum over prompts: [layers]. It shows how far a model without massive
// activations is from having one.
func (s *Survey) Largest() (magnitude, ratio []float64, err error) {
	if err := s.need(Massive, "massive activations"); err != nil {
		return nil, nil, err
	}
	magnitude, ratio = make([]float64, s.Layers), make([]float64, s.Layers)
	for p, n := range s.Lengths {
		for l := range s.Layers {
			v := float64(slices.Max(s.data[nameTop][p][l*topEntries*n:][:n]))
			magnitude[l] = max(magnitude[l], v)
			ratio[l] = max(ratio[l], v/max(float64(s.data[nameMedian][p][l]), tiny))
		}
	}
	return magnitude, ratio, nil
}
