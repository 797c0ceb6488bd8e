package note

import (
	"bytes"
	"encoding/csv"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/report"
)

// tokenView is attention of 3 layers and 2 heads with invented numbers.
func tokenView(name string, tokens []string, arms ...string) report.Attention {
	return attentionOf(name, tokens, 3, 2, arms...)
}

func attentionOf(name string, tokens []string, layers, heads int, arms ...string) report.Attention {
	rng := rand.New(rand.NewPCG(1, 2))
	n := len(tokens)
	a := report.Attention{Name: name, Title: "Attention of one text", Caption: "tiny, every layer and head, post-softmax", Tokens: tokens, Arms: arms,
		Probs: report.Array{Shape: []int{len(arms), layers, heads, n, n}, Axes: []string{"arm", "layer", "head", "query", "key"}}}
	for range len(arms) * layers * heads {
		for q := range n {
			row := make([]float32, n)
			var sum float32
			for k := range q + 1 {
				row[k] = float32(math.Exp(2 * rng.NormFloat64()))
				if k == 0 {
					row[k] += 4
				}
				sum += row[k]
			}
			for k := range q + 1 {
				row[k] /= sum
			}
			a.Probs.Values = append(a.Probs.Values, row...)
		}
	}
	return a
}

func packedMaps(t *testing.T, a report.Attention) (func(arm, layer, head, query, key int) float64, error) {
	t.Helper()
	p, err := packAttention(&a)
	must(t, err)
	return p.maps()
}

func TestAViewKeepsProbabilitiesToAThousandth(t *testing.T) {
	tokens := strings.Fields("the quick brown fox jumps over it")
	a := tokenView("v", tokens, "baseline", "released")
	n := len(tokens)
	at, err := packedMaps(t, a)
	must(t, err)
	for i, want := range a.Probs.Values {
		k, q := i%n, i/n%n
		if k > q {
			continue
		}
		m := i / n / n
		got := at(m/6, m/2%3, m%2, q, k)
		if tolerance := 1.01*math.Sqrt(float64(want))/255 + 1e-5; math.Abs(got-float64(want)) > tolerance {
			t.Fatalf("entry %d is %v, want %v within %v", i, got, want, tolerance)
		}
	}
	a.Probs.Values[0] = 2.5 // a gain may carry an entry above 1
	if at, err = packedMaps(t, a); err != nil || at(0, 0, 0, 0, 0) != 2.5 {
		t.Errorf("the largest entry is %v, %v; want 2.5", at(0, 0, 0, 0, 0), err)
	}
}

func TestAViewThatIsTooLargeKeepsTheMeanOverHeads(t *testing.T) {
	tokens := make([]string, 96)
	for i := range tokens {
		tokens[i] = strconv.Itoa(i)
	}
	a := attentionOf("v", tokens, 12, 24, "baseline")
	p, err := packAttention(&a)
	must(t, err)
	if !p.Mean || p.Heads != 1 || len(p.Data) > maxAttention {
		t.Fatalf("mean %v, %d heads, %d bytes", p.Mean, p.Heads, len(p.Data))
	}
	at, err := p.maps()
	must(t, err)
	var want float64
	for h := range 24 {
		want += float64(a.Probs.Values[(h*96+50)*96+7]) / 24
	}
	if got := at(0, 0, 0, 50, 7); math.Abs(got-want) > 0.003 {
		t.Errorf("mean %v, want %v", got, want)
	}
}

func TestTheTableAndTheCSVSayWhatTheViewShows(t *testing.T) {
	a := report.Attention{Name: "v", Tokens: []string{"a", "b"}, Arms: []string{"x"},
		Probs: report.Array{Shape: []int{1, 1, 2, 2, 2}, Axes: make([]string, 5), Values: []float32{1, 0, 0.25, 0.75, 1, 0, 0.25, 0.75}}}
	p, err := packAttention(&a)
	must(t, err)
	table, err := p.table()
	must(t, err)
	if got := table.Rows[1][4]; got != "1 b 75.1 % · 0 a 25.2 %" {
		t.Errorf("row %v", table.Rows[1])
	}
	b, err := p.csv()
	must(t, err)
	rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	must(t, err)
	if len(rows) != 7 || strings.Join(rows[3], " ") != "x 0 0 1 b 1 b 0.7511" {
		t.Errorf("%d rows, the fourth %v", len(rows), rows[3])
	}
}

func TestTokensAreVisible(t *testing.T) {
	for in, want := range map[string]string{"": "∅", " a ": "·a·", "\n": "↵", "▁the": "·the", "\x1b[0m": "U+001B[0m", "\u202e": "U+202E", "\xff": `\xFF`, "  ": "··", "中": "中", "<s>": "<s>"} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestThePageRunsTheScriptOfAViewAndNoOther(t *testing.T) {
	_, dir := repository(t)
	r := open(t, nil)
	must(t, r.Section("One", &report.Part{Attention: []report.Attention{tokenView("v", []string{"</script><script>alert(1)</script>", "b<!--"}, "<b>")}}))
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d script elements, want the data and the view's", n)
	}
	if !strings.Contains(page, "script-src &#39;sha256-") || strings.Contains(page, "alert(1)</script>") || strings.Contains(page, "<!--") {
		t.Error("a token can leave the data, or the policy names no hash")
	}
}

func TestANoteStaysBelowThreeMegabytes(t *testing.T) {
	_, dir := repository(t)
	r := open(t, nil)
	noise := rand.New(rand.NewPCG(3, 4))
	tokens := make([]string, 90)
	for i := range tokens {
		tokens[i] = "token"
	}
	p := &report.Part{}
	for i := range 3 {
		p.Attention = append(p.Attention, attentionOf("view"+strconv.Itoa(i), tokens, 8, 10, "baseline"))
		picture := image.NewGray(image.Rect(0, 0, 1000, 900))
		for k := range picture.Pix {
			picture.Pix[k] = byte(noise.Uint32())
		}
		var b bytes.Buffer
		must(t, png.Encode(&b, picture))
		p.Figures = append(p.Figures, report.Figure{Name: "noise" + strconv.Itoa(i), Chart: report.PNG(b.Bytes())})
	}
	table := report.Table{Name: "long", Columns: []string{"a", "b", "c"}}
	for i := range 9000 {
		table.Rows = append(table.Rows, []any{i, noise.Float64(), "some words"})
	}
	p.Tables = []report.Table{table}
	must(t, r.Section("Much", p))
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	if len(page) > 3_000_000 {
		t.Errorf("note.html has %d bytes", len(page))
	}
	if !strings.Contains(page, "of 9000 rows") || strings.Count(read(t, dir, "tables", "long.csv"), "\n") != 9001 {
		t.Error("the page shows part of the long table and says so, its CSV has all")
	}
}
