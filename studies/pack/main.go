// Command pack takes what a study commits out of the directory of a run: the executed notebook, note.md, results.json.gz, a picture of the differences, the figures of the note, and the samples without what can be
// made again from the items (documents, prompts, hashes): of every task a table of what each arm answered, answers_TASK.csv.gz, and of the first arm, the untouched model, the
// log-likelihoods, samples_TASK.jsonl.gz, rounded to 2 decimals, in sets of at most -scores items. `compare -p a=answers_TASK.csv.gz#baseline -p b=answers_TASK.csv.gz#ARM` reads the table.
//
//	go run ./studies/pack -scores 5000 RUN_DIRECTORY FOLDER
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/eval/logs"
)

func main() {
	scores := flag.Int("scores", 5000, "items up to which the first arm keeps its log-likelihoods")
	figures := flag.Bool("figures", true, "take the note's figures")
	notebook := flag.Bool("notebook", true, "take the executed notebook")
	draw := flag.Bool("picture", true, "draw the differences of all arms")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./studies/pack [-scores N] [-figures=false] [-notebook=false] [-picture=false] RUN_DIRECTORY FOLDER")
		os.Exit(2)
	}
	err := pack(flag.Arg(0), flag.Arg(1), *scores, *figures, *notebook)
	if err == nil && *draw {
		err = picture(flag.Arg(0), flag.Arg(1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error: "+err.Error())
		os.Exit(1)
	}
}

// pack copies files and writes lean samples.
func pack(run, to string, scores int, figures, notebook bool) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	files := []string{"note.md", "results.json"}
	if notebook {
		found, err := filepath.Glob(filepath.Join(run, "*.ipynb"))
		if err != nil {
			return err
		}
		for _, path := range found {
			files = append(files, filepath.Base(path))
		}
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
		if name == "results.json" { // for programs: the note says what it says
			if err := packed(filepath.Join(to, name+".gz"), func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
				return err
			}
			continue
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
			task := strings.TrimPrefix(filepath.Base(file), "samples_")
			task = task[:strings.LastIndexByte(task, '_')] // without its date
			below, err := filepath.Rel(run, path)
			if err != nil {
				return err
			}
			if err := lean(file, filepath.Join(to, below), task, scores); err != nil {
				return err
			}
		}
		return nil
	})
}

// sample is what is read of a row.
type sample struct {
	Arm      string            `json:"arm"`
	DocID    int               `json:"doc_id"`
	Target   string            `json:"target"`
	Resps    json.RawMessage   `json:"resps"`
	Filtered []json.RawMessage `json:"filtered_resps"`
	Acc      json.Number       `json:"acc"`
	AccNorm  json.Number       `json:"acc_norm"`
}

// lean writes what is kept of a task's samples.
func lean(from, to, task string, scores int) error {
	rows, arms, err := read(from)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	answers := map[int]map[string]string{} // by document and arm
	targets := map[int]string{}
	var first bytes.Buffer
	for i, s := range rows {
		answer, kept, err := s.answer()
		if err != nil {
			return fmt.Errorf("%s: row %d: %w", from, i+1, err)
		}
		if answers[s.DocID] == nil {
			answers[s.DocID] = map[string]string{}
		}
		answers[s.DocID][s.Arm], targets[s.DocID] = answer, s.Target
		if s.Arm == arms[0] && kept != "" {
			norm := ""
			if s.AccNorm != "" {
				norm = `,"acc_norm":` + string(s.AccNorm)
			}
			fmt.Fprintf(&first, `{"arm":%q,"doc_id":%d,"target":%q,"resps":%s,"acc":%s%s}`+"\n", s.Arm, s.DocID, s.Target, kept, s.Acc, norm)
		}
	}
	documents := slices.Sorted(maps.Keys(answers))
	if first.Len() > 0 && len(documents) <= scores {
		if err := packed(filepath.Join(to, "samples_"+task+".jsonl.gz"), func(w io.Writer) error { _, err := first.WriteTo(w); return err }); err != nil {
			return err
		}
	}
	return packed(filepath.Join(to, "answers_"+task+".csv.gz"), func(w io.Writer) error {
		table := csv.NewWriter(w)
		_ = table.Write(append([]string{"doc_id", "target"}, arms...)) // Flush keeps the error
		for _, d := range documents {
			row := []string{strconv.Itoa(d), targets[d]}
			for _, arm := range arms {
				row = append(row, answers[d][arm])
			}
			_ = table.Write(row)
		}
		table.Flush()
		return table.Error()
	})
}

// read reads a log's rows and the names of its arms in their order.
func read(path string) (rows []sample, arms []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var s sample
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			return nil, nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		if !slices.Contains(arms, s.Arm) {
			arms = append(arms, s.Arm)
		}
		rows = append(rows, s)
	}
	if len(rows) == 0 && in.Err() == nil {
		return nil, nil, errors.New("no rows")
	}
	return rows, arms, in.Err()
}

// packed writes a compressed file.
func packed(path string, write func(io.Writer) error) error {
	return env.WriteFile(path, 0o644, func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		if err := write(z); err != nil {
			return err
		}
		return z.Close()
	})
}

// answer is the number of the choice that the harness takes, or what was read out of a text; resps are the log-likelihoods, rounded, "" of a text.
func (s sample) answer() (answer, resps string, err error) {
	var pairs [][][]any
	if json.Unmarshal(s.Resps, &pairs) != nil { // a text
		if len(s.Filtered) > 0 {
			err = json.Unmarshal(s.Filtered[0], &answer)
		}
		return answer, "", err
	}
	best, largest := 0, 0.0
	var list []string
	for i, request := range pairs {
		if len(request) == 0 || len(request[0]) == 0 {
			return "", "", fmt.Errorf("choice %d has no log-likelihood", i)
		}
		x, err := strconv.ParseFloat(fmt.Sprint(request[0][0]), 64)
		if err != nil {
			return "", "", fmt.Errorf("choice %d: %w", i, err)
		}
		if i == 0 || x > largest {
			best, largest = i, x
		}
		list = append(list, fmt.Sprintf(`[["%.2f","None"]]`, x))
	}
	return strconv.Itoa(best), "[" + strings.Join(list, ",") + "]", nil
}
