package recipe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/attune-lab/attune/pkg/notebook"
)

// ReadParameters reads a file of parameters: a JSON object of names and strings, numbers or booleans, or the results.json of a run, whose parameters are meant.
// Numbers stay as they are written.
func ReadParameters(path string) (notebook.Overrides, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	values, err := object(b)
	if err != nil {
		return nil, fmt.Errorf(`parameters: %s: %w; expected a JSON object such as {"limit": 20, "items": "generated"}`, path, err)
	}
	if inner, is := values["parameters"].(map[string]any); is && values["recipe"] != nil {
		values = inner
	}
	out := notebook.Overrides{}
	for name, value := range values {
		text, err := written(value)
		if err != nil {
			return nil, fmt.Errorf("parameters: %s: %s: %w", path, name, err)
		}
		out[name] = text
	}
	return out, nil
}

func object(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more behind the object")
	}
	return values, nil
}

// written is a JSON value as a user writes it behind -p NAME=.
func written(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("found %T, expected a string, a number, true or false", value)
}
