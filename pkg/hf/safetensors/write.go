package safetensors

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// Write writes the tensors to path, replacing a file already there only when the new one is complete and on the disk:
// a temporary file in the same folder, fsync, rename, fsync of the folder. A crash leaves the old file or the new one.
// The same tensors and metadata give the same bytes whatever their order: tensors lie by falling size of dtype,
// then by name, as Hugging Face writes them, which with a header padded to 8 bytes keeps every tensor aligned.
// Nothing is written if a tensor's bytes do not fit its dtype and shape or a name occurs twice.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	ordered := slices.Clone(tensors)
	slices.SortStableFunc(ordered, func(a, b Tensor) int {
		if sizes := dtypeSizes[b.DType] - dtypeSizes[a.DType]; sizes != 0 {
			return sizes
		}
		return strings.Compare(a.Name, b.Name)
	})
	head, err := encodeHeader(ordered, metadata)
	if err != nil {
		return fmt.Errorf("safetensors: writing %s: %w", path, err)
	}
	err = env.WriteFile(path, 0o666, func(w io.Writer) error { return writeAll(w, head, ordered) })
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

func writeAll(w io.Writer, head []byte, tensors []Tensor) error {
	buffered := bufio.NewWriterSize(w, 1<<20)
	if _, err := buffered.Write(head); err != nil {
		return err
	}
	for _, t := range tensors {
		if _, err := buffered.Write(t.Data); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	return buffered.Flush()
}

// encodeHeader returns the length and the header, padded so that the data begins at a multiple of 8 bytes.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var text bytes.Buffer
	text.Write(make([]byte, lengthSize))
	text.WriteByte('{')
	field := func(key string, value any) error {
		if text.Len() > lengthSize+1 {
			text.WriteByte(',')
		}
		for i, part := range []any{key, value} {
			if i == 1 {
				text.WriteByte(':')
			}
			encoded, err := json.Marshal(part)
			if err != nil {
				return err
			}
			text.Write(encoded)
		}
		return nil
	}
	if len(metadata) > 0 {
		if err := field(metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{metadataKey: true}
	offset := 0
	for _, t := range tensors {
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q: found the name twice or reserved, expected each name once and not %s", t.Name, metadataKey)
		}
		seen[t.Name] = true
		if err := t.check(); err != nil {
			return nil, err
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		err := field(t.Name, struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}{t.DType, shape, [2]int{offset, offset + len(t.Data)}})
		if err != nil {
			return nil, err
		}
		offset += len(t.Data)
	}
	text.WriteByte('}')
	for text.Len()%8 != 0 {
		text.WriteByte(' ')
	}
	head := text.Bytes()
	length := len(head) - lengthSize
	if length > maxHeader {
		return nil, fmt.Errorf("found a header of %d bytes, expected at most %d; write fewer tensors or less metadata", length, maxHeader)
	}
	binary.LittleEndian.PutUint64(head, uint64(length))
	return head, nil
}
