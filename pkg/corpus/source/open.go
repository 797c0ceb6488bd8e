package source

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/hf/hub"
)

// Kind of a set, as [Open] recognises it.
type Kind string

// The kinds of sets.
const (
	KindGenerated Kind = "generated" // the generator's held-out split
	KindSIQA      Kind = "siqa"
	KindPIQA      Kind = "piqa"
	KindMMLU      Kind = "mmlu" // a directory: its test split
	KindARC       Kind = "arc"
	KindHellaSwag Kind = "hellaswag"
	KindGSM8K     Kind = "gsm8k" // problems; a directory: its test split
	KindBBH       Kind = "bbh"   // problems of BIG-Bench Hard
	KindOwn       Kind = "own"   // your own file, or an exported corpus's held-out split
)

// Generated is the reference to the generator's held-out split: of its first edition, or with grades, as in "generated:medium,hard", of those.
const Generated = string(KindGenerated)

// Set is what a reference names: items, or problems with open answers.
type Set struct {
	Kind     Kind
	Name     string // "siqa", "generated-easy", a file's name without its ending
	Items    []corpus.Item
	Problems []corpus.Problem // of GSM8K and BIG-Bench Hard
	Hub      *hub.Info        // what a reference to the hub resolved to, with the commit; else nil
	Report   *ReadReport      // of the rows of files; of the published directories and the generator, which have no bad rows, it counts
}

// Options of [Open]. The zero value reads the columns that [Columns] describes and stops at the first bad row.
type Options struct {
	Columns   string           // of your own file, see [ParseColumns]
	OnBad     OnBad            // what happens at a bad row of a file
	Hub       hub.Options      // how references to the hub are resolved
	Generator generate.Options // of the generated set: its seed, domains and number of held-out items
}

// IsGenerated reports whether a reference names the generator and not a file.
func IsGenerated(ref string) bool {
	name, _, _ := strings.Cut(ref, ":")
	return name == Generated
}

// Open reads the set that a reference names:
//
//	generated, generated:easy,hard   the generator's held-out split
//	DIRECTORY                        SIQA, PIQA, MMLU, GSM8K as published, or an exported corpus
//	FILE                             .csv .tsv .jsonl .json .parquet .sections: your own items, or rows of a published set, recognised by their fields
//	hf-data:owner/name[@revision][/path]  files of a data set on the hub, see [HubFiles]
func Open(ctx context.Context, ref string, o Options) (*Set, error) {
	columns, err := ParseColumns(o.Columns)
	if err != nil {
		return nil, err
	}
	if IsGenerated(ref) {
		if o.Columns != "" {
			return nil, fmt.Errorf("corpus: columns %q are for your own files, and %s has none", o.Columns, ref)
		}
		return openGenerated(ref, o.Generator)
	}
	if strings.HasPrefix(ref, hub.DataScheme) {
		paths, info, err := HubFiles(ctx, ref, o.Hub)
		if err != nil {
			return nil, err
		}
		set, err := openFiles(paths, columns, o)
		if err != nil {
			return nil, err
		}
		set.Hub = &info
		return set, nil
	}
	info, err := os.Stat(ref)
	if err != nil {
		return nil, fmt.Errorf("corpus: no items there: %w", err)
	}
	if !info.IsDir() {
		return openFiles([]string{ref}, columns, o)
	}
	set, err := openDirectory(ref, columns, o)
	if err == nil && o.Columns != "" && set.Kind != KindOwn {
		return nil, fmt.Errorf("corpus: columns %q are for your own files, and %s is %s as published", o.Columns, ref, set.Kind)
	}
	return set, err
}

func openGenerated(ref string, o generate.Options) (*Set, error) {
	name, grades, graded := strings.Cut(ref, ":")
	if graded {
		o.Grades = nil
		for g := range strings.SplitSeq(grades, ",") {
			g = strings.TrimSpace(g)
			name += "-" + g
			o.Grades = append(o.Grades, corpus.Grade(g))
		}
	}
	o.Train = -1 // only the held-out split is asked
	c, err := generate.Generate(o)
	if err != nil {
		return nil, err
	}
	return &Set{Kind: KindGenerated, Name: name, Items: c.HeldOut, Report: &ReadReport{Good: len(c.HeldOut)}}, nil
}

// exported are the files that a directory of rows is known by: the split to evaluate on, of an exported corpus or of a set of your own.
var exported = []string{"heldout.jsonl", "heldout.parquet", "test.jsonl", "test.parquet", "test.csv"}

func openDirectory(dir string, columns Columns, o Options) (*Set, error) {
	has := func(pattern ...string) bool {
		found, err := filepath.Glob(filepath.Join(append([]string{escapeGlob(dir)}, pattern...)...))
		return err == nil && len(found) > 0
	}
	set := new(Set)
	var err error
	switch {
	case has(siqaDev.items) && has(siqaDev.labels):
		set.Kind = KindSIQA
		set.Items, err = ReadSIQA(dir)
	case has(piqaValid.items) && has(piqaValid.labels):
		set.Kind = KindPIQA
		set.Items, err = ReadPIQA(dir)
	case has("test", "*_test.csv"):
		set.Kind = KindMMLU
		set.Items, err = ReadMMLU(dir, "test")
	case has("test.jsonl") && isGSM8K(filepath.Join(dir, "test.jsonl")):
		set.Kind = KindGSM8K
		set.Problems, err = ReadGSM8K(dir, "test")
	default:
		for _, name := range exported {
			if has(name) {
				return openExported(filepath.Join(dir, name), columns, o)
			}
		}
		return nil, fmt.Errorf("corpus: %s holds no set that is known here: looked for SIQA (%s and %s), PIQA (%s and %s), MMLU (test/*_test.csv), GSM8K (test.jsonl) and an exported corpus or a test split (%s); a single file (.csv, .jsonl, .parquet, .sections) is given by its own path",
			dir, siqaDev.items, siqaDev.labels, piqaValid.items, piqaValid.labels, strings.Join(exported, ", "))
	}
	set.Name = string(set.Kind)
	set.Report = &ReadReport{Good: len(set.Items) + len(set.Problems)}
	return set, err
}

// openExported reads a split of an exported corpus, which has the directory's name.
func openExported(path string, columns Columns, o Options) (*Set, error) {
	set, err := openFiles([]string{path}, columns, o)
	if err != nil {
		return nil, err
	}
	set.Name = filepath.Base(filepath.Dir(path))
	return set, nil
}

// isGSM8K looks at the first row of a file.
func isGSM8K(path string) bool {
	for row, err := range jsonRows(path) {
		return err == nil && strings.Contains(row.Text["answer"], gsm8kMark)
	}
	return false
}

// openFiles reads files of rows as one set. Their kind follows from the fields of the first row, or they are your own with the columns given.
func openFiles(paths []string, columns Columns, o Options) (*Set, error) {
	rows, err := rowsOf(paths)
	if err != nil {
		return nil, err
	}
	set := &Set{Kind: KindOwn, Name: strings.TrimSuffix(filepath.Base(paths[0]), filepath.Ext(paths[0]))}
	item := columns.withDefaults().item
	if o.Columns == "" {
		for first, err := range rows {
			if err != nil {
				if _, bad := errors.AsType[*corpus.RowError](err); bad && o.OnBad == SetAside {
					continue
				}
				return nil, err
			}
			s, known := shapeOf(first)
			_, input := first.Text["input"]
			_, target := first.Text["target"]
			switch {
			case known:
				set.Kind, set.Name, item = s.kind, string(s.kind), s.answered
			case input && target && len(first.Lists) == 0:
				set.Kind = KindBBH
				set.Problems, set.Report, err = ReadAll(through(rows, bbhProblem), o.OnBad)
				return set, err
			case strings.Contains(first.Text["answer"], gsm8kMark):
				set.Kind, set.Name = KindGSM8K, string(KindGSM8K)
				set.Problems, set.Report, err = ReadAll(through(rows, gsm8kProblem), o.OnBad)
				return set, err
			}
			break
		}
	}
	set.Items, set.Report, err = ReadAll(through(rows, uniqueIDs(item)), o.OnBad)
	return set, err
}

// uniqueIDs makes a row whose item has the id of one before it a bad row.
func uniqueIDs(item func(corpus.Row) (corpus.Item, error)) func(corpus.Row) (corpus.Item, error) {
	first := make(map[string]int)
	return func(row corpus.Row) (corpus.Item, error) {
		it, err := item(row)
		if err != nil {
			return it, err
		}
		if line, met := first[it.ID]; met {
			return it, rowError(corpus.WrongLabel, "id %q is already that of line %d: ids must differ", it.ID, line)
		}
		first[it.ID] = row.Line
		return it, nil
	}
}

// formats are the endings that [Rows] reads.
var formats = map[string]func(path string) iter.Seq2[corpus.Row, error]{
	".csv": textFormat(csvTable).rows, ".tsv": textFormat(csvTable).rows, ".jsonl": jsonRows, ".ndjson": jsonRows, ".json": textFormat(jsonDocument).rows,
	".sections": textFormat(sectionLines).rows, ".parquet": parquetRows,
}

// Rows reads a file of your own by its ending, row by row, without holding it in memory:
//
//	.csv .tsv the first row names the fields
//	.jsonl    an object per line; an array of texts is a list, a field of an inner object gets both names (choices_text)
//	.ndjson   the same
//	.json     an array of such objects
//	.parquet  likewise
//	.sections rows of "@Name: text" fields, each row closed by a line "@end"; lines "A. ...", "B. ..." are a list
//
// A row that cannot be used comes as a [*corpus.RowError] and the next one follows; [SkipBad] and [ReadAll] decide what to do with it. Every other
// error is the last thing that comes.
func Rows(path string) (iter.Seq2[corpus.Row, error], error) {
	read, known := formats[strings.ToLower(filepath.Ext(path))]
	if !known {
		return nil, fmt.Errorf("corpus: %s: rows are read from .csv, .tsv, .jsonl, .json, .parquet and .sections files", path)
	}
	return read(path), nil
}

// rowsOf reads files one after the other.
func rowsOf(paths []string) (iter.Seq2[corpus.Row, error], error) {
	var all []iter.Seq2[corpus.Row, error]
	for _, path := range paths {
		rows, err := Rows(path)
		if err != nil {
			return nil, err
		}
		all = append(all, rows)
	}
	return func(yield func(corpus.Row, error) bool) {
		for rows := range slices.Values(all) {
			for row, err := range rows {
				if !yield(row, err) {
					return
				}
			}
		}
	}, nil
}

// escapeGlob takes the special meaning from a path's characters.
func escapeGlob(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}
