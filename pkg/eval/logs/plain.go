package logs

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Usual names of columns, in the order in which they are taken; case does not matter.
var (
	idNames      = []string{"id", "item_id", "item", "doc_id", "question_id", "qid", "sample_id", "example_id", "uid", "key", "index", "idx"}
	correctNames = []string{"correct", "is_correct", "right", "acc", "accuracy", "exact_match", "em", "score", "passed"}
	outputNames  = []string{"prediction", "predicted", "pred", "output", "response", "completion", "generated", "generation", "choice", "model_answer"}
	clusterNames = []string{"cluster", "passage", "passage_id", "context_id"}
	targetNames  = []string{"target", "gold", "label", "reference", "expected", "truth", "answer_key", "correct_answer", "solution"}
)

// plain reads rows with an item id and correctness, or an answer and its target; an arm that is asked for may be a column of answers. Without an id column, the rows' order is taken: of files
// that hold outputs of one published list.
func (l *Log) plain(records []record, top map[string]json.RawMessage, o Options) error {
	l.Format = Plain
	if len(records) == 0 || len(records) == 1 && top != nil {
		name := ""
		for _, n := range []string{"outputs", "samples", "results", "predictions", "items", "data"} {
			if raw := top[n]; len(raw) > 0 && raw[0] == '[' {
				name = n
				break
			}
		}
		if name != "" {
			var err error
			if records, err = rows(top[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if name == "outputs" {
				l.Format = Outputs
			}
		} else if len(records) == 0 {
			return errors.New(`no rows: expected JSONL, a JSON array, CSV, or an object with "outputs"`)
		}
	}
	if len(records) == 0 {
		return errors.New("no rows")
	}
	union := all(records)
	byColumn := o.Arm != "" && !union.has("arm") && union.has(o.Arm) // a table with a column of answers for each arm
	if byColumn {
		o.Answer = o.Arm
	} else if err := l.pickArm(records, o); err != nil {
		return err
	}
	c, err := columnsOf(union, o)
	if err != nil {
		return err
	}
	l.Metric = c.correct
	at := 0
	for _, r := range records {
		if !byColumn && r.text("arm") != l.Arm {
			continue
		}
		s := Sample{ID: strconv.Itoa(at), Item: asked(r)}
		at++
		if c.id != "" {
			if s.ID = r.text(c.id); s.ID == "" {
				return fmt.Errorf("row %d has no %s", r.line, c.id)
			}
		}
		s.Output, s.Target, s.Cluster = r.text(c.output), gold(r.text(c.target)), r.text(c.cluster)
		if c.correct != "" {
			if s.Right, err = binary(r.fields[c.correct]); err != nil {
				return fmt.Errorf("row %d (%s), %s: %w", r.line, s.ID, c.correct, err)
			}
			s.Judged = true
		} else if s.Target == "" {
			return fmt.Errorf("row %d (%s) has no %s", r.line, s.ID, c.target)
		}
		l.Samples = append(l.Samples, s)
	}
	return nil
}

// all is a record with the fields of every row: optional ones need not be in the first.
func all(records []record) record {
	union := record{fields: map[string]json.RawMessage{}}
	for _, r := range records {
		for _, name := range r.names {
			if r.has(name) && !union.has(name) {
				union.names = append(union.names, name)
				union.fields[name] = r.fields[name]
			}
		}
	}
	return union
}

type columns struct{ id, correct, output, target, cluster string }

// columnsOf finds the columns by the names that are given, else by the usual ones.
func columnsOf(r record, o Options) (c columns, err error) {
	find := func(given string, usual []string) (string, error) {
		if given != "" {
			if !r.has(given) {
				return "", fmt.Errorf("no column %q: the log has %s", given, quoted(r.names))
			}
			return given, nil
		}
		for _, name := range usual {
			for _, have := range r.names {
				if strings.EqualFold(have, name) {
					return have, nil
				}
			}
		}
		return "", nil
	}
	for _, column := range []struct {
		to    *string
		given string
		usual []string
	}{{&c.id, o.ID, idNames}, {&c.correct, o.Correct, correctNames}, {&c.output, o.Answer, outputNames}, {&c.target, o.Target, targetNames}, {&c.cluster, o.Cluster, clusterNames}} {
		if *column.to, err = find(column.given, column.usual); err != nil {
			return c, err
		}
	}
	// "answer" is what was answered, unless another column is that and none is the target.
	if answer, _ := find("", []string{"answer"}); answer != "" {
		switch {
		case c.output == "":
			c.output = answer
		case c.target == "":
			c.target = answer
		}
	}
	if c.correct == "" && (c.output == "" || c.target == "") {
		return c, fmt.Errorf("nothing says what is right: expected a column such as %q, or an answer and its %q; the log has %s", "correct", "target", quoted(r.names))
	}
	return c, nil
}

// asked is the item's own question, where a row has one: behind worked examples, the last.
func asked(r record) string {
	for _, name := range []string{"question", "input", "prompt"} {
		text := r.text(name)
		if text == "" {
			continue
		}
		if at := strings.LastIndex(text, "\nQ:"); at >= 0 {
			text = text[at+len("\nQ:"):]
		}
		if at := strings.LastIndex(text, "\nA:"); at >= 0 {
			text = text[:at]
		}
		return strings.Join(strings.Fields(text), " ")
	}
	return ""
}

// csvRecords reads a table with a header.
func csvRecords(in *bufio.Reader, comma rune) (records []record, err error) {
	reader := csv.NewReader(in)
	reader.Comma, reader.FieldsPerRecord = comma, -1
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", err)
	}
	for i := range header {
		if header[i] = strings.TrimSpace(header[i]); slices.Contains(header[:i], header[i]) {
			return nil, fmt.Errorf("the column %q is there twice", header[i])
		}
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := reader.FieldPos(0)
		if len(row) != len(header) {
			return nil, fmt.Errorf("line %d has %d fields, the header %d", line, len(row), len(header))
		}
		r := record{line: line, names: header, fields: make(map[string]json.RawMessage, len(row))}
		for i, name := range header {
			text, err := json.Marshal(row[i])
			if err != nil {
				return nil, fmt.Errorf("line %d, %s: %w", line, name, err)
			}
			r.fields[name] = text
		}
		records = append(records, r)
	}
}
