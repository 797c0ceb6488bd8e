package corpus

import (
	"fmt"
	"slices"
	"strings"
)

// Mask says which sections a model is trained to write.
type Mask struct {
	Sections []string           // the sections whose text counts; empty means all of them, headings too
	Weights  map[string]float32 // of some of those sections; 1 where none is given
	Headings bool               // the headings of those sections count, too
}

// Check refuses a mask with a section that the template does not have, or with a weight of a section that is not counted.
func (m Mask) Check(t *Template) error {
	known := t.Sections()
	for _, s := range m.Sections {
		if !slices.Contains(known, s) {
			return fmt.Errorf("corpus: the loss mask names section %q: the template has %s", s, strings.Join(known, ", "))
		}
	}
	for s, w := range m.Weights {
		if !m.counts(s) || !slices.Contains(known, s) {
			return fmt.Errorf("corpus: the loss mask weighs section %q, which it does not count", s)
		}
		if !(w >= 0 && w < 1e6) {
			return fmt.Errorf("corpus: the loss mask gives section %q the weight %v, expected 0 to 1e6", s, w)
		}
	}
	return nil
}

func (m Mask) counts(section string) bool {
	return len(m.Sections) == 0 || slices.Contains(m.Sections, section)
}

func (m Mask) weight(section string) float32 {
	if w, given := m.Weights[section]; given {
		return w
	}
	return 1
}

// Region is a stretch of a text, in bytes, with one weight.
type Region struct {
	Start, End int
	Weight     float32
}

// Regions tile the text; neighbours of one weight are one region.
func (m Mask) Regions(t Text) []Region {
	var regions []Region
	add := func(start, end int, weight float32) {
		if n := len(regions); n > 0 && regions[n-1].Weight == weight {
			regions[n-1].End = end
		} else if end > start {
			regions = append(regions, Region{start, end, weight})
		}
	}
	for _, s := range t.Spans {
		var heading, body float32
		if m.counts(s.Section) {
			body = m.weight(s.Section)
			if m.Headings || len(m.Sections) == 0 {
				heading = body
			}
		}
		add(s.Start, s.Body, heading)
		add(s.Body, s.End, body)
	}
	return regions
}

// TokenWeights gives each token, by its byte offsets, the weight of the region it lies in. A token that reaches across regions gets the
// lowest of their weights: what is not chosen is never trained on. A token of no text (start == end), such as BOS,
// gets 0, at the end of the text that of its last region: an end-of-text token belongs to the section that it ends.
// Offsets must not decrease.
func (m Mask) TokenWeights(t Text, offsets [][2]int) ([]float32, error) {
	regions := m.Regions(t)
	weights := make([]float32, len(offsets))
	at := 0
	for i, o := range offsets {
		start, end := o[0], o[1]
		if start > end || start < 0 || end > len(t.Text) {
			return nil, fmt.Errorf("corpus: token %d has the offsets %d to %d in a text of %d bytes: were they made from this text?", i, start, end, len(t.Text))
		}
		if start == end {
			if start == len(t.Text) && i > 0 {
				weights[i] = regions[len(regions)-1].Weight
			}
			continue
		}
		for at > 0 && regions[at].Start > start { // tokens of one replaced stretch share their offsets
			at--
		}
		for regions[at].End <= start {
			at++
		}
		weights[i] = regions[at].Weight
		for k := at + 1; k < len(regions) && regions[k].Start < end; k++ {
			weights[i] = min(weights[i], regions[k].Weight)
		}
	}
	return weights, nil
}
