package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/env"
)

// Cell types of nbformat 4.
const (
	Code     = "code"
	Markdown = "markdown"
	Raw      = "raw"
)

// Notebook is a notebook in memory. Fields that this package does not know are kept and written back.
type Notebook struct {
	Path     string         // the file it was read from; only used in messages
	Cells    []*Cell        // in order
	Metadata map[string]any // kernelspec, language_info, and whatever else the notebook carries

	minor int            // nbformat_minor, at least 5 after Read
	extra map[string]any // other top-level fields
}

// Cell is one cell. Source is the text without nbformat's division into lines.
type Cell struct {
	ID             string
	Type           string // Code, Markdown or Raw
	Source         string
	Metadata       map[string]any
	ExecutionCount int      // 0: not executed (null in the file)
	Outputs        []Output // code cells only

	extra map[string]any // attachments and other fields
}

// Language is the language that the notebook says its cells are in (metadata.kernelspec or language_info), in lower case; "" when it does not say.
func (nb *Notebook) Language() string {
	for _, at := range [][2]string{{"kernelspec", "language"}, {"language_info", "name"}} {
		about, _ := nb.Metadata[at[0]].(map[string]any)
		if name, _ := about[at[1]].(string); name != "" {
			return strings.ToLower(name)
		}
	}
	return ""
}

// Output is an output of a code cell as nbformat stores it (output_type, name, text, data, metadata, ...).
type Output map[string]any

// maxFile is the largest notebook that is read, 1 GiB: one that a cell printed without end into.
const maxFile = 1 << 30

// Read reads a notebook file. Cells without an id (nbformat 4.4 and earlier) get one derived from their position and source,
// the same every time.
func Read(path string) (*Notebook, error) {
	data, err := env.ReadFile(path, maxFile)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("notebook %s does not exist: check the path", path)
		}
		return nil, fmt.Errorf("notebook %s: %w", path, err)
	}
	nb, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("notebook %s: %w", path, err)
	}
	nb.Path = path
	return nb, nil
}

// Parse reads a notebook from the bytes of its file.
//
// A byte order mark is dropped. What is not UTF-8, not JSON or no notebook of nbformat 4 is an error that says where; so is a lone surrogate, an escape
// sequence that stands for no character, which writing would lose.
func Parse(data []byte) (*Notebook, error) {
	data, err := fileText(data)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // keep numbers as they were written
	var top map[string]any
	if err := decoder.Decode(&top); err != nil {
		return nil, jsonError(data, decoder, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: text follows the end of the notebook's JSON object: remove it", lineAt(data, decoder.InputOffset()))
	}
	if at := loneSurrogate(data); at >= 0 {
		return nil, fmt.Errorf("line %d: found %s, half of a character, which no file can hold: replace it", lineAt(data, int64(at)), data[at:at+6])
	}
	major, okMajor := integer(top["nbformat"])
	minor, okMinor := integer(top["nbformat_minor"])
	switch {
	case okMajor && major != 4:
		return nil, fmt.Errorf("found nbformat %d, expected 4: convert it with `jupyter nbconvert --to notebook --nbformat 4 FILE`, or open it in Jupyter and save it again", major)
	case !okMajor || !okMinor:
		return nil, fmt.Errorf(`found %s for "nbformat" and %s for "nbformat_minor", expected numbers: this is JSON but not a notebook; save it from Jupyter`,
			kindOf(top["nbformat"]), kindOf(top["nbformat_minor"]))
	case minor < 0:
		return nil, fmt.Errorf("found nbformat_minor %d, expected 0 or more", minor)
	}
	cells, ok := top["cells"].([]any)
	if !ok {
		return nil, fmt.Errorf(`found %s for "cells", expected a list: the notebook is damaged, restore it from version control`, kindOf(top["cells"]))
	}
	metadata, ok := top["metadata"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf(`found %s for "metadata", expected an object: the notebook is damaged, restore it from version control`, kindOf(top["metadata"]))
	}
	nb := &Notebook{Metadata: metadata, minor: max(minor, 5), extra: top}
	for _, key := range []string{"cells", "metadata", "nbformat", "nbformat_minor"} {
		delete(top, key)
	}
	for i, c := range cells {
		fields, ok := c.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("cell %d: found %s, expected an object: the notebook is damaged, restore it from version control", i+1, kindOf(c))
		}
		cell, err := parseCell(fields)
		if err != nil {
			return nil, fmt.Errorf("cell %d: %w", i+1, err)
		}
		nb.Cells = append(nb.Cells, cell)
	}
	nb.assignIDs()
	return nb, nil
}

func parseCell(fields map[string]any) (*Cell, error) {
	cell := &Cell{extra: fields}
	var ok bool
	if cell.Type, ok = fields["cell_type"].(string); !ok {
		return nil, fmt.Errorf(`found %s for "cell_type", expected "code", "markdown" or "raw"`, kindOf(fields["cell_type"]))
	}
	if cell.Source, ok = JoinLines(fields["source"]); !ok {
		return nil, fmt.Errorf(`found %s for "source", expected text or a list of lines`, kindOf(fields["source"]))
	}
	cell.ID, _ = fields["id"].(string)
	if cell.Metadata, ok = fields["metadata"].(map[string]any); !ok && fields["metadata"] != nil {
		return nil, fmt.Errorf(`found %s for "metadata", expected an object`, kindOf(fields["metadata"]))
	}
	if cell.Metadata == nil {
		cell.Metadata = map[string]any{}
	}
	known := []string{"cell_type", "source", "id", "metadata"}
	if cell.Type == Code {
		cell.ExecutionCount, _ = integer(fields["execution_count"])
		outputs, ok := fields["outputs"].([]any)
		if !ok && fields["outputs"] != nil {
			return nil, fmt.Errorf(`found %s for "outputs", expected a list`, kindOf(fields["outputs"]))
		}
		for i, o := range outputs {
			output, ok := o.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("output %d: found %s, expected an object", i+1, kindOf(o))
			}
			cell.Outputs = append(cell.Outputs, output)
		}
		known = append(known, "execution_count", "outputs")
	}
	for _, key := range known {
		delete(fields, key)
	}
	return cell, nil
}

// Bytes is the notebook's file as Jupyter writes it: nbformat 4.5, sorted keys, a newline at the end.
func (nb *Notebook) Bytes() ([]byte, error) {
	top := map[string]any{"nbformat": 4, "nbformat_minor": max(nb.minor, 5), "metadata": orEmpty(nb.Metadata)}
	for key, value := range nb.extra {
		top[key] = value
	}
	nb.assignIDs()
	cells := make([]any, len(nb.Cells))
	for i, cell := range nb.Cells {
		cells[i] = cell.fields()
	}
	top["cells"] = cells
	return encode(top)
}

func (c *Cell) fields() map[string]any {
	fields := map[string]any{
		"cell_type": c.Type,
		"id":        c.ID,
		"metadata":  orEmpty(c.Metadata),
		"source":    splitLines(c.Source),
	}
	for key, value := range c.extra {
		fields[key] = value
	}
	if c.Type != Code {
		return fields
	}
	fields["execution_count"] = nil
	if c.ExecutionCount > 0 {
		fields["execution_count"] = c.ExecutionCount
	}
	outputs := make([]any, len(c.Outputs))
	for i, output := range c.Outputs {
		outputs[i] = map[string]any(output)
	}
	fields["outputs"] = outputs
	return fields
}

// Write writes the notebook to path atomically: a reader sees the earlier file or the new one, never a part.
func (nb *Notebook) Write(path string) error {
	data, err := nb.Bytes()
	if err != nil {
		return fmt.Errorf("notebook %s: %w", path, err)
	}
	if err := env.WriteBytes(path, 0o666, data); err != nil {
		return fmt.Errorf("notebook %s: %w", path, err)
	}
	return nil
}

// splitLines divides text into nbformat's list of lines, each with its end. nbformat uses Python's str.splitlines, which
// knows more line ends than the newline.
func splitLines(text string) []any {
	lines := []any{}
	start := 0
	for i, r := range text {
		switch r {
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		case '\r':
			if strings.HasPrefix(text[i+1:], "\n") {
				continue // one line end
			}
		default:
			continue
		}
		end := i + utf8.RuneLen(r)
		lines = append(lines, text[start:end])
		start = end
	}
	if start < len(text) {
		lines = append(lines, text[start:])
	}
	return lines
}

// JoinLines reads nbformat's multi-line text: a string or a list of strings.
func JoinLines(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []any:
		var b strings.Builder
		for _, line := range v {
			s, ok := line.(string)
			if !ok {
				return "", false
			}
			b.WriteString(s)
		}
		return b.String(), true
	}
	return "", false
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
