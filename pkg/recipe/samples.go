package recipe

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/eval/logs"
	"github.com/attune-lab/attune/pkg/stats"
)

// sampleName is how samples of a task are named: samples_TASK_DATE.jsonl.
var sampleName = regexp.MustCompile(`^samples_(.+?)(_\d{4}-\d\d-\d\dT[\d.-]+)?\.jsonl(\.gz)?$`)

// samplesOf are the files of scored items of a run, by task: the last one where a task has several.
func samplesOf(dir string) map[string]string {
	out := map[string]string{}
	for _, pattern := range []string{"samples_*.jsonl", "samples_*.jsonl.gz"} {
		paths, _ := filepath.Glob(filepath.Join(dir, pattern)) // sorted, so by date
		for _, path := range paths {
			if m := sampleName.FindStringSubmatch(filepath.Base(path)); m != nil {
				out[m[1]] = path
			}
		}
	}
	return out
}

// arms reads the samples of every arm of a file, in the file's order; a file without arms has one, "".
func arms(path string) ([]*logs.Log, error) {
	names, err := logs.Arms(path)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = []string{""}
	}
	var out []*logs.Log
	for _, name := range names {
		log, err := logs.Read(path, logs.Options{Arm: name})
		if err != nil {
			return nil, err
		}
		out = append(out, log)
	}
	return out, nil
}

// pairing is the items that two logs share.
type pairing struct {
	stats.Clusters
	Gained, Lost []string // ids: right only after, right only before
	Rescored     int      // of equal rightness, with other scores or another text
	Only         int      // items that one of the two lacks
}

// pair compares two logs item by item.
func pair(before, after *logs.Log) (*pairing, error) {
	at := make(map[string]*logs.Sample, len(after.Samples))
	for i := range after.Samples {
		at[after.Samples[i].ID] = &after.Samples[i]
	}
	p := &pairing{}
	var was, is []bool
	var clusters []string
	shared := false
	for _, s := range before.Samples {
		other, found := at[s.ID]
		if !found {
			p.Only++
			continue
		}
		if s.Item != "" && other.Item != "" && s.Item != other.Item && s.Target != other.Target {
			return nil, fmt.Errorf("item %s of %s is another one in %s: the runs do not answer the same items", s.ID, before.Name, after.Name)
		}
		was, is, clusters = append(was, s.Right), append(is, other.Right), append(clusters, s.Cluster)
		shared = shared || s.Cluster != ""
		switch {
		case other.Right && !s.Right:
			p.Gained = append(p.Gained, s.ID)
		case s.Right && !other.Right:
			p.Lost = append(p.Lost, s.ID)
		case s.Output != other.Output || !slices.Equal(s.Scores, other.Scores):
			p.Rescored++
		}
	}
	if p.Only += len(after.Samples) - len(was); len(was) == 0 {
		return nil, fmt.Errorf("%s and %s have no item in common", before.Name, after.Name)
	}
	if !shared {
		clusters = nil
	}
	p.Clusters = stats.Cluster(is, was, clusters)
	return p, nil
}

// few are ids in a line.
func few(ids []string) string {
	const most = 8
	if len(ids) <= most {
		return strings.Join(ids, " ")
	}
	return strings.Join(slices.Clone(ids[:most]), " ") + fmt.Sprintf(" and %d more", len(ids)-most)
}
