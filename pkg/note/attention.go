package note

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/report"
)

// maxAttention bounds the compressed attention of one view: above it a view keeps the mean over heads only, so that a note stays below 3 MB.
const maxAttention = 700_000

// packed is report.Attention as the page carries it: every probability a byte, of its square root, so that small ones keep their digits.
type packed struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Caption string   `json:"caption"`
	Tokens  []string `json:"tokens"`
	Arms    []string `json:"arms"`
	Layers  int      `json:"layers"`
	Heads   int      `json:"heads"` // 1 with Mean: only the mean over heads is kept
	Mean    bool     `json:"mean"`
	Scale   float64  `json:"scale"` // a byte b is Scale (b/255)^2
	// Data is gzip over [arms, layers, heads, queries, keys <= query].
	Data []byte `json:"data"`
}

func packAttention(a *report.Attention) (*packed, error) {
	s := a.Probs.Shape
	p := &packed{Name: a.Name, Title: a.Title, Caption: a.Caption, Tokens: a.Tokens, Arms: a.Arms, Layers: s[1], Heads: s[2]}
	n := len(p.Tokens)
	var lower []float64 // of every map, the entries up to the diagonal
	for m := range s[0] * s[1] * s[2] {
		for q := range n {
			for k := range q + 1 {
				v := float64(a.Probs.Values[(m*n+q)*n+k])
				if !(v > 0) || math.IsInf(v, 0) {
					v = 0
				}
				lower = append(lower, v)
			}
		}
	}
	if p.pack(lower); len(p.Data) > maxAttention {
		if err := p.reduce(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// pack compresses the entries up to the diagonal of all maps.
func (p *packed) pack(lower []float64) {
	p.Scale = max(1, slices.Max(lower))
	out := make([]byte, len(lower))
	for i, v := range lower {
		out[i] = byte(math.Round(255 * math.Sqrt(v/p.Scale)))
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a valid one
	w.Write(out)                                          // into memory
	w.Close()
	p.Data = b.Bytes()
}

// reduce leaves of a view the mean over heads.
func (p *packed) reduce() error {
	if p.Mean || p.Data == nil {
		return nil
	}
	at, err := p.maps()
	if err != nil {
		return err
	}
	n := len(p.Tokens)
	var lower []float64
	for a := range p.Arms {
		for l := range p.Layers {
			for q := range n {
				for k := range q + 1 {
					lower = append(lower, p.mean(at, a, l, q, k))
				}
			}
		}
	}
	p.Mean, p.Heads = true, 1
	p.pack(lower)
	return nil
}

// maps opens the data: value gives one probability.
func (p *packed) maps() (func(arm, layer, head, query, key int) float64, error) {
	zip, err := gzip.NewReader(bytes.NewReader(p.Data))
	if err != nil {
		return nil, fmt.Errorf("note: attention %q: %w", p.Name, err)
	}
	n := len(p.Tokens)
	each := n * (n + 1) / 2
	b, err := io.ReadAll(zip)
	if want := len(p.Arms) * p.Layers * p.Heads * each; err != nil || len(b) != want {
		return nil, fmt.Errorf("note: attention %q holds %d values, want %d (%v)", p.Name, len(b), want, err)
	}
	return func(arm, layer, head, query, key int) float64 {
		v := float64(b[((arm*p.Layers+layer)*p.Heads+head)*each+query*(query+1)/2+key]) / 255
		return p.Scale * v * v
	}, nil
}

const (
	maxShownRows = 900     // of the table that shows a view's content without script
	maxRows      = 250_000 // of its CSV
)

// table is what a view shows, for those who read without script: for every arm, layer and token the keys that receive most, mean over heads. Many
// layers are thinned.
func (p *packed) table() (*report.Table, error) {
	at, err := p.maps()
	if err != nil {
		return nil, err
	}
	n := len(p.Tokens)
	every := 1
	for len(p.Arms)*((p.Layers+every-1)/every)*n > maxShownRows && every < p.Layers {
		every++
	}
	title := "The keys that each token attends to most, mean over heads"
	if every > 1 {
		title += fmt.Sprintf(", every %d. layer (all are in the CSV)", every)
	}
	t := &report.Table{Name: p.Name, Title: title, Columns: []string{"arm", "layer", "position", "token", "attends most to"}}
	for a, arm := range p.Arms {
		for l := 0; l < p.Layers; l += every {
			for q, token := range p.Tokens {
				t.Rows = append(t.Rows, []any{arm, l, q, token, p.strongest(func(k int) float64 { return p.mean(at, a, l, q, k) }, q, 3)})
			}
		}
	}
	return t, nil
}

func (p *packed) mean(at func(arm, layer, head, query, key int) float64, arm, layer, query, key int) float64 {
	sum := 0.0
	for h := range p.Heads {
		sum += at(arm, layer, h, query, key)
	}
	return sum / float64(p.Heads)
}

// strongest names the keys up to a query that receive most.
func (p *packed) strongest(of func(key int) float64, query, most int) string {
	keys := make([]int, query+1)
	for k := range keys {
		keys[k] = k
	}
	slices.SortStableFunc(keys, func(a, b int) int {
		switch x, y := of(a), of(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	var words []string
	for _, k := range keys[:min(most, len(keys))] {
		words = append(words, fmt.Sprintf("%d %s %.1f %%", k, p.Tokens[k], 100*of(k)))
	}
	return strings.Join(words, " · ")
}

// csv is every probability of a view, or their means over heads where those would be too many; nil where even these are.
func (p *packed) csv() ([]byte, error) {
	at, err := p.maps()
	if err != nil {
		return nil, err
	}
	n := len(p.Tokens)
	rows := len(p.Arms) * p.Layers * n * (n + 1) / 2
	all := rows*p.Heads <= maxRows
	if !all && rows > maxRows {
		return nil, nil
	}
	t := &report.Table{Name: p.Name, Columns: []string{"arm", "layer", "head", "query", "query token", "key", "key token", "probability"}}
	for a, arm := range p.Arms {
		for l := range p.Layers {
			for h := range p.Heads {
				if !all && h > 0 {
					break
				}
				head := any(h)
				if !all || p.Mean {
					head = "mean"
				}
				for q := range n {
					for k := range q + 1 {
						v := at(a, l, h, q, k)
						if !all {
							v = p.mean(at, a, l, q, k)
						}
						t.Rows = append(t.Rows, []any{arm, l, head, q, p.Tokens[q], k, p.Tokens[k], math.Round(v*1e4) / 1e4})
					}
				}
			}
		}
	}
	return t.CSV()
}

// visible is a token with nothing invisible left: a newline is ↵, a tab →, spaces at its ends and SentencePiece's ▁ are ·, other characters that
// show nothing, or reorder what is around them, are their code point, and bytes that are no UTF-8 are \xHH.
func visible(token string) string {
	if token == "" {
		return "∅"
	}
	inner := strings.Trim(token, " ")
	lead := len(token) - len(strings.TrimLeft(token, " "))
	trail := len(token) - lead - len(inner)
	if inner == "" {
		lead, trail = len(token), 0
	}
	var b strings.Builder
	b.WriteString(strings.Repeat("·", lead))
	for i, c := range inner {
		switch {
		case c == '\n':
			b.WriteRune('↵')
		case c == '\t':
			b.WriteRune('→')
		case c == '▁' || c == '\u00a0':
			b.WriteRune('·')
		case c == utf8.RuneError && !strings.HasPrefix(inner[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02X`, inner[i])
		case unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&b, "U+%04X", c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteString(strings.Repeat("·", trail))
	return b.String()
}
