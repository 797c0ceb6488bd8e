package client

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/notebook"
)

// Options say what a notebook works with. Field names are those of its parameters: errors and results.json name them. Zero values are defaults.
type Options struct {
	Model   string   `json:"model"`             // directory, GGUF file or hf:owner/name[@revision]
	Adapter string   `json:"adapter,omitempty"` // PEFT directory; "" = none
	Items   string   `json:"items,omitempty"`   // generated[:grade], a SIQA, PIQA, MMLU or GSM8K directory, .csv .jsonl .parquet .sections, hf-data:owner/name; "" = none
	Columns string   `json:"columns,omitempty"` // of one's own file, "answer=label,options=a b c d"
	Limit   int      `json:"limit,omitempty"`   // items; 0 = all
	Shots   int      `json:"shots,omitempty"`   // worked examples before the question
	Chat    bool     `json:"chat,omitempty"`    // prompts go through the checkpoint's chat template
	NoBOS   bool     `json:"nobos,omitempty"`   // without the token that begins a text
	Letters bool     `json:"letters,omitempty"` // ask for the letter of an option, all options in the prompt, also where a task's own protocol scores the texts (PIQA, SIQA, ARC, HellaSwag)
	Groups  string   `json:"groups,omitempty"`  // "stem" (default: 19 subjects), "stem-18" (the original map), "categories", "subjects", "none"
	Length  int      `json:"length,omitempty"`  // T of surveys; 0 = 64, or less where fewer than 80 % of the texts reach it
	DType   string   `json:"dtype,omitempty"`   // "auto" (default: bfloat16 on CUDA for the families of docs/models.md that say so, float32 elsewhere), "float32", "bfloat16"
	Devices int      `json:"devices,omitempty"` // cards that the model is cut over (xla:cuda, xla:cpu); 0 = 1
	Place   string   `json:"place,omitempty"`   // of several devices: "" cuts every weight, "layers" puts some layers on each: faster for scores and surveys, slow to write
	Budget  int      `json:"budget,omitempty"`  // tokens of a pass; 0 = 16,384 on xla:cuda, 2,048 on go and xla:cpu
	Seed    uint64   `json:"seed,omitempty"`    // of subsets, of samples and of the bootstrap
	Margin  float64  `json:"margin,omitempty"`  // of equivalence, a share of the items: 0.01 is a point; 0 = 0.01
	Texts   []string `json:"texts,omitempty"`   // surveyed instead of the items' texts
}

// Names of what an option may be.
var (
	DTypes    = []string{"auto", "float32", "bfloat16"}
	Places    = []string{"layers"}
	Groupings = []string{"stem", "stem-18", "categories", "subjects", "none"}
)

// Check finds what cannot be, without opening a model or a data set: the error names the parameter. dirs are the folders that relative paths are looked for in.
func (o *Options) Check(dirs []string) error {
	for _, path := range []struct{ name, value string }{{"model", o.Model}, {"adapter", o.Adapter}, {"items", o.Items}} {
		if path.value != "" && !IsReference(path.value) {
			if _, err := FindPath(path.value, dirs); err != nil {
				return Parameter(path.name, path.value, "%v", err)
			}
		}
	}
	for _, n := range []struct {
		name  string
		value int
		what  string
	}{{"limit", o.Limit, "0 for all items, or how many"}, {"shots", o.Shots, "0, or how many worked examples"}, {"length", o.Length, "0 for 64, or a number of tokens"},
		{"devices", o.Devices, "0 for one, or over how many devices the model is cut"}, {"budget", o.Budget, "0 for the default, or the tokens of a pass"}} {
		if n.value < 0 {
			return Parameter(n.name, fmt.Sprint(n.value), "expected %s", n.what)
		}
	}
	if o.Margin < 0 || o.Margin >= 1 {
		return Parameter("margin", fmt.Sprint(o.Margin), "expected a share of the items, such as 0.01 for a point, or 0 for that")
	}
	if o.Chat && o.NoBOS {
		return Parameter("nobos", "true", "with chat=true the chat template says what a prompt begins with: set one of them")
	}
	if err := oneOf("dtype", o.DType, DTypes); err != nil {
		return err
	}
	if err := oneOf("place", o.Place, Places); err != nil {
		return err
	}
	return oneOf("groups", o.Groups, Groupings)
}

// oneOf accepts the empty value, which is the default, and the names of a list.
func oneOf(name, value string, list []string) error {
	if value == "" || slices.Contains(list, value) {
		return nil
	}
	return Parameter(name, value, "expected %s%s", strings.Join(list, ", "), Suggest(value, list))
}

// IsReference reports whether a value names something other than a path: a hub's model or data set, or the generator's items.
func IsReference(value string) bool {
	scheme, _, _ := strings.Cut(value, ":")
	return scheme == "generated" || scheme != value && (scheme == "hf" || scheme == "hf-data")
}

// FindPath is the absolute path of what a value names in the first folder that has it.
func FindPath(value string, dirs []string) (string, error) {
	if filepath.IsAbs(value) {
		_, err := os.Stat(value)
		return filepath.Clean(value), plainly(err)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, value)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !os.IsNotExist(err) {
			return "", plainly(err)
		}
	}
	return "", fmt.Errorf("there is no such file or directory; relative paths start where the command is run, or at the repository")
}

func plainly(err error) error {
	if os.IsNotExist(err) {
		return fmt.Errorf("there is no such file or directory")
	}
	return err
}

// Suggest is `; did you mean "x"?` for the nearest of a list, or nothing where none is near.
func Suggest(value string, list []string) string {
	if best := notebook.Nearest(value, list); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}
