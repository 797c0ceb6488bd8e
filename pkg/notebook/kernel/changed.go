package kernel

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// GoNB (v0.11.5) describes what stands under the cursor as markdown only. JupyterLab shows that; the classic notebook's tooltip shows plain text and stays empty. The
// kernel is therefore built of a copy of GoNB with one line changed, so that both forms are sent. (The go command's -overlay refuses files of the module cache.)
const (
	inspectFile  = "internal/goexec/inspect.go"
	markdownOnly = "mimeMap = kernel.MIMEMap{string(protocol.MIMETextMarkdown): desc}"
	bothForms    = "mimeMap = kernel.MIMEMap{string(protocol.MIMETextMarkdown): desc, string(protocol.MIMETextPlain): " +
		"strings.TrimSpace(strings.NewReplacer(\"```go\\n\", \"\", \"```\", \"\", \"\\n---\\n\", \"\").Replace(desc))}"
)

// changedKernel copies GoNB into a folder, changes the line, and writes a go.mod that replaces GoNB by the copy, whose path it returns; "" where GoNB no longer has the
// line, as another version might: the kernel is then built as it is.
func changedKernel(ctx context.Context, root, folder string) (string, error) {
	folderOf := func() (string, error) {
		out, err := goOutput(ctx, root, "list", "-m", "-f", "{{.Dir}}", gonbModule)
		return strings.TrimSpace(out), err
	}
	module, err := folderOf()
	if err == nil && module == "" { // not in the module cache yet
		if _, err = goOutput(ctx, root, "mod", "download", gonbModule); err == nil {
			module, err = folderOf()
		}
	}
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(filepath.Join(module, filepath.FromSlash(inspectFile)))
	if err != nil || bytes.Count(source, []byte(markdownOnly)) != 1 {
		return "", nil
	}
	failed := func(err error) (string, error) { return "", fmt.Errorf("the kernel's sources: %w", err) }
	copied := filepath.Join(folder, "gonb")
	if err := os.CopyFS(copied, os.DirFS(module)); err != nil {
		return failed(err)
	}
	target := filepath.Join(copied, filepath.FromSlash(inspectFile))
	if err := os.Remove(target); err != nil {
		return failed(err)
	}
	if err := os.WriteFile(target, bytes.Replace(source, []byte(markdownOnly), []byte(bothForms), 1), 0o644); err != nil {
		return failed(err)
	}
	pins, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return failed(err)
	}
	mod, err := modfile.Parse("go.mod", pins, nil)
	if err != nil {
		return failed(err)
	}
	if err := mod.AddReplace(gonbModule, "", copied, ""); err != nil {
		return failed(err)
	}
	text, err := mod.Format()
	if err != nil {
		return failed(err)
	}
	path := filepath.Join(folder, "go.mod")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return failed(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o644)
	}
	if err != nil {
		return failed(err)
	}
	return path, nil
}

// withModfile adds -modfile to an environment's GOFLAGS.
func withModfile(environ []string, path string) []string {
	if path == "" {
		return environ
	}
	flags := ""
	for _, entry := range environ {
		if value, is := strings.CutPrefix(entry, "GOFLAGS="); is {
			flags = value + " "
		}
	}
	return withEntries(environ, map[string]string{"GOFLAGS": flags + "'-modfile=" + path + "'"})
}
