package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
)

// Part is one view of a result, in the order in which a reader meets it. Every field may be empty.
type Part struct {
	Method  string `json:"method,omitempty"`  // one or two sentences: what was computed, how to read it
	Finding string `json:"finding,omitempty"` // one sentence with interval, for the note's summary
	// Details are further sentences of the same kind, which the summary lists after the findings.
	Details []string `json:"details,omitempty"`
	// Answers marks the finding that answers the recipe's question: it stands first in the note. Without one the last finding does.
	Answers   bool           `json:"answers,omitempty"`
	Arms      []Arm          `json:"arms,omitempty"` // what is compared; a note defines each once
	Numbers   []Number       `json:"numbers,omitempty"`
	Tables    []Table        `json:"tables,omitempty"`
	Figures   []Figure       `json:"figures,omitempty"`
	Attention []Attention    `json:"attention,omitempty"`
	Samples   []Sample       `json:"samples,omitempty"`
	Facts     map[string]any `json:"facts,omitempty"` // provenance: hashes, plan, dtype; strings, numbers, bools
}

// Parts makes a part a Shower.
func (p *Part) Parts() []*Part { return []*Part{p} }

// Shower is what has parts: a result, or a part itself.
type Shower interface{ Parts() []*Part }

// Arm defines one thing that is compared.
type Arm struct {
	Name       string          `json:"name"`
	Words      string          `json:"words"`                // what it does, in a sentence
	Definition json.RawMessage `json:"definition,omitempty"` // the data that its results are stored under
}

// Sample is text that a model wrote or was given. It is shown as it is and never interpreted.
type Sample struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// Chart is data until it is drawn.
type Chart interface{ PNG() ([]byte, error) }

// PNG is a chart that has been drawn: what comes over the wire.
type PNG []byte

// PNG is the picture itself; bytes that are no PNG are an error.
func (b PNG) PNG() ([]byte, error) {
	if _, err := png.DecodeConfig(bytes.NewReader(b)); err != nil {
		return nil, fmt.Errorf("not a PNG (%d bytes): %w", len(b), err)
	}
	return b, nil
}

// Figure is a chart with what it shows and the numbers behind it. In JSON the chart is drawn.
type Figure struct {
	Name    string // of the file: figures/NAME.png; unique in the run
	Title   string // what is shown; the alternative text of the picture
	Caption string // model, layers, head aggregation, pre- or post-softmax, prompts
	Chart   Chart
	Table   *Table // the numbers behind the figure; its name defaults to the figure's. nil = none
}

// PNG draws the figure's chart.
func (f *Figure) PNG() ([]byte, error) {
	if f.Chart == nil {
		return nil, fmt.Errorf("figure %q has no chart", f.Name)
	}
	b, err := f.Chart.PNG()
	if err != nil {
		return nil, fmt.Errorf("figure %q: %w", f.Name, err)
	}
	return b, nil
}

type figureJSON struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Caption string `json:"caption"`
	PNG     PNG    `json:"png,omitempty"`
	Table   *Table `json:"table,omitempty"`
}

// MarshalJSON draws the chart.
func (f Figure) MarshalJSON() ([]byte, error) {
	j := figureJSON{Name: f.Name, Title: f.Title, Caption: f.Caption, Table: f.Table}
	if f.Chart != nil {
		b, err := f.PNG()
		if err != nil {
			return nil, err
		}
		j.PNG = b
	}
	return json.Marshal(j)
}

// UnmarshalJSON leaves a PNG as the chart. Numbers of the table stay as they were written (json.Number).
func (f *Figure) UnmarshalJSON(b []byte) error {
	var j figureJSON
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&j); err != nil {
		return err
	}
	*f = Figure{Name: j.Name, Title: j.Title, Caption: j.Caption, Table: j.Table}
	if j.PNG != nil {
		f.Chart = j.PNG
	}
	return nil
}
