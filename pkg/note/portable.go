package note

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/report"
)

// clean is text as a note may hold it: nothing that acts on a terminal or reorders a page, and no path of this machine.
func (r *Run) clean(s string) string { return r.portable(report.Clean(s)) }

// portable writes a string without this machine's paths: inside the run's directory, the repository or the caller's directory a path is relative to
// it, the home directory is ~, and of any other absolute path whose folder is there only the last element stays.
func (r *Run) portable(s string) string {
	if !strings.ContainsRune(s, filepath.Separator) {
		return s
	}
	if filepath.IsAbs(s) {
		for _, base := range []string{r.root, r.dir, callerDir()} {
			if rel, ok := inside(base, s); ok {
				return rel
			}
		}
		if _, err := os.Stat(s); err == nil {
			return "…/" + filepath.Base(s)
		}
	}
	return absolute.ReplaceAllStringFunc(r.withoutFolders(s), func(found string) string {
		m := absolute.FindStringSubmatch(found)
		path := strings.TrimRight(m[2], ".")
		if len(path) < 2 || path[1] == '/' { // of a URL
			return found
		}
		if _, err := os.Stat(path); err != nil {
			if folder := filepath.Dir(path); folder == "/" {
				return found
			} else if _, err := os.Stat(folder); err != nil {
				return found
			}
		}
		return m[1] + "…/" + filepath.Base(path) + m[2][len(path):]
	})
}

// absolute is an absolute path inside longer text, with the character before it.
var absolute = regexp.MustCompile("(^|[\\s\"'`(\\[{=,;:])(/[^\\s\"'`()\\[\\]{},;:=<>|*?]+)")

// withoutFolders replaces the folders that are known to be of this machine, wherever they stand in a text.
func (r *Run) withoutFolders(s string) string {
	if !strings.ContainsRune(s, filepath.Separator) {
		return s
	}
	for _, f := range r.folders() {
		s = replaceFolder(s, f.path, f.prefix)
	}
	return s
}

// folder is a folder of this machine and what stands for it.
type folder struct{ path, prefix string }

// folders are the run's, the repository's and the caller's, also as they are without links, and the home directory.
func (r *Run) folders() []folder {
	if r.known == nil {
		for _, base := range []string{r.dir, r.root, callerDir()} {
			r.known = append(r.known, folder{base, ""})
			if real, err := filepath.EvalSymlinks(base); err == nil && real != base {
				r.known = append(r.known, folder{real, ""})
			}
		}
		if home, err := os.UserHomeDir(); err == nil && home != os.TempDir() {
			r.known = append(r.known, folder{home, "~/"})
		}
	}
	return r.known
}

// replaceFolder writes what lies in a folder relative to it, after prefix, wherever the folder's path stands in a text.
func replaceFolder(s, folder, prefix string) string {
	folder = strings.TrimRight(folder, string(filepath.Separator))
	if len(folder) < 2 {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, folder)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		rest := s[i+len(folder):]
		switch {
		case i > 0 && partOfName(s[i-1]) || rest != "" && partOfName(rest[0]):
			b.WriteString(s[:i+len(folder)]) // a longer path
		case rest != "" && os.IsPathSeparator(rest[0]):
			b.WriteString(s[:i] + prefix)
			rest = rest[1:]
		default:
			b.WriteString(s[:i] + strings.TrimSuffix(prefix+".", "/."))
		}
		s = rest
	}
}

func partOfName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c >= 0x80
}

// inside is path relative to base, with slashes, if it lies in it.
func inside(base, path string) (string, bool) {
	if base == "" || base == string(filepath.Separator) {
		return "", false
	}
	rel, err := filepath.Rel(base, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// encodeParameters is the JSON object of the run's final parameters, those given or the runner's: as they are, and portable.
func (r *Run) encodeParameters(given map[string]any) (asGiven, shown json.RawMessage, err error) {
	if text := os.Getenv(env.Params); given == nil && text != "" {
		if err := decode([]byte(text), &given); err != nil {
			return nil, nil, fmt.Errorf("note: %s is not a JSON object: %w", env.Params, err)
		}
	}
	raw, out := make(map[string]any, len(given)), make(map[string]any, len(given))
	for k, v := range given {
		v, err := report.Plain(v)
		if err != nil {
			return nil, nil, fmt.Errorf("note: parameter %q is %w", k, err)
		}
		raw[k], out[k] = v, v
		if s, ok := v.(string); ok {
			out[k] = r.portable(s)
		}
	}
	if asGiven, err = encode(raw); err == nil {
		shown, err = encode(out)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("note: parameters: %w", err)
	}
	return asGiven, shown, nil
}

// cleanPart is a checked copy of a part whose text is clean.
func (r *Run) cleanPart(given *report.Part) (*report.Part, error) {
	p := *given
	p.Method, p.Finding = r.clean(p.Method), r.clean(p.Finding)
	p.Details = append([]string(nil), p.Details...)
	for i, d := range p.Details {
		p.Details[i] = r.clean(d)
	}
	p.Arms = append([]report.Arm(nil), p.Arms...)
	for i := range p.Arms {
		a := &p.Arms[i]
		if strings.TrimSpace(a.Name) == "" {
			return nil, fmt.Errorf("an arm has no name (%s)", a.Words)
		}
		if a.Definition != nil && !json.Valid(a.Definition) {
			return nil, fmt.Errorf("arm %q: its definition is not JSON: %s", a.Name, a.Definition)
		}
		a.Name, a.Words = r.clean(a.Name), r.clean(a.Words)
		if a.Definition != nil {
			a.Definition = json.RawMessage(r.withoutFolders(string(a.Definition)))
		}
	}
	p.Numbers = append([]report.Number(nil), p.Numbers...)
	for i := range p.Numbers {
		n := &p.Numbers[i]
		n.Name, n.Unit = r.clean(n.Name), r.clean(n.Unit)
		if err := n.Check(); err != nil {
			return nil, err
		}
	}
	p.Tables = append([]report.Table(nil), p.Tables...)
	for i := range p.Tables {
		t, err := r.cleanTable(p.Tables[i])
		if err != nil {
			return nil, err
		}
		p.Tables[i] = t
	}
	p.Figures = append([]report.Figure(nil), p.Figures...)
	for i := range p.Figures {
		f := &p.Figures[i]
		f.Title, f.Caption = r.clean(f.Title), r.clean(f.Caption)
		if f.Table == nil {
			continue
		}
		t := *f.Table
		if t.Name == "" {
			t.Name = f.Name
		}
		t, err := r.cleanTable(t)
		if err != nil {
			return nil, fmt.Errorf("%w (behind figure %q)", err, f.Name)
		}
		f.Table = &t
	}
	p.Attention = append([]report.Attention(nil), p.Attention...)
	for i := range p.Attention {
		a := &p.Attention[i]
		if err := a.Check(); err != nil {
			return nil, err
		}
		a.Title, a.Caption = r.clean(a.Title), r.clean(a.Caption)
		a.Tokens, a.Arms = append([]string(nil), a.Tokens...), append([]string(nil), a.Arms...)
		for k := range a.Arms {
			a.Arms[k] = r.clean(a.Arms[k])
		}
		for k := range a.Tokens {
			a.Tokens[k] = visible(a.Tokens[k])
		}
	}
	p.Samples = append([]report.Sample(nil), p.Samples...)
	for i := range p.Samples { // what a model wrote stays, also where it names a path
		s := &p.Samples[i]
		s.Title, s.Text = r.clean(s.Title), replaceFolder(r.withoutFolders(report.Clean(s.Text)), os.TempDir(), "…/")
	}
	facts := make(map[string]any, len(p.Facts))
	for key, value := range p.Facts {
		if strings.TrimSpace(key) == "" {
			return nil, fmt.Errorf("provenance without a key (value %v)", value)
		}
		if gathered[key] {
			return nil, fmt.Errorf("provenance %q is recorded by itself: choose another key", key)
		}
		v, err := report.Plain(value)
		if err != nil {
			return nil, fmt.Errorf("provenance %q is %w", key, err)
		}
		if s, ok := v.(string); ok {
			v = r.clean(s)
		}
		facts[r.clean(key)] = v
	}
	p.Facts = facts
	return &p, nil
}

func (r *Run) cleanTable(t report.Table) (report.Table, error) {
	t, err := t.Checked()
	if err != nil {
		return t, err
	}
	t.Name, t.Title = r.clean(t.Name), r.clean(t.Title)
	t.Columns = append([]string(nil), t.Columns...)
	for i := range t.Columns {
		t.Columns[i] = r.clean(t.Columns[i])
	}
	for _, row := range t.Rows { // Checked has copied them
		for j, v := range row {
			if s, ok := v.(string); ok {
				row[j] = r.clean(s)
			}
		}
	}
	return t, nil
}
