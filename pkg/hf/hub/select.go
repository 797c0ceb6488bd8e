package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	configName       = "config.json"
	singleWeights    = "model.safetensors"
	indexName        = "model.safetensors.index.json"
	safetensorsEnd   = ".safetensors"
	maxListedPickled = 4 // names of pickled files an error lists
)

// besidesWeights are the small files that describe a model, its tokenizer and its chat format.
var besidesWeights = []string{
	configName, "generation_config.json",
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model", "vocab.json", "merges.txt",
	"chat_template.jinja", "chat_template.json",
	indexName,
}

// file of a repository, at one commit.
type file struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
	// Blob is the name of its bytes in the cache: SHA-256 of a large file, git's SHA-1 of a small one.
	Blob string `json:"blob"`
}

// listing is what of a repository is wanted.
type listing struct {
	commit string
	small  []file
	// weights are all the safetensors files at the top; which of them are needed is known when the index was read.
	weights []file
	pickled []string
}

// newListing sorts the files of a repository into what is wanted and what is not, and refuses names that leave the snapshot.
func newListing(repo, commit string, files []file) (*listing, error) {
	l := &listing{commit: commit}
	for _, f := range files {
		if path.Dir(f.Name) != "." || !filepath.IsLocal(f.Name) || strings.ContainsAny(f.Name, `\:`) {
			continue // Only files at the top are ever wanted; a name that climbs out of its folder is none of them.
		}
		if !printable(f.Name) {
			continue
		}
		switch {
		case slices.Contains(besidesWeights, f.Name):
			l.small = append(l.small, f)
		case strings.HasSuffix(f.Name, safetensorsEnd):
			l.weights = append(l.weights, f)
		case isPickled(f.Name):
			l.pickled = append(l.pickled, f.Name)
		}
	}
	if !l.has(l.small, configName) {
		return nil, fmt.Errorf("hub: %s%s@%s: found no %s, expected a model in the layout of transformers", Scheme, repo, commit, configName)
	}
	if len(l.weights) == 0 {
		return nil, fmt.Errorf("hub: %s%s@%s: %w (%s): only safetensors is read, because unpickling runs code from the file; "+
			"convert it once with transformers: AutoModelForCausalLM.from_pretrained(%q).save_pretrained(DIRECTORY, safe_serialization=True), and open DIRECTORY",
			Scheme, repo, commit, ErrNoSafetensors, describePickled(l.pickled), repo)
	}
	return l, nil
}

// printable says whether a name holds nothing that acts on a terminal or hides what it says.
func printable(name string) bool { return scrubText(name, "") == name }

func isPickled(name string) bool {
	ext := path.Ext(name)
	return ext == ".bin" || ext == ".pt" || ext == ".pth" || ext == ".ckpt"
}

func describePickled(names []string) string {
	if len(names) == 0 {
		return "and no other weights"
	}
	shown := names[:min(len(names), maxListedPickled)]
	text := "found " + strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (l *listing) has(files []file, name string) bool {
	return slices.ContainsFunc(files, func(f file) bool { return f.Name == name })
}

// wantedWeights chooses among the weights as transformers does: model.safetensors, else the shards of the index (whose text is given if
// the repository has one), else the only file there is.
func (l *listing) wantedWeights(index []byte) ([]file, error) {
	for _, f := range l.weights {
		if f.Name == singleWeights {
			return []file{f}, nil
		}
	}
	if index != nil {
		names, err := shardNames(index)
		if err != nil {
			return nil, err
		}
		var wanted []file
		for _, name := range names {
			i := slices.IndexFunc(l.weights, func(f file) bool { return f.Name == name })
			if i < 0 {
				return nil, fmt.Errorf("hub: %s names the shard %q, which the repository does not hold at commit %s: ask its owner, or pin another revision", indexName, name, l.commit)
			}
			wanted = append(wanted, l.weights[i])
		}
		return wanted, nil
	}
	return nil, fmt.Errorf("hub: found %q at commit %s, expected %s, or %s and the shards it names", l.weights[0].Name, l.commit, singleWeights, indexName)
}

// shardNames are the files an index names, each once, in order.
func shardNames(index []byte) ([]string, error) {
	var parsed struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(index, &parsed); err != nil {
		return nil, fmt.Errorf("hub: %s is not a valid index: %w", indexName, err)
	}
	if len(parsed.WeightMap) == 0 {
		return nil, fmt.Errorf("hub: %s holds no weight_map, expected tensor names and the file that holds each", indexName)
	}
	names := slices.Compact(slices.Sorted(maps.Values(parsed.WeightMap)))
	for _, name := range names {
		if path.Dir(name) != "." || !filepath.IsLocal(name) || !strings.HasSuffix(name, safetensorsEnd) {
			return nil, fmt.Errorf("hub: %s names the file %q, expected a %s file beside it", indexName, name, safetensorsEnd)
		}
	}
	return names, nil
}
