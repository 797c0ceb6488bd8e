package note

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/env"
)

// Root is the repository: the nearest checkout above the caller's directory, the working directory or the notebook's folder.
func Root() (string, error) {
	root, err := env.Root()
	if err != nil {
		return "", fmt.Errorf("note: %w, or set %s to where the run's files go", err, env.RunDir)
	}
	return root, nil
}

// isRecipe reports whether the runner knows the name: a notebook that someone explores in is none.
func (r *Run) isRecipe(name string) bool {
	if os.Getenv(env.Recipe) == name {
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
