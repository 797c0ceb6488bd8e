package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
)

// The names Hugging Face gives the weights of a model directory.
const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// IsWeights reports whether a file of this name is what [OpenDir] opens in its directory.
func IsWeights(name string) bool { return name == singleName || name == indexName }

// Sharded is the weights of a model directory, in one file or several, with the methods of a [File].
type Sharded struct {
	dir    string
	files  map[string]*File  // by file name
	holder map[string]string // tensor name to file name
	names  []string
}

// OpenDir opens the weights of a model directory: model.safetensors, or the shards that
// model.safetensors.index.json lists. With shards the index decides which tensors there are and where. A directory with nothing but
// pickled weights is refused with the way to convert them: unpickling runs code from the file.
func OpenDir(dir string) (*Sharded, error) {
	s := &Sharded{dir: dir, files: map[string]*File{}, holder: map[string]string{}}
	err := s.open()
	if err != nil {
		s.Close()
		return nil, err
	}
	s.names = slices.Sorted(maps.Keys(s.holder))
	return s, nil
}

func (s *Sharded) open() error {
	single := filepath.Join(s.dir, singleName)
	if _, err := os.Stat(single); err == nil {
		f, err := Open(single)
		if err != nil {
			return err
		}
		s.files[singleName] = f
		for _, name := range f.names {
			s.holder[name] = singleName
		}
		return nil
	}
	path := filepath.Join(s.dir, indexName)
	text, err := env.ReadFile(path, maxHeader)
	if errors.Is(err, fs.ErrNotExist) {
		return s.nothingToOpen()
	}
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return fmt.Errorf("safetensors: %s: not a valid index (%w); fetch it again", path, err)
	}
	if len(index.WeightMap) == 0 {
		return fmt.Errorf("safetensors: %s: found no weight_map, expected tensor names and the file that holds each; fetch it again", path)
	}
	for _, name := range slices.Sorted(maps.Keys(index.WeightMap)) {
		if err := s.add(path, name, index.WeightMap[name]); err != nil {
			return err
		}
	}
	return nil
}

// add records that the tensor is in the shard, opening the shard the first time.
func (s *Sharded) add(index, name, shard string) error {
	// An index is data from elsewhere: it may name files of its own directory, nothing else.
	if !filepath.IsLocal(shard) || filepath.Base(shard) != shard {
		return fmt.Errorf("safetensors: %s: tensor %q: found file %q, expected the name of a file in the same directory", index, name, shard)
	}
	f := s.files[shard]
	if f == nil {
		var err error
		if f, err = Open(filepath.Join(s.dir, shard)); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("safetensors: %s: tensor %q: its shard %s is missing; fetch the rest of the model", index, name, shard)
			}
			return err
		}
		s.files[shard] = f
	}
	if _, ok := f.entries[name]; !ok {
		return fmt.Errorf("safetensors: %s: tensor %q: not in its shard %s; %s; index and shards are not of one model, fetch them again", index, name, shard, describeNear(name, f.names))
	}
	s.holder[name] = shard
	return nil
}

// nothingToOpen explains a directory without safetensors by what it has instead.
func (s *Sharded) nothingToOpen() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	var pickled, other []string
	for _, entry := range entries {
		switch strings.ToLower(filepath.Ext(entry.Name())) {
		case ".bin", ".pt", ".pth", ".ckpt":
			pickled = append(pickled, entry.Name())
		case ".safetensors":
			other = append(other, entry.Name())
		}
	}
	const expected = "expected " + singleName + " or " + indexName
	switch {
	case len(other) > 0:
		return fmt.Errorf("safetensors: %s: found %s, %s; rename the file, or open it by its own path", s.dir, strings.Join(other, ", "), expected)
	case len(pickled) > 0:
		return fmt.Errorf("safetensors: %s: found only pickled weights (%s), %s; pickled files run code when loaded and are not read. "+
			"Convert them once, where you trust them, in Python: AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW_DIR, safe_serialization=True)",
			s.dir, strings.Join(pickled, ", "), expected)
	}
	return fmt.Errorf("safetensors: %s: found no weights, %s", s.dir, expected)
}

// Names returns the tensors' names over all shards, sorted.
func (s *Sharded) Names() []string { return slices.Clone(s.names) }

// Files returns the paths of the files behind the directory, sorted: for a provenance hash.
func (s *Sharded) Files() []string {
	paths := []string{}
	for _, f := range s.files {
		paths = append(paths, f.path)
	}
	slices.Sort(paths)
	return paths
}

// Metadata returns the metadata of all files together; where two disagree, the last file by name counts.
func (s *Sharded) Metadata() map[string]string {
	all := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		maps.Copy(all, s.files[name].metadata)
	}
	return all
}

// Tensor returns a tensor of whichever shard holds it, as [File.Tensor] does.
func (s *Sharded) Tensor(name string) (Tensor, error) {
	shard, ok := s.holder[name]
	if !ok {
		return Tensor{}, fmt.Errorf("safetensors: %s: tensor %q: not found; %s", s.dir, name, describeNear(name, s.names))
	}
	return s.files[shard].Tensor(name)
}

// Shape returns a tensor's shape, as [File.Shape] does.
func (s *Sharded) Shape(name string) ([]int, error) {
	t, err := s.Tensor(name)
	return t.Shape, err
}

// Identity tells the files from any others and from themselves before they were changed, as [File.Identity] does.
func (s *Sharded) Identity() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		all = append(all, s.files[name].Identity())
	}
	return strings.Join(all, "\n")
}

// ModTime is when the youngest of the files was last changed.
func (s *Sharded) ModTime() time.Time {
	var youngest time.Time
	for _, f := range s.files {
		if t := f.ModTime(); t.After(youngest) {
			youngest = t
		}
	}
	return youngest
}

// Forget lets the system take back the memory that holds a tensor's bytes, as [File.Forget] does.
func (s *Sharded) Forget(name string) {
	if f := s.files[s.holder[name]]; f != nil {
		f.Forget(name)
	}
}

// Close releases all files. Tensors must not be used afterwards.
func (s *Sharded) Close() error {
	var all error
	for _, f := range s.files {
		all = errors.Join(all, f.Close())
	}
	return all
}
