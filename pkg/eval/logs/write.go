package logs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Row is one line of samples_*.jsonl: one document under one arm. Its keys are those of lm_eval 0.4.13, and "arm".
type Row struct {
	DocID  int    // row of the published file, from 0
	Doc    any    // the document; a struct or raw JSON keeps the order of its fields, which its hash depends on
	Target string // for choices the number of the right one
	Prompt string
	Arm    string
	Filter string // "" means "none"

	Choices []string  // continuations, with LogLikelihoods of each
	Scores  []float64 // log-likelihoods

	Generation map[string]any // of a written answer: how it was generated ("until", "do_sample", ...)
	Text       string         // what was written
	Extracted  string         // the answer that was read; "" means "[invalid]", as the harness has it

	Metrics []Metric
}

// Metric is the value of a sample or a task by name.
type Metric struct {
	Name  string
	Value float64
}

// hashes of a row, as the harness makes them: SHA-256 of the indented document, of the prompt, of the target.
func (r Row) hashes() (doc, prompt, target string, err error) {
	text, err := plainJSON(r.Doc)
	if err != nil {
		return "", "", "", err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return "", "", "", err
	}
	return sum(indented.String()), sum(r.Prompt), sum(r.Target), nil
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// WriteSamples writes rows as samples_*.jsonl.
func WriteSamples(w io.Writer, rows []Row) error {
	out := bufio.NewWriter(w)
	for _, r := range rows {
		line, err := r.line()
		if err != nil {
			return fmt.Errorf("logs: sample %d: %w", r.DocID, err)
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("logs: samples: %w", err)
	}
	return nil
}

func (r Row) line() ([]byte, error) {
	doc, prompt, target, err := r.hashes()
	if err != nil {
		return nil, err
	}
	var arguments object
	list, filteredList := []any{}, []any{}
	if r.Choices != nil {
		if len(r.Choices) != len(r.Scores) {
			return nil, fmt.Errorf("%d scores for %d choices", len(r.Scores), len(r.Choices))
		}
		for i, choice := range r.Choices {
			arguments.add(fmt.Sprintf("gen_args_%d", i), object{{"arg_0", r.Prompt}, {"arg_1", choice}})
			// Whether the choice is what the model would write is not computed.
			pair := []string{float(r.Scores[i]), "None"}
			list, filteredList = append(list, [][]string{pair}), append(filteredList, pair)
		}
	} else {
		generation := r.Generation
		if generation == nil {
			generation = map[string]any{}
		}
		arguments.add("gen_args_0", object{{"arg_0", r.Prompt}, {"arg_1", generation}})
		extracted := r.Extracted
		if extracted == "" {
			extracted = "[invalid]"
		}
		list, filteredList = append(list, []string{r.Text}), append(filteredList, extracted)
	}
	names := make([]string, len(r.Metrics))
	for i, m := range r.Metrics {
		names[i] = m.Name
	}
	filter := r.Filter
	if filter == "" {
		filter = "none"
	}
	row := object{
		{"doc_id", r.DocID}, {"doc", r.Doc}, {"target", r.Target}, {"arguments", arguments}, {"resps", list}, {"filtered_resps", filteredList},
		{"filter", filter}, {"metrics", names}, {"doc_hash", doc}, {"prompt_hash", prompt}, {"target_hash", target},
	}
	for _, m := range r.Metrics {
		row.add(m.Name, number(m.Value))
	}
	if r.Arm != "" {
		row.add("arm", r.Arm)
	}
	return plainJSON(row)
}

// Results are the totals of an evaluation, as results_*.json.
type Results struct {
	Model        string // name or path
	ModelArgs    string
	DType        string
	Parameters   int // of the model; 0 = not known
	Limit        int // documents asked for; 0 = all
	Seed         uint64
	Version      string // of the program that evaluated
	Commit       string
	Date         time.Time
	Seconds      float64
	MaxLength    int
	ChatTemplate string // "" = none
	Tasks        []TaskResult
}

// TaskResult is a task under one arm.
type TaskResult struct {
	Name     string // of the task; arms beyond the baseline have theirs behind an "@"
	Metrics  []Metric
	Filter   string // "" means "none"
	N        int    // documents
	Original int    // before a limit
	Shots    int
	Config   any // template and choices, as data
	Version  any
	Rows     []Row // for the task's hash; may be nil
}

// WriteResults writes results_*.json with the keys of lm_eval 0.4.13. Standard errors are those of a mean.
func WriteResults(w io.Writer, r Results) error {
	var results, subtasks, configs, versions, shots, higher, samples, hashes object
	for _, t := range r.Tasks {
		filter := t.Filter
		if filter == "" {
			filter = "none"
		}
		scores := object{{"name", t.Name}, {"alias", t.Name}, {"sample_len", t.N}}
		var better object
		for _, m := range t.Metrics {
			scores.add(m.Name+","+filter, number(m.Value))
			scores.add(m.Name+"_stderr,"+filter, standardError(m.Value, t.N))
			better.add(m.Name, true)
		}
		results.add(t.Name, scores)
		configs.add(t.Name, t.Config)
		versions.add(t.Name, t.Version)
		shots.add(t.Name, t.Shots)
		higher.add(t.Name, better)
		samples.add(t.Name, object{{"original", t.Original}, {"effective", t.N}})
		var all strings.Builder
		for _, row := range t.Rows {
			doc, prompt, target, err := row.hashes()
			if err != nil {
				return fmt.Errorf("logs: results of %s: %w", t.Name, err)
			}
			all.WriteString(doc + prompt + target)
		}
		hashes.add(t.Name, sum(all.String()))
	}
	var limit, template, templateHash, parameters any
	if r.Limit > 0 {
		limit = float64(r.Limit)
	}
	if r.ChatTemplate != "" {
		template, templateHash = r.ChatTemplate, sum(r.ChatTemplate)
	}
	if r.Parameters > 0 {
		parameters = r.Parameters
	}
	document := object{
		{"results", results}, {"group_subtasks", subtasks}, {"configs", configs}, {"versions", versions}, {"n-shot", shots},
		{"higher_is_better", higher}, {"n-samples", samples},
		{"config", object{
			{"model", r.Model}, {"model_args", r.ModelArgs}, {"model_num_parameters", parameters}, {"model_dtype", r.DType}, {"batch_size", nil}, {"batch_sizes", []int{}},
			{"device", nil}, {"use_cache", nil}, {"limit", limit}, {"bootstrap_iters", 0}, {"gen_kwargs", nil}, {"random_seed", r.Seed}, {"numpy_seed", r.Seed},
			{"torch_seed", r.Seed}, {"fewshot_seed", r.Seed},
		}},
		{"git_hash", r.Commit}, {"date", number(float64(r.Date.UnixMicro()) / 1e6)}, {"pretty_env_info", "N/A (written by attune " + r.Version + ")"}, {"transformers_version", "N/A"},
		{"lm_eval_version", "N/A (keys of 0.4.13)"}, {"upper_git_hash", nil}, {"max_length", r.MaxLength}, {"task_hashes", hashes}, {"model_source", "attune"},
		{"model_name", r.Model}, {"model_name_sanitized", sanitised(r.Model)}, {"system_instruction", nil}, {"system_instruction_sha", nil},
		{"fewshot_as_multiturn", false}, {"chat_template", template}, {"chat_template_sha", templateHash},
		{"total_evaluation_time_seconds", float(r.Seconds)},
	}
	text, err := plainJSON(document)
	if err != nil {
		return fmt.Errorf("logs: results: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return fmt.Errorf("logs: results: %w", err)
	}
	indented.WriteByte('\n')
	if _, err := w.Write(indented.Bytes()); err != nil {
		return fmt.Errorf("logs: results: %w", err)
	}
	return nil
}

// standardError of a mean of n outcomes that are 0 or 1, as the harness prints it; "N/A" where n is below 2.
func standardError(mean float64, n int) any {
	if n < 2 {
		return "N/A"
	}
	return number(math.Sqrt(mean * (1 - mean) / float64(n-1)))
}

// sanitised is a model's name as the harness makes a folder of it.
func sanitised(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`"<>:/\|?*[]`, r) {
			return '_'
		}
		return r
	}, name)
}

// FileNames are the names of a task's samples and of the totals at a time, as the harness makes them.
func FileNames(task string, at time.Time) (samples, results string) {
	date := at.Format("2006-01-02T15-04-05.000000")
	return "samples_" + sanitised(task) + "_" + date + ".jsonl", "results_" + date + ".json"
}

const datePattern = `_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}\.jsonl?$`

// Written lists the files of [FileNames] in a folder that this package wrote, of any date: a task's samples and the totals; of task "" the samples of all tasks. Those that the harness
// itself wrote there have the same names and are left out.
func Written(dir, task string) ([]string, error) {
	pattern := ".+"
	if task != "" {
		pattern = regexp.QuoteMeta(sanitised(task))
	}
	is := regexp.MustCompile("^(?:samples_" + pattern + "|results)" + datePattern)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("logs: %w", err)
	}
	var found []string
	for _, e := range entries {
		if !e.Type().IsRegular() || !is.MatchString(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		ours, err := isOurs(path)
		if err != nil {
			return nil, err
		}
		if ours {
			found = append(found, path)
		}
	}
	return found, nil
}

// isOurs looks for what only this package writes: the arm in a row of samples, the source of the model in the totals.
func isOurs(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("logs: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(io.LimitReader(file, maxLine), 1<<16)
	if strings.HasPrefix(filepath.Base(path), "samples_") {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return false, fmt.Errorf("logs: %w", err)
		}
		return bytes.Contains(line, []byte(`"arm":`)), nil
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return false, fmt.Errorf("logs: %w", err)
	}
	return bytes.Contains(text, []byte(`"model_source": "attune"`)), nil
}

// field and object are JSON with its fields in order.
type field struct {
	name  string
	value any
}

type object []field

func (o *object) add(name string, value any) { *o = append(*o, field{name, value}) }

// MarshalJSON writes the fields in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteString(", ")
		}
		name, err := plainJSON(f.name)
		if err != nil {
			return nil, err
		}
		value, err := plainJSON(f.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		b.Write(name)
		b.WriteString(": ")
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// plainJSON leaves <, > and & as they are.
func plainJSON(v any) ([]byte, error) {
	if o, ok := v.(object); ok {
		return o.MarshalJSON() // json.Marshal would make it compact
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// float is a number as Python's str writes it: "-3.0", "1e-05".
func float(x float64) string {
	text := strconv.FormatFloat(x, 'g', -1, 64)
	switch {
	case math.IsNaN(x):
		return "nan"
	case math.IsInf(x, 0):
		return strings.Replace(strings.TrimPrefix(text, "+"), "Inf", "inf", 1)
	}
	if size := math.Abs(x); size >= 1e-4 && size < 1e16 || x == 0 {
		text = strconv.FormatFloat(x, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
	}
	return text
}

// number is a float that keeps its point in JSON: 1.0 and not 1.
func number(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return json.RawMessage(float(x))
}
