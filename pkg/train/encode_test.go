package train

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

func tinyTokenizer(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(filepath.Join("..", "..", "testdata", "attune-tiny"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func gradedItems(t testing.TB, n int) []corpus.Item {
	t.Helper()
	c, err := generate.Generate(generate.Options{Train: n, HeldOut: -1, Grades: corpus.Grades()})
	if err != nil {
		t.Fatal(err)
	}
	return c.Train
}

// TestOnlyTheChosenSectionsAreTrainedOn decodes the tokens that have a weight, of every domain and grade.
func TestOnlyTheChosenSectionsAreTrainedOn(t *testing.T) {
	tok := tinyTokenizer(t)
	e := Encoder{Tokenizer: tok, Mask: corpus.Mask{Sections: []string{"Analysis", "Response"}}}
	for _, item := range gradedItems(t, 360) {
		text, err := corpus.ItemTemplate.Render(item.Row())
		if err != nil {
			t.Fatal(err)
		}
		doc, err := e.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		var counted []int
		for i, id := range doc.Tokens {
			if doc.Weights[i] != 0 {
				counted = append(counted, int(id))
			}
		}
		if want := " " + item.Analysis + "\n " + corpus.Letter(item.Answer) + "\n"; tok.Decode(counted) != want {
			t.Fatalf("%s: trained on %q, expected %q", item.ID, tok.Decode(counted), want)
		}
		if bos, has := tok.BOS(); has && (doc.Tokens[0] != int32(bos) || doc.Weights[0] != 0) {
			t.Fatalf("%s begins with token %d of weight %v, expected BOS of weight 0", item.ID, doc.Tokens[0], doc.Weights[0])
		}
		if eos, has := tok.EOS(); has && (doc.Tokens[len(doc.Tokens)-1] != int32(eos) || doc.Weights[len(doc.Tokens)-1] != 1) {
			t.Fatalf("%s does not end in an EOS that counts", item.ID)
		}
	}
}

func TestEncodedTextsAreTheDocumentsOfTheirText(t *testing.T) {
	tok := tinyTokenizer(t)
	items := gradedItems(t, 72)
	var texts []string
	for _, item := range items {
		texts = append(texts, item.Text())
	}
	docs, err := Documents(tok, texts, 1000)
	if err != nil {
		t.Fatal(err)
	}
	source := Items{List: items, Template: corpus.ItemTemplate, Encoder: Encoder{Tokenizer: tok}}
	for i := range items {
		doc, err := source.Document(i)
		if err != nil {
			t.Fatal(err)
		}
		for k, id := range doc.Tokens {
			if len(doc.Tokens) != len(docs[i].Tokens) || id != docs[i].Tokens[k] {
				t.Fatalf("%s is encoded as %v, expected %v", items[i].ID, doc.Tokens, docs[i])
			}
		}
	}
}

// BenchmarkGenerateEncodeAndPack measures all that a training step waits for, from the seed to packed batches: tokens/s, and tokens/s for each core.
func BenchmarkGenerateEncodeAndPack(b *testing.B) {
	tok := tinyTokenizer(b)
	const items, width = 14_400, 1024
	tokens := 0
	for b.Loop() {
		c, err := generate.Generate(generate.Options{Train: items, HeldOut: -1, Grades: corpus.Grades()})
		if err != nil {
			b.Fatal(err)
		}
		feed, err := NewFeed(Items{c.Train, corpus.ItemTemplate, Encoder{Tokenizer: tok, Mask: corpus.Mask{Sections: []string{"Response"}}}}, FeedOptions{Width: width, Rows: 32, Epochs: 1})
		if err != nil {
			b.Fatal(err)
		}
		for {
			p, err := feed.Next()
			if err != nil {
				b.Fatal(err)
			}
			if p == nil {
				break
			}
			for _, s := range p.Segments {
				if s != 0 {
					tokens++
				}
			}
		}
	}
	rate := float64(tokens) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "tokens/s")
	b.ReportMetric(rate/float64(runtime.GOMAXPROCS(0)), "tokens/s/core")
}

// BenchmarkPack measures the packer alone, on documents that are already encoded.
func BenchmarkPack(b *testing.B) {
	docs := randomDocuments(20_000, 200)
	tokens := 0
	for b.Loop() {
		p, err := Pack(docs, 1024)
		if err != nil {
			b.Fatal(err)
		}
		tokens += len(p.Tokens)
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
