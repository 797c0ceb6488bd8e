package report

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// Arrays are the plain numbers behind a result, by name.
type Arrays map[string]Array

// Array is a dense array in row-major order. Its JSON carries the values as base64 of little-endian float32.
type Array struct {
	Shape  []int
	Axes   []string // what each dimension is: "layer", "head", "query", "key"
	Values []float32
}

// Check compares shape, axes and the number of values. An array without dimensions has none.
func (a *Array) Check() error {
	n := min(1, len(a.Shape))
	for _, d := range a.Shape {
		if d < 0 || d > 0 && n > math.MaxInt/d {
			return fmt.Errorf("array of shape %v: want sizes >= 0 whose product is a number of values", a.Shape)
		}
		n *= d
	}
	if len(a.Axes) != len(a.Shape) {
		return fmt.Errorf("array of shape %v has axes %q: want a name for each dimension", a.Shape, a.Axes)
	}
	if n != len(a.Values) {
		return fmt.Errorf("array of shape %v has %d values, want %d", a.Shape, len(a.Values), n)
	}
	return nil
}

type arrayJSON struct {
	Shape  []int    `json:"shape"`
	Axes   []string `json:"axes"`
	Values []byte   `json:"float32"`
}

// MarshalJSON refuses an array whose shape and values disagree.
func (a Array) MarshalJSON() ([]byte, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	j := arrayJSON{Shape: a.Shape, Axes: a.Axes, Values: make([]byte, 0, 4*len(a.Values))}
	for _, v := range a.Values {
		j.Values = binary.LittleEndian.AppendUint32(j.Values, math.Float32bits(v))
	}
	return json.Marshal(j)
}

// UnmarshalJSON refuses an array whose shape and values disagree.
func (a *Array) UnmarshalJSON(b []byte) error {
	var j arrayJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	if len(j.Values)%4 != 0 {
		return fmt.Errorf("array of shape %v has %d bytes: want a multiple of 4", j.Shape, len(j.Values))
	}
	*a = Array{Shape: j.Shape, Axes: j.Axes, Values: make([]float32, len(j.Values)/4)}
	for i := range a.Values {
		a.Values[i] = math.Float32frombits(binary.LittleEndian.Uint32(j.Values[4*i:]))
	}
	return a.Check()
}

// Attention is the attention of one text, to look at token by token.
type Attention struct {
	Name    string   `json:"name"` // unique in the run
	Title   string   `json:"title"`
	Caption string   `json:"caption"`
	Tokens  []string `json:"tokens"`
	Arms    []string `json:"arms"`
	// Probs is [arms, layers, heads, queries, keys], post-softmax; entries above the diagonal are not read.
	Probs Array `json:"probs"`
}

// Check compares tokens, arms and the shape of the probabilities.
func (a *Attention) Check() error {
	if err := a.Probs.Check(); err != nil {
		return fmt.Errorf("attention %q: %w", a.Name, err)
	}
	s, n := a.Probs.Shape, len(a.Tokens)
	if n == 0 || len(a.Arms) == 0 || len(s) != 5 || s[0] != len(a.Arms) || s[1] == 0 || s[2] == 0 || s[3] != n || s[4] != n {
		return fmt.Errorf("attention %q: probabilities of shape %v for %d arms and %d tokens: want [arms, layers, heads, tokens, tokens]", a.Name, s, len(a.Arms), n)
	}
	return nil
}
