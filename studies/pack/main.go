// Command pack takes what a study commits out of the directory of a run: the executed notebook, note.md, results.json, the figures of the note, and the samples without what can be
// made again from the items (documents, prompts, hashes). Their rows keep arm, doc_id, target and metrics; sets of at most -scores rows an arm keep log-likelihoods, rounded to
// 2 decimals, larger ones the number of the choice. `compare -p a=FILE#ARM -p b=FILE#ARM` reads them.
//
//	go run ./studies/pack -scores 5000 RUN_DIRECTORY FOLDER
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/eval/logs"
)

func main() {
	scores := flag.Int("scores", 5000, "rows of an arm up to which log-likelihoods are kept")
	figures := flag.Bool("figures", true, "take the note's figures")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./studies/pack [-scores N] [-figures=false] RUN_DIRECTORY FOLDER")
		os.Exit(2)
	}
	if err := pack(flag.Arg(0), flag.Arg(1), *scores, *figures); err != nil {
		fmt.Fprintln(os.Stderr, "error: "+err.Error())
		os.Exit(1)
	}
}

// pack copies files and writes lean samples.
func pack(run, to string, scores int, figures bool) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	files := []string{"note.md", "results.json"}
	notebooks, err := filepath.Glob(filepath.Join(run, "*.ipynb"))
	if err != nil {
		return err
	}
	for _, path := range notebooks {
		files = append(files, filepath.Base(path))
	}
	if figures {
		found, err := filepath.Glob(filepath.Join(run, "figures", "*.png"))
		if err != nil {
			return err
		}
		for _, path := range found {
			files = append(files, filepath.Join("figures", filepath.Base(path)))
		}
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(run, name))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			return err
		}
		if err := env.WriteBytes(filepath.Join(to, name), 0o644, text); err != nil {
			return err
		}
	}
	return filepath.WalkDir(run, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if path != run && entry.Name() == "work" {
			return filepath.SkipDir
		}
		written, err := logs.Written(path, "")
		if err != nil {
			return err
		}
		for _, file := range written {
			if !strings.HasPrefix(filepath.Base(file), "samples_") {
				continue
			}
			name := filepath.Base(file)
			name = name[:strings.LastIndexByte(name, '_')] + ".jsonl.gz" // without its date
			below, err := filepath.Rel(run, filepath.Join(path, name))
			if err != nil {
				return err
			}
			if err := lean(file, filepath.Join(to, below), scores); err != nil {
				return err
			}
		}
		return nil
	})
}

// sample is what is kept of a row.
type sample struct {
	Arm    string          `json:"arm"`
	DocID  int             `json:"doc_id"`
	Target string          `json:"target"`
	Resps  json.RawMessage `json:"resps,omitempty"`
	Answer *string         `json:"answer,omitempty"` // the number of the choice, or what was read out of a text
	Acc    *float64        `json:"acc,omitempty"`
	Norm   *float64        `json:"acc_norm,omitempty"`
	Exact  *float64        `json:"exact_match,omitempty"`

	Filtered []json.RawMessage `json:"filtered_resps,omitempty"`
	arm      int               // its place
}

// lean writes a log's rows by document and then arm, so that they compress well.
func lean(from, to string, scores int) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	var rows []sample
	places := map[string]int{}
	in := bufio.NewScanner(file)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var s sample
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			return fmt.Errorf("%s: row %d: %w", from, len(rows)+1, err)
		}
		if _, met := places[s.Arm]; !met {
			places[s.Arm] = len(places)
		}
		s.arm = places[s.Arm]
		rows = append(rows, s)
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	keep := len(rows) <= scores*len(places)
	for i := range rows {
		if err := rows[i].shorten(keep); err != nil {
			return fmt.Errorf("%s: row %d: %w", from, i+1, err)
		}
	}
	slices.SortFunc(rows, func(a, b sample) int { return cmp.Or(cmp.Compare(a.DocID, b.DocID), cmp.Compare(a.arm, b.arm)) })
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return env.WriteFile(to, 0o644, func(w io.Writer) error {
		packed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		encoder := json.NewEncoder(packed)
		for _, s := range rows {
			if err := encoder.Encode(s); err != nil {
				return err
			}
		}
		return packed.Close()
	})
}

// shorten rounds log-likelihoods, or puts the choice in their place; of a text the answer is kept that was read out of it.
func (s *sample) shorten(keep bool) error {
	filtered := s.Filtered
	s.Filtered = nil
	var pairs [][][]any
	if json.Unmarshal(s.Resps, &pairs) != nil { // a text
		s.Resps = nil
		if len(filtered) > 0 {
			var answer string
			if err := json.Unmarshal(filtered[0], &answer); err != nil {
				return err
			}
			s.Answer = &answer
		}
		return nil
	}
	s.Resps = nil
	var out bytes.Buffer
	best, largest := 0, 0.0
	for i, request := range pairs {
		if len(request) == 0 || len(request[0]) == 0 {
			return fmt.Errorf("choice %d has no log-likelihood", i)
		}
		x, err := strconv.ParseFloat(fmt.Sprint(request[0][0]), 64)
		if err != nil {
			return fmt.Errorf("choice %d: %w", i, err)
		}
		if i == 0 || x > largest {
			best, largest = i, x
		}
		fmt.Fprintf(&out, `%s[["%.2f","None"]]`, map[bool]string{true: "", false: ","}[i == 0], x)
	}
	if keep {
		s.Resps = json.RawMessage("[" + out.String() + "]")
		return nil
	}
	answer := strconv.Itoa(best)
	s.Answer = &answer
	return nil
}
