package model

import (
	"encoding/json"
	"maps"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// rope describes a rotary position embedding (Su et al. 2021): pair i of the first dim entries of a head turns by position * inverse[i].
type rope struct {
	dim     int       // entries of a head that are rotated, the first ones
	inverse []float64 // radians per position, dim/2 of them
	factor  float64   // of cosine and sine
	pairs   bool      // neighbouring entries of a head are rotated together, not those of its halves
	// Beyond `trained` tokens (0 = no such limit) the whole sequence is rotated differently, by one of these:
	trained int
	long    []float64 // other frequencies (LongRoPE), or, where nil,
	theta   float64   // a base that grows with the sequence (dynamic NTK), by
	stretch float64   // this factor
	// Queries beyond each period of positions are longer by grows*ln(1 + whole periods); grows 0 = they are not.
	grows  float64
	period int
}

// rope reads the rotary embedding, in the spelling of transformers 5 (rope_parameters) or 4 (rope_theta, rope_scaling).
func (f *fields) rope(c *Config) *rope {
	top, kind, p := f.plain(), families[c.ModelType], f.ropeObject()
	if inner := p.object("full_attention"); inner != nil {
		p = inner
	}
	theta, partial := top.number(c.RopeTheta, kind.theta()), top.number(max(kind.partial, 0), kind.share())
	if partial == 0 {
		partial = 1
	}
	original := top.integer(f.integer(0, "original_max_position_embeddings"), "original_max_position_embeddings")
	if original == 0 {
		original = p.integer(c.MaxPositions, "original_max_position_embeddings")
	}
	return p.scaled(c, p.number(theta, "rope_theta"), p.number(partial, "partial_rotary_factor"), original, kind.partial > 0)
}

// ropeObject is the object that describes the rotary embedding, in either spelling; without fields where there is none.
func (f *fields) ropeObject() *fields {
	top := f.plain()
	for _, name := range []string{"rope_scaling", "rope_parameters"} {
		if p := top.object(name); p != nil {
			return p
		}
	}
	return &fields{path: "rope_parameters.", reading: f.reading}
}

// theta and share name the fields of the rotary base and of the share of a head that turns.
func (k family) theta() string {
	if k.legacyRope {
		return "rotary_emb_base"
	}
	return "rope_theta"
}

func (k family) share() string {
	if k.legacyRope {
		return "rotary_pct"
	}
	return "partial_rotary_factor"
}

// layeredRope reads the rotary embedding of one type of layers in the families that keep one for each, full_attention or sliding_attention. A rope_scaling in the
// spelling of transformers 4 belongs to the full ones.
func (f *fields) layeredRope(c *Config, layerType string, theta float64) *rope {
	top := f.plain()
	p := &fields{values: map[string]json.RawMessage{}, path: "rope_parameters." + layerType + ".", reading: f.reading}
	if all := top.object("rope_parameters"); all != nil {
		if inner := all.object(layerType); inner != nil {
			p = inner
		}
	}
	if old := top.object("rope_scaling"); old != nil && layerType == "full_attention" {
		p.values = maps.Clone(p.values)
		maps.Copy(p.values, old.values)
	}
	return p.scaled(c, p.number(theta, "rope_theta"), p.number(1, "partial_rotary_factor"), p.integer(c.MaxPositions, "original_max_position_embeddings"), false)
}

// scaled builds the embedding of a rope_type from its object. The plain one turns partial of a head only where partly says that its family does.
func (f *fields) scaled(c *Config, theta, partial float64, original int, partly bool) *rope {
	kind := f.text("default", "rope_type", "type")
	if kind == "default" && !partly || kind == "proportional" { // the second reads it by itself
		partial = 1
	}
	r := &rope{dim: int(float64(c.HeadDim) * partial), factor: 1, theta: theta}
	if !(theta > 0) || math.IsInf(theta, 0) {
		f.fail("rope_theta is %v, expected a positive number", theta)
		return r
	}
	if r.dim < 2 || r.dim > c.HeadDim || r.dim%2 != 0 {
		f.fail("head_dim %d with partial_rotary_factor %v rotates %d entries, expected an even number from 2 to head_dim", c.HeadDim, partial, r.dim)
		return r
	}
	for i := range r.dim / 2 {
		r.inverse = append(r.inverse, math.Pow(theta, -2*float64(i)/float64(r.dim)))
	}
	factor := f.number(0, "factor")
	positive := func(name string, v float64) {
		if !(v > 0) || math.IsInf(v, 0) {
			f.fail("%s%s is %v, rope_type %q needs a positive number", f.path, name, v, kind)
		}
	}
	switch kind {
	case "default":
	case "linear":
		positive("factor", factor)
		for i := range r.inverse {
			r.inverse[i] /= factor
		}
	case "dynamic":
		if alpha := f.number(0, "alpha"); alpha > 0 && c.ModelType == "hunyuan_v1_dense" { // its base is larger from the start
			grown := theta * math.Pow(alpha, float64(r.dim)/float64(r.dim-2))
			for i := range r.inverse {
				r.inverse[i] = math.Pow(grown, -2*float64(i)/float64(r.dim))
			}
			break
		}
		positive("factor", factor)
		if r.dim < 4 {
			f.fail("rope_type %q rotates %d entries of a head, expected 4 or more", kind, r.dim)
		}
		r.trained, r.stretch = c.MaxPositions, factor
		c.extend(c.MaxPositions, factor)
	case "llama3":
		low, high := f.number(0, "low_freq_factor"), f.number(0, "high_freq_factor")
		positive("factor", factor)
		positive("low_freq_factor", low)
		positive("high_freq_factor", high-low)
		r.llama3(factor, low, high, float64(original))
	case "yarn":
		if factor == 0 {
			factor = float64(c.MaxPositions) / float64(original)
		}
		if !f.has("factor") && !f.has("original_max_position_embeddings") {
			f.fail("%sfactor is absent, rope_type %q needs it", f.path, kind)
		}
		positive("factor", factor)
		positive("rope_theta", theta-1)
		r.yarn(f, factor, float64(original))
		if f.has("original_max_position_embeddings") {
			c.extend(original, factor)
		}
	case "proportional": // the frequencies of a whole head, of which the first part turns
		share := f.number(1, "partial_rotary_factor")
		r.dim, r.inverse = c.HeadDim, make([]float64, c.HeadDim/2)
		for i := range min(len(r.inverse), int(share*float64(c.HeadDim)/2)) {
			r.inverse[i] = math.Pow(theta, -2*float64(i)/float64(r.dim))
		}
		if factor != 0 {
			positive("factor", factor)
			for i := range r.inverse {
				r.inverse[i] /= factor
			}
		}
	case "longrope", "su":
		r.longRope(f, factor, c, original)
	default:
		f.fail("rope_type %q is not supported, expected default, linear, dynamic, llama3, yarn, longrope or proportional", kind)
	}
	return r
}

// extend raises the longest context to a trained one times the factor of its rotary embedding: max_position_embeddings is often left as it was when a model is given
// such an embedding by hand (the README of Qwen2.5 does so for yarn).
func (c *Config) extend(trained int, factor float64) {
	if longer := float64(trained) * factor; longer > float64(c.MaxPositions) {
		c.MaxPositions = int(min(longer, maxConfigValue))
	}
}

// lengthened is what queries at positions, int32 [1 or batch, tokens], are multiplied by, float32 [1 or batch, 1, tokens, 1] (Llama 4's temperature of attention).
func (r *rope) lengthened(positions *Node) *Node {
	g := positions.Graph()
	periods := ConvertDType(Div(positions, Scalar(g, positions.DType(), r.period)), dtypes.Float32)
	return InsertAxes(AddScalar(MulScalar(Log(AddScalar(periods, 1.0)), r.grows), 1.0), 1, -1)
}

// llama3 slows long waves by the factor, leaves short ones and blends between (Llama 3.1's published rotary scaling).
func (r *rope) llama3(factor, low, high, original float64) {
	for i, inv := range r.inverse {
		turns := original * inv / (2 * math.Pi) // turns within the original context
		switch {
		case turns < low:
			r.inverse[i] = inv / factor
		case turns <= high:
			smooth := (turns - low) / (high - low)
			r.inverse[i] = (1-smooth)*inv/factor + smooth*inv
		}
	}
}

// yarn interpolates slow pairs, leaves fast ones, and sharpens attention by a factor on cosine and sine (Peng et al. 2023, arXiv 2309.00071).
func (r *rope) yarn(f *fields, factor, original float64) {
	fast, slow := f.number(32, "beta_fast"), f.number(1, "beta_slow")
	magnitude := func(scale float64) float64 {
		if factor <= 1 {
			return 1
		}
		return 0.1*scale*math.Log(factor) + 1
	}
	r.factor = magnitude(1)
	if m, all := f.number(0, "mscale"), f.number(0, "mscale_all_dim"); m != 0 && all != 0 {
		r.factor = magnitude(m) / magnitude(all)
	}
	r.factor = f.number(r.factor, "attention_factor")
	pair := func(turns float64) float64 { // the pair that turns so often within the original context
		return float64(r.dim) * math.Log(original/(turns*2*math.Pi)) / (2 * math.Log(r.theta))
	}
	low, high := pair(fast), pair(slow)
	if f.boolean(true, "truncate") {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(r.dim-1))
	if low == high {
		high += 0.001 // a step, without dividing by zero
	}
	for i, inv := range r.inverse {
		ramp := min(1, max(0, (float64(i)-low)/(high-low)))
		r.inverse[i] = inv/factor*ramp + inv*(1-ramp)
	}
}

// longRope has a divisor for each pair, other ones beyond the original context (Ding et al. 2024, arXiv 2402.13753).
func (r *rope) longRope(f *fields, factor float64, c *Config, original int) {
	if factor == 0 {
		factor = float64(c.MaxPositions) / float64(original)
	}
	if factor > 1 && original > 1 {
		r.factor = math.Sqrt(1 + math.Log(factor)/math.Log(float64(original)))
	}
	r.factor = f.number(r.factor, "attention_factor")
	divided := func(name string) []float64 {
		divisors := read[[]float64](f, "a list of numbers", nil, name)
		if len(divisors) != len(r.inverse) {
			f.fail("%s%s has %d numbers, expected %d, one for each rotated pair", f.path, name, len(divisors), len(r.inverse))
			return nil
		}
		out := make([]float64, len(divisors))
		for i, d := range divisors {
			out[i] = r.inverse[i] / d
		}
		return out
	}
	r.long, r.inverse = divided("long_factor"), divided("short_factor")
	r.trained = original
}

// rotary holds the rotation of each position: float32 [1 or batch, tokens, dim/2].
type rotary struct {
	cos, sin *Node
	pairs    bool
}

// at computes the rotation of positions, int32 [1 or batch, tokens]. lengths, int32 [batch], are those of the sequences, which some kinds depend
// on; nil = none is beyond the trained length. Angles are float32 whatever the model's type: in bfloat16 neighbouring positions past 256 would share one.
func (r *rope) at(positions, lengths *Node) rotary {
	g := positions.Graph()
	inverse := InsertAxes(Const(g, toFloat32(r.inverse)), 0) // [1 or batch, dim/2]
	if r.trained > 0 && lengths != nil {
		inverse = r.stretched(inverse, lengths)
	}
	angle := Mul(InsertAxes(ConvertDType(positions, dtypes.Float32), -1), InsertAxes(inverse, 1))
	cos, sin := Cos(angle), Sin(angle)
	if r.factor != 1 {
		cos, sin = MulScalar(cos, r.factor), MulScalar(sin, r.factor)
	}
	return rotary{cos, sin, r.pairs}
}

// stretched replaces the frequencies of sequences beyond the trained length: [batch, dim/2].
func (r *rope) stretched(inverse, lengths *Node) *Node {
	g, dims := lengths.Graph(), []int{lengths.Shape().Dimensions[0], r.dim / 2}
	var longer *Node
	if r.long != nil {
		longer = InsertAxes(Const(g, toFloat32(r.long)), 0)
	} else {
		// theta' = theta * (stretch*length/trained - (stretch-1))^(dim/(dim-2)), and inverse[i] = theta'^(-2i/dim), in logarithms.
		length := MaxScalar(ConvertDType(lengths, dtypes.Float32), float64(r.trained))
		grown := Log(AddScalar(MulScalar(length, r.stretch/float64(r.trained)), 1-r.stretch))
		exponent := make([]float32, r.dim/2)
		for i := range exponent {
			exponent[i] = float32(-2 * float64(i) / float64(r.dim-2))
		}
		longer = Mul(inverse, Exp(Mul(InsertAxes(grown, -1), InsertAxes(Const(g, exponent), 0))))
	}
	beyond := InsertAxes(GreaterThan(lengths, Scalar(g, lengths.DType(), r.trained)), -1)
	return Where(BroadcastToDims(beyond, dims...), BroadcastToDims(longer, dims...), BroadcastToDims(inverse, dims...))
}

// apply rotates x [batch, heads, tokens, head_dim], halves paired as Hugging Face checkpoints store them: (x1, x2) ->
// (x1 cos - x2 sin, x2 cos + x1 sin). Entries of a head beyond the rotated ones pass. Of neighbouring pairs the first entries come out in front of the second ones:
// queries and keys are ordered alike, so their products do not change.
func (r rotary) apply(x *Node) *Node {
	dtype := x.DType()
	half := r.cos.Shape().Dimensions[2]
	part := func(from, to int) *Node { return SliceAxis(x, -1, AxisRange(from, to)) }
	x1, x2 := part(0, half), part(half, 2*half)
	if r.pairs {
		dims := x.Shape().Dimensions
		y := Reshape(part(0, 2*half), dims[0], dims[1], dims[2], half, 2)
		entry := func(i int) *Node {
			return Reshape(SliceAxis(y, -1, AxisRange(i, i+1)), dims[0], dims[1], dims[2], half)
		}
		x1, x2 = entry(0), entry(1)
	}
	x1, x2 = ConvertDType(x1, dtypes.Float32), ConvertDType(x2, dtypes.Float32)
	cos, sin := InsertAxes(r.cos, 1), InsertAxes(r.sin, 1)
	parts := []*Node{
		ConvertDType(Sub(Mul(x1, cos), Mul(x2, sin)), dtype),
		ConvertDType(Add(Mul(x2, cos), Mul(x1, sin)), dtype),
	}
	if width := x.Shape().Dimensions[3]; width > 2*half {
		parts = append(parts, part(2*half, width))
	}
	return Concatenate(parts, -1)
}

func toFloat32(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
