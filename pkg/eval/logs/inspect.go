package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// inspect reads the JSON that `inspect log dump` writes: samples with scores by scorer, whose values are "C", "I", "P" or "N" (correct,
// incorrect, partly, no answer), a bool or a number. Epochs of one item are samples of their own that share a cluster.
// Source: inspect.aisi.org.uk, "Eval Logs".
func (l *Log) inspect(top map[string]json.RawMessage, o Options) error {
	l.Format = Inspect
	type score struct {
		Value json.RawMessage `json:"value"`
	}
	var samples []struct {
		ID     json.RawMessage `json:"id"`
		Epoch  int             `json:"epoch"`
		Input  json.RawMessage `json:"input"`
		Target json.RawMessage `json:"target"`
		Output struct {
			Completion string `json:"completion"`
			Choices    []struct {
				Message struct {
					Content json.RawMessage `json:"content"`
				} `json:"message"`
			} `json:"choices"`
		} `json:"output"`
		Scores map[string]score `json:"scores"`
		Error  json.RawMessage  `json:"error"`
	}
	if err := json.Unmarshal(top["samples"], &samples); err != nil {
		return fmt.Errorf("samples are not as Inspect writes them: %w", err)
	}
	epochs := 0
	for _, s := range samples {
		epochs = max(epochs, s.Epoch)
	}
	for i, s := range samples {
		id := plainText(s.ID)
		if id == "" {
			return fmt.Errorf("sample %d has no id", i+1)
		}
		if len(s.Scores) == 0 {
			return fmt.Errorf("sample %s was not scored: run `inspect score` first", id)
		}
		if l.Metric == "" {
			names := slices.Sorted(maps.Keys(s.Scores))
			switch {
			case o.Metric != "":
				l.Metric = o.Metric
			case len(names) == 1:
				l.Metric = names[0]
			default:
				return fmt.Errorf("samples have the scorers %s: name one", quoted(names))
			}
		}
		scored, ok := s.Scores[l.Metric]
		if !ok {
			return fmt.Errorf("sample %s has no score by %q: it has %s", id, l.Metric, quoted(slices.Sorted(maps.Keys(s.Scores))))
		}
		right, err := binary(scored.Value)
		if plainText(scored.Value) == "P" {
			err = errors.New("the score is partly correct (P): only items that are right (C) or wrong (I) can be paired")
		}
		if err != nil {
			return fmt.Errorf("sample %s, %s: %w", id, l.Metric, err)
		}
		sample := Sample{ID: id, Item: string(s.Input), Target: gold(plainText(s.Target)), Output: s.Output.Completion, Right: right, Judged: true}
		if sample.Output == "" && len(s.Output.Choices) > 0 {
			sample.Output = plainText(s.Output.Choices[0].Message.Content)
		}
		if epochs > 1 {
			sample.ID, sample.Cluster = id+"@"+strconv.Itoa(s.Epoch), id
		}
		l.Samples = append(l.Samples, sample)
	}
	return nil
}

// plainText is a JSON string without its quotes, the first of a list of strings, or the JSON itself.
func plainText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return list[0]
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}
