package recipe

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/notebook"
)

// Manifest is bundle.json, the first file of a bundle.
type Manifest struct {
	Format     int               `json:"format"` // 1
	Recipe     string            `json:"recipe"`
	Parameters map[string]any    `json:"parameters"`
	Backend    string            `json:"backend"`
	DType      string            `json:"dtype"`
	Commit     string            `json:"commit"`
	Dirty      bool              `json:"dirty"`
	Files      map[string]string `json:"files"` // SHA-256 of each other file, by name
}

const (
	bundleFormat   = 1
	manifestName   = "bundle.json"
	maxBundle      = 2 << 30 // bytes, unpacked
	maxBundleFiles = 10000
	mostBundled    = 256 << 20 // bytes of one file of a run: weights are larger, and are never bundled
)

// bundled are the patterns of a run's files that a bundle holds. Weights, arrays and work/ stay out.
var bundled = []string{"*.ipynb", "note.html", "note.md", "results.json", "provenance.json", "samples_*.jsonl", "samples_*.jsonl.gz", "results_*.json", "figures/*.png", "tables/*.csv", SweepFile}

// WriteBundle packs a finished run into one file, NAME.tar.gz: the executed notebook, the note, results, samples, tables and figures, the definition of every
// arm (specs/NAME.json), a card (README.md), and go.mod and go.sum of the repository. No weights and no data sets: parameters name them. The same run gives the
// same bytes.
func WriteBundle(dir, root string, w io.Writer) (*Manifest, error) {
	results, err := note.Load(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, pattern := range bundled {
		paths, err := filepath.Glob(filepath.Join(escaped(dir), filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			info, err := os.Lstat(p)
			if err != nil {
				return nil, fmt.Errorf("bundle: %w", err)
			}
			if !info.Mode().IsRegular() {
				return nil, fmt.Errorf("bundle: %s is not a regular file", p)
			}
			if info.Size() > mostBundled {
				return nil, fmt.Errorf("bundle: %s has %d bytes, expected at most %d", p, info.Size(), mostBundled)
			}
			b, err := os.ReadFile(p)
			if err != nil {
				return nil, fmt.Errorf("bundle: %w", err)
			}
			name, err := filepath.Rel(dir, p)
			if err != nil {
				return nil, err
			}
			files[filepath.ToSlash(name)] = b
		}
	}
	if files[results.Recipe+".ipynb"] == nil {
		if files[SweepFile] != nil {
			return nil, fmt.Errorf("bundle: %s is a sweep: name the folder of one of its points", dir)
		}
		return nil, fmt.Errorf("bundle: %s holds no executed notebook %s.ipynb: a run that was made in Jupyter is bundled after its notebook was copied there", dir, results.Recipe)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		files[name] = b
	}
	for key, value := range results.Provenance {
		if arm, is := strings.CutPrefix(key, "spec."); is {
			text, _ := value.(string)
			files["specs/"+folderName(arm)+".json"] = []byte(text + "\n")
		}
	}
	m := manifestOf(results)
	files["README.md"] = card(m, results)
	for name, b := range files {
		sum := sha256.Sum256(b)
		m.Files[name] = hex.EncodeToString(sum[:])
	}
	head, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, err
	}
	return m, pack(w, append(head, '\n'), files)
}

// escaped takes the special meaning from a path's characters in a pattern.
func escaped(p string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(p)
}

func manifestOf(results *note.Results) *Manifest {
	m := &Manifest{Format: bundleFormat, Recipe: results.Recipe, Parameters: results.Parameters, Files: map[string]string{}}
	m.Backend, m.DType = BackendOf(results)
	m.Commit, _ = results.Provenance["commit"].(string)
	m.Dirty, _ = results.Provenance["dirty"].(bool)
	return m
}

// pack writes the files in order, without times or owners.
func pack(w io.Writer, head []byte, files map[string][]byte) error {
	zipped, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(zipped)
	put := func(name string, b []byte) error {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(b)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := t.Write(b)
		return err
	}
	if err := put(manifestName, head); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := put(name, files[name]); err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
	}
	if err := errors.Join(t.Close(), zipped.Close()); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

// card says what the bundle is to somebody who opens it.
func card(m *Manifest, results *note.Results) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# A run of %s\n\nMade by Attune at commit %s", m.Recipe, m.Commit)
	if m.Dirty {
		fmt.Fprint(&b, " with changes that are not committed")
	}
	fmt.Fprintf(&b, ", on the backend %s in %s.\n\n", or(m.Backend, "unknown"), or(m.DType, "an unknown type"))
	fmt.Fprintf(&b, "`note.html` is the report, `%s.ipynb` the notebook as it was executed, `results.json` every number, `specs/` the interventions, `samples_*` the answers item by item. Weights and data sets are not in here: the parameters name them.\n\n", m.Recipe)
	fmt.Fprint(&b, "To run it again, in a checkout of Attune at that commit:\n\n    go run ./recipes run --from FILE\n\nIt says what differs.\n\n| parameter | value |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(m.Parameters)) {
		fmt.Fprintf(&b, "| %s | `%s` |\n", name, strings.ReplaceAll(strings.ReplaceAll(shown(m.Parameters, name), "|", `\|`), "`", "'"))
	}
	fmt.Fprintf(&b, "\n%d numbers, %d tables.\n", len(results.Results), len(results.Tables))
	return b.Bytes()
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// OpenBundle unpacks a bundle into an empty or new directory and checks every file against the manifest. Names that would leave the directory, links, files that the
// manifest does not name and sizes beyond any bundle's are refused.
func OpenBundle(file, dir string) (*Manifest, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	defer in.Close()
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("bundle: %s: %w: expected a file that `go run ./recipes bundle` wrote", file, err)
	}
	t := tar.NewReader(io.LimitReader(unzipped, maxBundle))
	var m *Manifest
	seen := map[string]bool{}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("bundle: %s: %w", file, err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(h.Name)) || path.Clean(h.Name) != h.Name || strings.Contains(h.Name, `\`) || seen[h.Name] || len(seen) >= maxBundleFiles {
			return nil, fmt.Errorf("bundle: %s: %q is no file that a bundle holds", file, h.Name)
		}
		seen[h.Name] = true
		b, err := io.ReadAll(io.LimitReader(t, mostBundled+1))
		if err != nil || len(b) > mostBundled {
			return nil, fmt.Errorf("bundle: %s: %s: too large or cut off (%v)", file, h.Name, err)
		}
		if m == nil {
			if m, err = readManifest(h.Name, b); err != nil {
				return nil, fmt.Errorf("bundle: %s: %w", file, err)
			}
		} else if sum := sha256.Sum256(b); m.Files[h.Name] != hex.EncodeToString(sum[:]) {
			return nil, fmt.Errorf("bundle: %s: %s is not the file that the manifest names: it was changed", file, h.Name)
		}
		target := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		if err := env.WriteBytes(target, 0o644, b); err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
	}
	if m == nil {
		return nil, fmt.Errorf("bundle: %s is empty", file)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if !seen[name] {
			return nil, fmt.Errorf("bundle: %s lacks %s, which the manifest names", file, name)
		}
	}
	return m, nil
}

func readManifest(name string, b []byte) (*Manifest, error) {
	if name != manifestName {
		return nil, fmt.Errorf("it begins with %q, expected %s: not a bundle", name, manifestName)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var m Manifest
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format != bundleFormat || m.Recipe == "" || m.Recipe != filepath.Base(m.Recipe) || strings.HasPrefix(m.Recipe, ".") || m.Files == nil {
		return nil, fmt.Errorf("%s: format %d of recipe %q, expected format %d", manifestName, m.Format, m.Recipe, bundleFormat)
	}
	return &m, nil
}

// SameNotebook reports whether two notebooks compute the same: code cells and their order, without outputs and injected parameters.
func SameNotebook(a, b string) (bool, error) {
	ca, err := codeOf(a)
	if err != nil {
		return false, err
	}
	cb, err := codeOf(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return slices.Equal(ca, cb), err
}

// codeOf are the cells of a notebook that compute, as they were before parameters were injected.
func codeOf(file string) (cells []string, err error) {
	nb, err := notebook.Read(file)
	if err != nil {
		return nil, err
	}
	for _, c := range nb.Cells {
		if c.Type == notebook.Code && !c.HasTag(notebook.InjectedTag) {
			cells = append(cells, strings.TrimSpace(c.Source))
		}
	}
	return cells, nil
}
