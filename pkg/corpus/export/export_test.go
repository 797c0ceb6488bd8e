package export

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/corpus/source"
)

func TestExportedSetsReadBackAsTheyWere(t *testing.T) {
	c := generated(t, generate.Options{Seed: 4, Train: 720, HeldOut: 72, Grades: corpus.Grades()})
	for _, format := range []Format{JSONL, Parquet} {
		dir := t.TempDir()
		if err := c.WriteHub(dir, HubOptions{Format: format, Tokens: func(s string) int { return len(s) }, Mask: corpus.Mask{Sections: []string{"Response"}}, Notes: "none"}); err != nil {
			t.Fatal(err)
		}
		for _, s := range c.Splits {
			path := filepath.Join(dir, s.Name+"."+string(format))
			rows, err := source.Rows(path)
			if err != nil {
				t.Fatal(err)
			}
			items, _, err := source.ReadAll(source.Items(rows, source.Columns{}), source.Stop)
			if err != nil {
				t.Fatal(err)
			}
			if len(items) != len(s.Items) {
				t.Fatalf("%s: %d items, expected %d", path, len(items), len(s.Items))
			}
			for i, item := range items {
				want := s.Items[i]
				if item.Fingerprint() != want.Fingerprint() || item.Text() != want.Text() || item.ID != want.ID || item.Domain != want.Domain || item.Grade != want.Grade {
					t.Fatalf("%s: item %d is %+v, expected %+v", path, i, item, want)
				}
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			card, err := os.ReadFile(filepath.Join(dir, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(content)
			for _, want := range []string{hex.EncodeToString(sum[:]), cardOf(t, c).ContentHash, corpus.ItemTemplate.Hash(), "license: cc0-1.0\n", "seed: 4\n", "num_examples: 720\n", "- n<1K\n",
				"The loss counts: Response.", "| train | units | yes | 60 | easy 20, medium 20, hard 20 |", "| tokens |"} {
				if !strings.Contains(string(card), want) {
					t.Errorf("the card lacks %q:\n%s", want, card)
				}
			}
		}
	}
}

// TestCardIsYAML reads the front matter with Python's yaml where there is one.
func TestCardIsYAML(t *testing.T) {
	check := "import sys,yaml\nd=yaml.safe_load(open(sys.argv[1]).read().split('---\\n')[1])\nassert d['attune']['seed']==0 and d['attune']['template'].startswith('Question: {question}\\n'), d\nassert d['dataset_info']['splits'][1]['num_examples']==36, d\nassert d['size_categories']==['n<1K'], d"
	if err := exec.Command("python3", "-c", "import yaml").Run(); err != nil {
		t.Skip("python3 with yaml is not here")
	}
	dir := t.TempDir()
	if err := generated(t, generate.Options{Train: 36, HeldOut: 36, Grades: corpus.Grades()}).WriteHub(dir, HubOptions{}); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("python3", "-c", check, filepath.Join(dir, "README.md")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestOwnItemsAreExportedWithoutTheGeneratorsWords: a set that was read from elsewhere, with a passage, in both formats.
func TestOwnItemsAreExportedWithoutTheGeneratorsWords(t *testing.T) {
	items := []corpus.Item{
		{ID: "1", Domain: "mine", Question: "Who lost a key?", Options: []string{"Ana", "Ben"}, Answer: 0, Passage: "Ana lost her key.", Source: "mine.csv:2"},
		{ID: "2", Domain: "mine", Question: "Who found it?", Options: []string{"Ana", "Ben"}, Answer: 1, Source: "mine.csv:3"},
	}
	set := Set{Name: "mine", About: "Two questions about a key.", Splits: []Split{{"test", items}}}
	for _, format := range []Format{JSONL, Parquet} {
		dir := t.TempDir()
		if err := set.WriteHub(dir, HubOptions{Format: format}); err != nil {
			t.Fatal(err)
		}
		back, err := source.Open(t.Context(), filepath.Join(dir, "test."+string(format)), source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back.Items, items) {
			t.Errorf("%s: read back %+v", format, back.Items)
		}
		card, err := os.ReadFile(filepath.Join(dir, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"license: unknown\n", "Two questions about a key.", "  - name: passage\n"} {
			if !strings.Contains(string(card), want) {
				t.Errorf("%s: the card lacks %q:\n%s", format, want, card)
			}
		}
		for _, never := range []string{"generator", "seed", "synthetic", "language"} {
			if strings.Contains(string(card), never) {
				t.Errorf("%s: the card speaks of %q:\n%s", format, never, card)
			}
		}
	}
	card := cardOf(t, set)
	if text := card.Markdown(); !strings.Contains(text, "licence: not stated") || strings.Contains(text, "seed") {
		t.Errorf("card:\n%s", text)
	}
}

func TestExportRefusesWhatItCannotWrite(t *testing.T) {
	c := generated(t, generate.Options{Train: 10, HeldOut: 10})
	unknown, err := corpus.ParseTemplate("Text: {unknown}\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]HubOptions{"format": {Format: "xml"}, "mask": {Mask: corpus.Mask{Sections: []string{"Reply"}}}, "template": {Template: unknown}} {
		if err := c.WriteHub(t.TempDir(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := (Set{}).WriteHub(t.TempDir(), HubOptions{}); err == nil {
		t.Error("an empty set was exported")
	}
}
