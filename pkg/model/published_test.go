package model

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestPublishedModelsHaveTheirParameters: testdata/published.jsonl.gz holds the config.json of 57 published models, with the fields that their files have whether transformers
// still reads them or not, and the numbers of parameters that their cards tell, in billions. Of a whole that reads images it is the text's.
func TestPublishedModelsHaveTheirParameters(t *testing.T) {
	f, err := os.Open("testdata/published.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	seen := map[string]bool{}
	for lines.Scan() {
		var published struct {
			Name     string
			Billions float64
			Config   json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &published); err != nil {
			t.Fatal(err)
		}
		c, err := ParseConfig(published.Config)
		if err != nil {
			t.Errorf("%s: %v", published.Name, err)
			continue
		}
		seen[c.ModelType] = true
		if got := float64(c.NumParameters()) / 1e9; math.Abs(got/published.Billions-1) > 0.01 { // cards round
			t.Errorf("%s has %.3f billion parameters, expected %.3f", published.Name, got, published.Billions)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, family := range Families() {
		if !seen[family] {
			t.Errorf("no published model of %s", family)
		}
	}
}
