package prepare

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/clean"
	"github.com/attune-lab/attune/pkg/corpus/export"
	"github.com/attune-lab/attune/pkg/corpus/source"
	"github.com/attune-lab/attune/pkg/report"
)

// Options of [Run]. Only Items is needed.
type Options struct {
	Items      string        // what is read, see [source.Open]
	Columns    string        // of one's own file, see [source.ParseColumns]
	Strict     bool          // the first bad row is an error; else bad rows are left out and counted
	Against    []string      // references to evaluation sets that the first split must not contain, beside the other splits
	Similarity float64       // items at least so alike are one, see [clean.NearOptions]; 0 = 0.8; 1 = only those of the same words
	Shares     string        // "train=8 dev=1 test=1"; "" = that. The first is the one that is trained on
	Seed       uint64        // another one splits otherwise
	Name       string        // of the set; "" = that of what is read
	About      string        // where the items come from, for the card
	Licence    string        // SPDX name; "" = not stated
	Format     export.Format // "" = JSON lines
}

// Result is what was done.
type Result struct {
	Set           export.Set
	Read          *source.ReadReport
	Duplicates    []clean.Duplicate
	Contamination *clean.Contamination
	Contaminated  int // items of the first split that were taken out
	Dir           string
	card          export.Card
}

// Run reads items, takes repeats out, splits them by their content, takes out of the first split what evaluation sets and the other splits contain, and writes
// the set into dir.
func Run(ctx context.Context, o Options, dir string) (*Result, error) {
	shares, err := parseShares(cmp.Or(o.Shares, "train=8 dev=1 test=1"))
	if err != nil {
		return nil, err
	}
	onBad := source.SetAside
	if o.Strict {
		onBad = source.Stop
	}
	set, err := source.Open(ctx, o.Items, source.Options{Columns: o.Columns, OnBad: onBad})
	if err != nil {
		return nil, err
	}
	if len(set.Items) == 0 {
		return nil, fmt.Errorf("prepare: %s has open answers and no options: only items with options are exported", o.Items)
	}
	r := &Result{Read: set.Report, Dir: dir}
	items, err := r.withoutRepeats(set.Items, o.Similarity)
	if err != nil {
		return nil, err
	}
	splitter, err := clean.NewSplitter(strconv.FormatUint(o.Seed, 10), shares...)
	if err != nil {
		return nil, err
	}
	splits := splitter.Items(items)
	if err := r.decontaminate(ctx, splits, shares, o.Against); err != nil {
		return nil, err
	}
	r.Set = export.Set{Name: cmp.Or(o.Name, set.Name), About: o.About, Licence: o.Licence}
	if set.Hub != nil && o.About == "" {
		r.Set.About = "Items of " + set.Hub.String() + "."
	}
	for _, share := range shares {
		if len(splits[share.Name]) > 0 {
			r.Set.Splits = append(r.Set.Splits, export.Split{Name: share.Name, Items: splits[share.Name]})
		}
	}
	if r.card, err = r.Set.Card(); err != nil {
		return nil, err
	}
	return r, r.Set.WriteHub(dir, export.HubOptions{Format: o.Format, Notes: r.notes()})
}

// parseShares reads "train=8 dev=1".
func parseShares(text string) ([]clean.Share, error) {
	var shares []clean.Share
	for _, field := range strings.Fields(text) {
		name, parts, _ := strings.Cut(field, "=")
		n, err := strconv.Atoi(parts)
		if err != nil || n < 1 || name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			return nil, fmt.Errorf("prepare: share %q: expected name=parts, as in \"train=8 dev=1 test=1\"", field)
		}
		shares = append(shares, clean.Share{Name: name, Parts: n})
	}
	return shares, nil
}

func (r *Result) withoutRepeats(items []corpus.Item, similarity float64) ([]corpus.Item, error) {
	named := clean.NamedItems(items)
	texts := make([]string, len(named))
	for i, n := range named {
		texts[i] = n.Text
	}
	var err error
	if r.Duplicates, err = clean.Duplicates(texts, clean.NearOptions{Similarity: similarity}); err != nil {
		return nil, err
	}
	repeats := make(map[int]bool, len(r.Duplicates))
	for _, d := range r.Duplicates {
		repeats[d.Index] = true
	}
	var kept []corpus.Item
	for i, item := range items {
		if !repeats[i] {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

// decontaminate takes items out of the first split.
func (r *Result) decontaminate(ctx context.Context, splits map[string][]corpus.Item, shares []clean.Share, against []string) error {
	sets := make(map[string][]clean.Named)
	for _, share := range shares[1:] {
		sets[share.Name] = clean.NamedItems(splits[share.Name])
	}
	for _, ref := range against {
		set, err := source.Open(ctx, ref, source.Options{})
		if err != nil {
			return fmt.Errorf("prepare: the evaluation set %s: %w", ref, err)
		}
		named := clean.NamedItems(set.Items)
		for _, p := range set.Problems {
			named = append(named, clean.Named{ID: p.ID, Text: p.Question})
		}
		sets[set.Name] = append(sets[set.Name], named...)
	}
	first := shares[0].Name
	r.Contamination = clean.Decontaminate(slices.Values(clean.NamedItems(splits[first])), sets)
	before := len(splits[first])
	splits[first] = slices.DeleteFunc(splits[first], func(it corpus.Item) bool { return r.Contamination.Contaminated(it.ID) })
	r.Contaminated = before - len(splits[first])
	if len(splits[first]) == 0 {
		return fmt.Errorf("prepare: nothing is left in split %s of %d items: give more items, or fewer shares", first, before)
	}
	return nil
}

func (r *Result) exact() (n int) {
	for _, d := range r.Duplicates {
		if d.Exact {
			n++
		}
	}
	return n
}

// notes is what the card says of the steps.
func (r *Result) notes() string {
	return fmt.Sprintf("- rows that were left out because they could not be read right: %d\n- repeats of an earlier item that were left out: %d, of these %d nearly\n"+
		"- items of split %s that were left out because %d words in a row stand in an evaluation item: %d",
		len(r.Read.Bad), len(r.Duplicates), len(r.Duplicates)-r.exact(), r.Set.Splits[0].Name, r.Contamination.Gram, r.Contaminated)
}

// Parts are the result for a note.
func (r *Result) Parts() []*report.Part {
	near := len(r.Duplicates) - r.exact()
	rows := len(r.Read.Bad) + r.Read.Good
	steps := report.Table{Name: "steps", Title: "What was left out, and why", Columns: []string{"step", "items"}, Rows: [][]any{
		{"rows read", rows}, {"rows that could not be read right", len(r.Read.Bad)}, {"exact repeats of an earlier item", r.exact()}, {"near repeats", near},
		{"items of " + r.Set.Splits[0].Name + " with words of an evaluation item", r.Contaminated},
	}}
	splits := report.Table{Name: "splits", Title: "The set", Columns: []string{"split", "items", "words, mean", "words, most", "sha256 of its lines"}}
	kept := 0
	p := &report.Part{
		Method: fmt.Sprintf("Rows were read, repeats left out (Jaccard similarity of five words in a row), the rest split by a hash of its content, and what has %d words in a row of an evaluation item left out of %s.",
			r.Contamination.Gram, r.Set.Splits[0].Name),
		Facts: map[string]any{"content_sha256": r.card.ContentHash},
	}
	for _, s := range r.card.Splits {
		kept += s.Items
		splits.Rows = append(splits.Rows, []any{s.Name, s.Items, s.MeanWords, s.MaxWords, s.Hash})
		p.Numbers = append(p.Numbers, report.Number{Name: "items/" + s.Name, Value: float64(s.Items), Unit: "items"})
	}
	p.Numbers = append(p.Numbers, report.Number{Name: "left out/bad rows", Value: float64(len(r.Read.Bad)), Unit: "items"}, report.Number{Name: "left out/repeats", Value: float64(len(r.Duplicates)), Unit: "items"},
		report.Number{Name: "left out/contaminated", Value: float64(r.Contaminated), Unit: "items"})
	p.Finding = fmt.Sprintf("Of %d rows %d items are kept: %d could not be read right, %d repeat another, %d have words of an item to be evaluated.", rows, kept, len(r.Read.Bad), len(r.Duplicates), r.Contaminated)
	p.Tables = []report.Table{steps, splits}
	if len(r.Read.Bad) > 0 {
		const most = 20
		bad := report.Table{Name: "bad-rows", Title: "Rows that were left out", Columns: []string{"file", "line", "kind", "what is wrong"}}
		for _, b := range r.Read.Bad[:min(len(r.Read.Bad), most)] {
			bad.Rows = append(bad.Rows, []any{filepath.Base(b.File), b.Line, string(b.Kind), b.Err.Error()})
		}
		p.Tables = append(p.Tables, bad)
	}
	p.Samples = []report.Sample{{Title: "One item of " + r.Set.Splits[0].Name, Text: r.Set.Splits[0].Items[0].Text()}}
	return []*report.Part{p}
}
