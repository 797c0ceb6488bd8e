package logs

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/eval/extract"
)

// Formats of a [Log].
const (
	LMEval  = "lm-eval"
	Inspect = "inspect"
	Outputs = "outputs"
	Plain   = "plain"
)

// Options of [Read]. The zero value takes what a file says by itself.
type Options struct {
	Metric string       // lm-eval's metric or Inspect's scorer that says what is right; "" = the only one, or acc or exact_match among several
	Filter string       // lm-eval's filter, where rows carry several; "" = the first in the file
	Arm    string       // of our own samples, whose rows carry an arm; "" = the only one
	Form   extract.Form // of the answers that are read out of texts; "" = from the log's targets
	// Columns of a plain log; "" = the usual names.
	ID, Correct, Answer, Target, Cluster string
}

// Sample is one item of a log.
type Sample struct {
	ID      string
	Cluster string // what it shares with other samples (Inspect's epochs of one item); "" = it stands alone
	Item    string // what was asked, as a hash or a text: two logs that differ in it under one id are not of the same items; "" = not known
	Target  string
	Output  string    // what the model wrote; "" where it only scored choices
	Scores  []float64 // log-likelihoods of the choices, where the log has them
	Right   bool
	Judged  bool   // the log itself says whether it is right
	Answer  string // read from Output, where the log does not judge
	Parsed  bool   // Answer could be read; true where the log judges
}

// Log is one evaluation, by item, in the order of the file.
type Log struct {
	Name    string // the file's name without its folder
	Format  string
	Metric  string // that says what is right; "" = answers were compared with targets
	Filter  string
	Arm     string
	Samples []Sample
	Form    extract.Form // of the answers, where they were read out of texts
}

// Bounds on what is read.
const (
	maxFile = 4 << 30  // bytes, decompressed
	maxLine = 64 << 20 // bytes
)

// Read reads a log: a file, or the folder of one run of the harness with samples_*.jsonl of several tasks (MMLU has one for each subject),
// whose ids then begin with the task. Behind a "#" the path may name an arm: "samples_piqa.jsonl#released".
func Read(path string, o Options) (*Log, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if file, arm, ok := strings.Cut(path, "#"); ok && o.Arm == "" {
			path, o.Arm = file, arm
		}
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return readFolder(path, o)
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("logs: %s is not a file", path)
	}
	records, top, err := load(path)
	if err != nil {
		return nil, err
	}
	log := &Log{Name: filepath.Base(path), Arm: o.Arm}
	switch {
	case top["samples"] != nil && top["eval"] != nil:
		err = log.inspect(top, o)
	case top["results"] != nil && top["samples"] == nil:
		return nil, fmt.Errorf("logs: %s holds an evaluation's totals: name the log of its items, samples_TASK_DATE.jsonl beside it", path)
	case len(records) > 0 && records[0].has("doc_id") && (records[0].has("resps") || records[0].has("doc")):
		err = log.lmEval(records, o)
	default:
		err = log.plain(records, top, o)
	}
	if err != nil {
		return nil, fmt.Errorf("logs: %s: %w", path, err)
	}
	seen := make(map[string]bool, len(log.Samples))
	for _, s := range log.Samples {
		if seen[s.ID] {
			return nil, fmt.Errorf("logs: %s: the item %q is there twice: ids must differ", path, s.ID)
		}
		seen[s.ID] = true
	}
	if len(log.Samples) == 0 {
		return nil, fmt.Errorf("logs: %s holds no items", path)
	}
	log.judge(o)
	return log, nil
}

// samplesFile is how the harness names the samples of a task.
var samplesFile = regexp.MustCompile(`^samples_(.+)_\d{4}-\d\d-\d\dT[\d.-]+\.jsonl(?:\.gz)?$`)

// readFolder reads the samples of all tasks of one run.
func readFolder(path string, o Options) (*Log, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	var whole *Log
	files := make(map[string]string)
	for _, entry := range entries {
		m := samplesFile.FindStringSubmatch(entry.Name())
		if m == nil {
			continue
		}
		task := m[1]
		if before := files[task]; before != "" {
			return nil, fmt.Errorf("logs: %s has two runs of %s, %s and %s: name one file, or keep one run in a folder", path, task, before, entry.Name())
		}
		files[task] = entry.Name()
		l, err := Read(filepath.Join(path, entry.Name()), o)
		if err != nil {
			return nil, err
		}
		for i := range l.Samples {
			l.Samples[i].ID = task + "/" + l.Samples[i].ID
			if l.Samples[i].Cluster != "" {
				l.Samples[i].Cluster = task + "/" + l.Samples[i].Cluster
			}
		}
		if whole == nil {
			whole = l
			whole.Name = filepath.Base(path)
			continue
		}
		if l.Metric != whole.Metric || l.Filter != whole.Filter {
			return nil, fmt.Errorf("logs: %s is judged by %s, %s, the tasks before it by %s, %s: name one metric and filter", entry.Name(), l.Metric, l.Filter, whole.Metric, whole.Filter)
		}
		whole.Samples = append(whole.Samples, l.Samples...)
	}
	if whole == nil {
		return nil, fmt.Errorf("logs: no samples_TASK_DATE.jsonl in %s: name a log", path)
	}
	return whole, nil
}

// judge reads answers out of texts where the log does not say what is right.
func (l *Log) judge(o Options) {
	open := false
	for i := range l.Samples {
		l.Samples[i].Parsed = l.Samples[i].Judged
		open = open || !l.Samples[i].Judged
	}
	if open {
		l.read(l.question(o.Form))
	}
}

// question is the form of the log's answers: as asked, else inferred from all targets.
func (l *Log) question(form extract.Form) extract.Question {
	targets := make([]string, len(l.Samples))
	for i, s := range l.Samples {
		targets[i] = s.Target
	}
	q := extract.Infer(targets)
	if form != "" && form != q.Form {
		q = extract.Question{Form: form}
		if form == extract.Label {
			q = extract.YesNo()
		}
	}
	return q
}

// read gives every sample's answer and whether it is right.
func (l *Log) read(q extract.Question) {
	l.Form = q.Form
	for i := range l.Samples {
		s := &l.Samples[i]
		s.Answer, s.Parsed = q.Read(s.Output)
		s.Right = s.Parsed && q.Right(s.Answer, s.Target)
	}
}

// Right and Unparsed count samples.
func (l *Log) Right() (n int) {
	for _, s := range l.Samples {
		if s.Right {
			n++
		}
	}
	return n
}

// Unparsed lists the samples whose answer could not be read, in order.
func (l *Log) Unparsed() (out []Sample) {
	for _, s := range l.Samples {
		if !s.Parsed {
			out = append(out, s)
		}
	}
	return out
}

// gold is the answer of a target that is a worked solution, such as GSM8K's: what follows its last "####".
func gold(target string) string {
	if at := strings.LastIndex(target, "####"); at >= 0 {
		return strings.TrimSpace(target[at+len("####"):])
	}
	return target
}

// record is one row of a log, its fields by name in the order of the file.
type record struct {
	line   int
	names  []string
	fields map[string]json.RawMessage
}

func (r record) has(name string) bool { return r.fields[name] != nil }

// text is a field as text: a string without its quotes, a number or a bool as written; "" for null and where there is none.
func (r record) text(name string) string {
	raw := r.fields[name]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}

// load reads a file's rows: of JSONL, of a JSON array, or of CSV; or the fields of a JSON object.
func load(path string) (records []record, top map[string]json.RawMessage, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("logs: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<16)
	name := strings.ToLower(path)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, fmt.Errorf("logs: %s: %w", path, err)
		}
		defer unzipped.Close()
		in, name = bufio.NewReaderSize(unzipped, 1<<16), strings.TrimSuffix(name, ".gz")
	}
	if head, _ := in.Peek(4); bytes.Equal(head, []byte("PK\x03\x04")) {
		return nil, nil, fmt.Errorf("logs: %s is packed (zip), as Inspect's .eval files are: write it out first, with `inspect log dump FILE > FILE.json`", path)
	}
	in = bufio.NewReaderSize(io.LimitReader(in, maxFile), 1<<16)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3)
	}
	switch filepath.Ext(name) {
	case ".csv":
		records, err = csvRecords(in, ',')
	case ".tsv":
		records, err = csvRecords(in, '\t')
	case ".json":
		records, top, err = jsonRecords(in)
	default:
		records, top, err = jsonLines(in)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("logs: %s: %w", path, err)
	}
	return records, top, nil
}

// jsonLines reads one object a line; a file that is one object over several lines is taken as JSON.
func jsonLines(in *bufio.Reader) (records []record, top map[string]json.RawMessage, err error) {
	for line := 1; ; line++ {
		text, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, fmt.Errorf("line %d: %w", line, err)
		}
		ended := err != nil
		if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 {
			if line == 1 && (trimmed[0] == '[' || bytes.Equal(trimmed, []byte("{"))) {
				return jsonRecords(bufio.NewReader(io.MultiReader(bytes.NewReader(text), in)))
			}
			r, err := newRecord(trimmed, line)
			if err != nil {
				return nil, nil, err
			}
			records = append(records, r)
		}
		if ended {
			break
		}
	}
	if len(records) == 1 {
		top = records[0].fields // one object on one line: JSON in a file of another name
	}
	return records, top, nil
}

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("more than %d MB in one line: is this a log?", maxLine>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// jsonRecords reads a whole JSON document: an array of rows, or an object.
func jsonRecords(in *bufio.Reader) (records []record, top map[string]json.RawMessage, err error) {
	decoder := json.NewDecoder(in)
	var document json.RawMessage
	if err := decoder.Decode(&document); err != nil {
		return nil, nil, fmt.Errorf("no valid JSON: %w", err)
	}
	if document[0] == '[' {
		records, err = rows(document)
		return records, nil, err
	}
	if err := json.Unmarshal(document, &top); err != nil {
		return nil, nil, fmt.Errorf("expected a JSON object or an array of objects: %w", err)
	}
	return nil, top, nil
}

// rows are the objects of a JSON array.
func rows(array json.RawMessage) (records []record, err error) {
	var list []json.RawMessage
	if err := json.Unmarshal(array, &list); err != nil {
		return nil, fmt.Errorf("expected an array of objects: %w", err)
	}
	for i, text := range list {
		r, err := newRecord(text, i+1)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

func newRecord(text []byte, line int) (record, error) {
	r := record{line: line}
	if err := json.Unmarshal(text, &r.fields); err != nil || r.fields == nil {
		return r, fmt.Errorf("row %d: expected a JSON object, found %s", line, excerpt(text))
	}
	for name := range r.fields {
		r.names = append(r.names, name)
	}
	slices.Sort(r.names)
	return r, nil
}

func excerpt(text []byte) string {
	const most = 60
	if len(text) > most {
		return fmt.Sprintf("%q ...", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

// Arms names the arms of a file of samples, in order; none where its rows carry none.
func Arms(path string) ([]string, error) {
	records, _, err := load(path)
	if err != nil {
		return nil, err
	}
	return distinct(records, "arm"), nil
}
