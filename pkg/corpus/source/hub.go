package source

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/hf/hub"
)

// HubFiles fetches the files of rows that a reference names, hf-data:owner/name[/path][@revision], or finds them in the cache, and returns their paths. The
// path is a file, a folder, the beginning of names, as in "ARC-Easy/test", or a pattern as path.Match has it. Without one it is the only file that [Rows] reads, or the files
// of the test split; what is ambiguous is an error that lists what there is.
func HubFiles(ctx context.Context, ref string, o hub.Options) ([]string, hub.Info, error) {
	r, place, err := hub.ParseDataRef(ref)
	if err != nil {
		return nil, hub.Info{}, err
	}
	return hub.Files(ctx, r, func(names []string) ([]string, error) { return chooseFiles(ref, names, place) }, o)
}

// chooseFiles picks files of rows among sorted names.
func chooseFiles(ref string, names []string, place string) ([]string, error) {
	var readable []string
	for _, name := range names {
		if _, known := formats[strings.ToLower(path.Ext(name))]; known && !isDescription(name) {
			readable = append(readable, name)
		}
	}
	chosen := readable
	switch {
	case place != "":
		chosen = slices.DeleteFunc(slices.Clone(readable), func(name string) bool {
			matched, err := path.Match(place, name)
			return !matched && (err != nil || !strings.HasPrefix(name, place))
		})
	case len(readable) > 1:
		chosen = slices.DeleteFunc(slices.Clone(readable), func(name string) bool { return splitName(name) != "test" })
	}
	if len(chosen) == 0 || !oneSplit(chosen) {
		what := "holds no file"
		if len(chosen) > 0 {
			what = "holds more than one set of files"
		}
		if place != "" {
			what += fmt.Sprintf(" that %q names", place)
		}
		return nil, fmt.Errorf("corpus: data set %s %s: it has %s; name one, as in hf-data:owner/name/PATH", ref, what, someNames(readable))
	}
	return chosen, completeShards(chosen)
}

// isDescription says whether a file describes the data set rather than being part of it.
func isDescription(name string) bool {
	return slices.Contains([]string{"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "croissant.json", "card.json"}, path.Base(name))
}

var (
	shardOf   = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})$`)
	splitWord = regexp.MustCompile(`(?:^|[-_.])(test|validation|valid|val|dev|train)(?:$|[-_.])`)
)

// splitName is the split that a file's name tells of, or else its folder's; "" if neither does.
func splitName(name string) string {
	base := strings.TrimSuffix(path.Base(name), path.Ext(name))
	for _, part := range []string{base, path.Base(path.Dir(name))} {
		if m := splitWord.FindStringSubmatch(strings.ToLower(part)); m != nil {
			return m[1]
		}
	}
	return ""
}

// oneSplit says whether files are shards of one split, or one file.
func oneSplit(names []string) bool {
	stem := func(name string) string {
		base := strings.TrimSuffix(name, path.Ext(name))
		if m := shardOf.FindStringSubmatch(base); m != nil {
			return m[1]
		}
		return base
	}
	return len(slices.Compact(slices.Sorted(func(yield func(string) bool) {
		for _, name := range names {
			if !yield(stem(name)) {
				return
			}
		}
	}))) == 1
}

// completeShards refuses a split of which some shards are not there, as in a cache that holds a part.
func completeShards(names []string) error {
	m := shardOf.FindStringSubmatch(strings.TrimSuffix(names[0], path.Ext(names[0])))
	if m == nil {
		return nil
	}
	if of, err := strconv.Atoi(m[3]); err == nil && of != len(names) {
		return fmt.Errorf("corpus: %s is one of %d files, %d are there: fetch the others", filepath.Base(names[0]), of, len(names))
	}
	return nil
}
