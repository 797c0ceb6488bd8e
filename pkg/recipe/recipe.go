package recipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/notebook"
)

// Recipe is a notebook of the recipes folder that takes parameters and answers a question.
type Recipe struct {
	Name       string // the file's name without .ipynb
	Path       string
	Title      string // metadata.attune.title
	Answers    string // metadata.attune.answers: the question it answers, in a sentence
	Parameters []notebook.Parameter
}

// List lists the notebooks of a folder by name. A notebook that cannot be read is in the error, the others are listed all the same.
func List(dir string) ([]Recipe, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.ipynb"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("found no recipe (*.ipynb) in %s", dir)
	}
	var recipes []Recipe
	var failures []error
	for _, path := range paths {
		recipe, err := Read(path)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		recipes = append(recipes, recipe)
	}
	return recipes, errors.Join(failures...)
}

// Read reads what a notebook says about itself.
func Read(path string) (Recipe, error) {
	nb, err := notebook.Read(path)
	if err != nil {
		return Recipe{}, err
	}
	r := Recipe{Name: strings.TrimSuffix(filepath.Base(path), ".ipynb"), Path: path}
	if about, ok := nb.Metadata["attune"].(map[string]any); ok {
		r.Title, _ = about["title"].(string)
		r.Answers, _ = about["answers"].(string)
	}
	r.Parameters, err = nb.Parameters()
	return r, err
}

// Find finds a recipe's notebook: by its name in dir, or, when the name ends in .ipynb, any notebook by its path.
func Find(dir, name string) (string, error) {
	path := name
	if !strings.HasSuffix(name, ".ipynb") {
		path = filepath.Join(dir, name+".ipynb")
		if name != filepath.Base(name) {
			path = "" // a name is not a path
		}
	}
	if path != "" && isFile(path) {
		return filepath.Abs(path)
	}
	if strings.HasSuffix(name, ".ipynb") {
		return "", fmt.Errorf("notebook %s does not exist: check the path", name)
	}
	var names []string
	paths, _ := filepath.Glob(filepath.Join(dir, "*.ipynb"))
	for _, p := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(p), ".ipynb"))
	}
	hint := ""
	if near := notebook.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q? ", near)
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no recipe is called %q: there are none (*.ipynb) in %s", name, dir)
	}
	return "", fmt.Errorf("no recipe is called %q: %sthe recipes are %s", name, hint, strings.Join(names, ", "))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
