package note

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// module is the path of the repository's module; a notebook's own scratch module has another.
const module = "github.com/attune-lab/attune"

// Root is the repository: the nearest checkout above the caller's directory, the working directory or the notebook's folder.
func Root() (string, error) {
	var starts []string
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	starts = append([]string{os.Getenv(envCallerDir)}, append(starts, os.Getenv(protocol.GONB_DIR_ENV))...)
	for _, dir := range starts {
		if dir == "" {
			continue
		}
		if dir, err := filepath.Abs(dir); err == nil {
			for ; ; dir = filepath.Dir(dir) {
				if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && modfile.ModulePath(b) == module {
					return dir, nil
				}
				if dir == filepath.Dir(dir) {
					break
				}
			}
		}
	}
	return "", fmt.Errorf("note: no checkout of %s found above %q: run the notebook from within one, or set %s to "+
		"where the run's files go", module, starts, envRunDir)
}

// isRecipe reports whether the runner knows the name: a notebook that someone explores in is none.
func (r *Run) isRecipe(name string) bool {
	if os.Getenv(envRecipe) == name {
		return true
	}
	_, err := os.Stat(filepath.Join(r.root, "recipes", name+".ipynb"))
	return r.root != "" && err == nil
}

// describe reads title and question of a recipe from its notebook's metadata; without a notebook the title is the
// recipe's name.
func describe(root, recipe string) (title, asked string) {
	for _, folder := range []string{"recipes", "notebooks"} {
		b, err := os.ReadFile(filepath.Join(root, folder, recipe+".ipynb"))
		if err != nil {
			continue
		}
		var nb struct {
			Metadata struct {
				Attune struct{ Title, Answers string } `json:"attune"`
			} `json:"metadata"`
		}
		if json.Unmarshal(b, &nb) == nil && nb.Metadata.Attune.Title != "" {
			return nb.Metadata.Attune.Title, nb.Metadata.Attune.Answers
		}
	}
	return recipe, ""
}
