package emulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// Spec declares an intervention on attention. The zero value is off.
//
// In JSON a field at its zero value is left out, so a field added later leaves the hash of every older Spec as it is.
type Spec struct {
	// Alpha is the strength of the gain: 0 = off. What it means at a layer is up to Schedule; by default the gain of layer l is
	// 1 + Alpha*(1 - l/last).
	Alpha float64 `json:"alpha,omitempty"`
	// Tau is an absolute threshold: an entry passes where the source's probability is above it. Probabilities are below 1, so is Tau. For the
	// masks of received attention it is the threshold of that.
	Tau float64 `json:"tau,omitempty"`
	// Mask says which entries get the gain; empty = those that pass the threshold in the source.
	Mask Mask `json:"mask,omitempty"`
	// Last is the layer at which a linear gain reaches 1; 0 = the model's last layer. The released code fixes 31, also for models of 40
	// layers, whose last eight it thereby damps.
	Last int `json:"last,omitempty"`
	// Renormalise says what becomes of the rows' sums; empty = rows keep the mass they gained.
	Renormalise Renormalisation `json:"renormalise,omitempty"`
	// Phase restricts the intervention to prefill or to decoding; empty = both.
	Phase Phase `json:"phase,omitempty"`

	// Source lists the layers whose pattern is emulated: one, or several whose probabilities are averaged; empty = layer 0. Only layers after
	// the last of them are changed, since their pattern does not exist before.
	Source []int `json:"source,omitempty"`
	// Pairing says which head of the source a head emulates; empty = the one of the same index.
	Pairing Pairing `json:"pairing,omitempty"`
	// PerKey is a threshold k/n: Tau becomes PerKey divided by the number of keys the query can see. 1 asks for more than an even share.
	PerKey float64 `json:"per_key,omitempty"`
	// TopK passes the K most probable entries of a row that are not excluded. Entries equal to the K-th pass with it.
	TopK int `json:"top_k,omitempty"`
	// Quantile passes the entries of a row above that quantile of those that are not excluded: 0.9 passes a tenth of them, rounded up.
	Quantile float64 `json:"quantile,omitempty"`
	// Diagonal lets a query's own position into the mask. By default it is excluded.
	Diagonal bool `json:"diagonal,omitempty"`
	// ExcludePositions, ExcludeTokens and ExcludeClasses keep keys out of the mask: by position in the sequence, by token id, and by token
	// class (names of package hf/tokenizer: "special", "punctuation", ...), which apply.Resolve turns into ids.
	ExcludePositions []int    `json:"exclude_positions,omitempty"`
	ExcludeTokens    []int    `json:"exclude_tokens,omitempty"`
	ExcludeClasses   []string `json:"exclude_classes,omitempty"`
	// Schedule is the gain over depth; empty = linear, reaching 1 at Last.
	Schedule Schedule `json:"schedule,omitempty"`
	// Gains is a gain for every layer of the model, in place of Alpha and Schedule.
	Gains []float64 `json:"gains,omitempty"`
	// Layers restricts the change to these layers; empty = all that can be changed.
	Layers []int `json:"layers,omitempty"`
	// Heads restricts the change to these query heads, in every layer; LayerHeads to (layer, head) pairs. Both empty = all heads.
	Heads      []int    `json:"heads,omitempty"`
	LayerHeads [][2]int `json:"layer_heads,omitempty"`
	// Positions, Spans (first and one past the last position), Tokens, Classes and Highlighted name the keys of MaskKeys and MaskOutside; together.
	Positions []int    `json:"positions,omitempty"`
	Spans     [][2]int `json:"spans,omitempty"`
	Tokens    []int    `json:"tokens,omitempty"`
	Classes   []string `json:"classes,omitempty"`
	// Highlighted names the keys of the span that is highlighted in each prompt, which a pass is told beside the tokens.
	Highlighted bool `json:"highlighted,omitempty"`
	// KeepFirst leaves the first key above Tau out of the masks of received attention, in each head of each sequence.
	KeepFirst bool `json:"keep_first,omitempty"`
	// Seed of MaskRandom.
	Seed uint32 `json:"seed,omitempty"`
}

// Mask is a way to choose the entries that get the gain.
type Mask string

const (
	MaskThreshold    Mask = ""              // what passes the threshold in the source, the excluded set left out
	MaskAll          Mask = "all"           // every entry of every row after layer 0: a uniform gain on the attention output
	MaskUniform      Mask = "uniform"       // control: the mass that MaskThreshold would add to a row, spread over the row in proportion
	MaskRandom       Mask = "random"        // control: as many entries of each row as MaskThreshold takes, drawn by Seed
	MaskLocal        Mask = "local"         // control: as many entries of each row as MaskThreshold takes, the nearest ones
	MaskKeys         Mask = "keys"          // the columns of the named keys
	MaskOutside      Mask = "outside"       // the columns of the prompt's other keys: never those of tokens that were generated
	MaskSinks        Mask = "sinks"         // columns whose mean received attention in the layer itself, over the whole prompt, is above Tau
	MaskRunningSinks Mask = "running-sinks" // the same, the mean taken over the queries up to the row's own
)

// Pairing is how a head finds the head of the source that it emulates.
type Pairing string

const (
	PairSame Pairing = ""     // the head of the same index
	PairMean Pairing = "mean" // all of them: the mean of the source's heads
	PairBest Pairing = "best" // for each row, the head of the source whose row has the largest cosine with the head's own
)

// Schedule is the gain over depth.
type Schedule string

const (
	ScheduleLinear   Schedule = ""         // 1 + Alpha*(1 - l/last)
	ScheduleConstant Schedule = "constant" // 1 + Alpha
)

// Renormalisation is what happens to a row after the gain.
type Renormalisation string

const (
	RenormaliseNone         Renormalisation = ""              // as the authors do: a row sums to 1 + (g-1) * its masked mass
	RenormaliseRow          Renormalisation = "row"           // every row is divided by its sum over the real keys
	RenormaliseKeepDiagonal Renormalisation = "keep-diagonal" // the diagonal stays; the other entries share what it leaves
	RenormaliseRest         Renormalisation = "rest"          // the entries outside the mask take the freed mass, in proportion to their weight
)

// Phase restricts an intervention to a part of the computation.
type Phase string

const (
	PhaseBoth    Phase = ""
	PhasePrefill Phase = "prefill"
	PhaseDecode  Phase = "decode"
)

// Enabled reports whether the Spec changes anything.
func (s Spec) Enabled() bool {
	for _, g := range s.Gains {
		if g != 1 {
			return true
		}
	}
	return s.Alpha != 0
}

// JSON is the canonical form: fields in the order of the struct, zero values left out.
func (s Spec) JSON() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // only NaN or infinity, which Validate refuses
	}
	return b
}

// Parse reads a Spec from JSON; an unknown field is an error, so that a misspelt one cannot silently mean the default.
func Parse(data []byte) (Spec, error) {
	var s Spec
	if err := decode(data, &s); err != nil {
		return Spec{}, err
	}
	return s, s.Validate()
}

func decode(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("intervention: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("intervention: text after the JSON value, expected one object, or one list of them")
	}
	return nil
}

// Hash identifies the Spec: the first 12 hexadecimal digits of SHA-256 over its canonical JSON.
func (s Spec) Hash() string { return hashOf(s.JSON()) }

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
