package note

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/env"
)

// writeFile writes a file as a whole, and its folders.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("note: %w", err)
	}
	if err := env.WriteBytes(path, 0o666, content); err != nil {
		return fmt.Errorf("note: %w", err)
	}
	return nil
}

// encode is JSON as this package writes it: indented, keys of maps sorted, '<' and '&' as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

func writeJSON(path string, v any) error {
	b, err := encode(v)
	if err != nil {
		return fmt.Errorf("note: %s: %w", filepath.Base(path), err)
	}
	return writeFile(path, b)
}

// decode reads JSON without losing a digit: numbers of unknown type stay as written (json.Number).
func decode(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("more than one JSON value")
	}
	return nil
}
