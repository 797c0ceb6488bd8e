package notebook

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// kernelTemp matches the temporary folder of a kernel (StartKernel): a different one in every run.
var kernelTemp = regexp.MustCompile(`[^\s"'=:;,()\[\]]*/attune-kernel-\d+(?:/gonb_[0-9a-f]+)?`)

// Scrub replaces machine paths in the outputs: each folder of names (absolute paths) by its name, the home directory by "~" and the kernel's
// temporary folder by "gonb", wherever they stand in a text. Images are left alone. A notebook that is committed must not tell whose machine made it.
func (nb *Notebook) Scrub(names map[string]string) {
	clean := scrubber(names)
	for _, cell := range nb.Cells {
		for _, output := range cell.Outputs {
			for key, value := range output {
				output[key] = scrubValue(key, value, clean)
			}
		}
	}
}

func scrubber(names map[string]string) func(string) string {
	replacements := map[string]string{}
	if home, err := os.UserHomeDir(); err == nil {
		for _, dir := range variants(home) {
			replacements[dir] = "~"
		}
	}
	for folder, name := range names {
		for _, dir := range variants(folder) {
			replacements[dir] = name
		}
	}
	longest := slices.SortedFunc(maps.Keys(replacements), func(a, b string) int { // a folder before the one it lies in
		return cmp.Or(len(b)-len(a), strings.Compare(a, b))
	})
	return func(text string) string {
		text = kernelTemp.ReplaceAllString(text, "gonb")
		for _, dir := range longest {
			text = replacePath(text, dir, replacements[dir])
		}
		return text
	}
}

// scrubValue cleans the texts of an output: lines of streams, tracebacks, MIME bundles.
func scrubValue(key string, value any, clean func(string) string) any {
	switch v := value.(type) {
	case string:
		if strings.HasPrefix(key, "image/") && key != "image/svg+xml" {
			return v // base64
		}
		return clean(v)
	case []any:
		for i, item := range v {
			v[i] = scrubValue(key, item, clean)
		}
	case map[string]any:
		for k, item := range v {
			v[k] = scrubValue(k, item, clean)
		}
	}
	return value
}

// variants are a directory as given and with its links resolved; "/" and "." would match everywhere and are left out.
func variants(dir string) (dirs []string) {
	if dir == "" {
		return nil
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		resolved = dir
	}
	for _, d := range []string{filepath.Clean(dir), filepath.Clean(resolved)} {
		if filepath.IsAbs(d) && d != filepath.Dir(d) && (len(dirs) == 0 || dirs[0] != d) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// replacePath replaces a directory where it stands for itself or for something below it, not where its
// letters begin another name: /home/ann is not in /home/anna.
func replacePath(text, dir, by string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, dir)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := i + len(dir)
		b.WriteString(text[:i])
		startsName := i > 0 && isNameByte(text[i-1])
		rest := strings.TrimLeft(text[end:], ".") // attune.git is another name, "in attune." is not
		goesOn := rest != "" && isNameByte(rest[0])
		if startsName || goesOn {
			b.WriteString(dir)
		} else {
			b.WriteString(by)
		}
		text = text[end:]
	}
}

func isNameByte(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
