package source

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// problem is a bad row whose place the caller fills in.
func problem(f corpus.Fault, format string, args ...any) error {
	return &corpus.BadRow{Fault: f, Err: fmt.Errorf(format, args...)}
}

// at puts the place into an error of a row.
func at(file string, line int, err error) *corpus.BadRow {
	bad, ok := errors.AsType[*corpus.BadRow](err)
	if !ok {
		return &corpus.BadRow{File: file, Line: line, Fault: corpus.Malformed, Err: err}
	}
	if bad.File == "" {
		bad.File, bad.Line = file, line
	}
	return bad
}

// OnBad is what happens at a bad row.
type OnBad int

// What a caller can choose.
const (
	Stop     OnBad = iota // the first bad row ends the reading with its error
	SetAside              // bad rows are left out and noted
)

// Tally counts rows and keeps the bad ones.
type Tally struct {
	Good int
	Bad  []*corpus.BadRow
}

// Counts are the bad rows by fault.
func (t *Tally) Counts() map[corpus.Fault]int {
	counts := make(map[corpus.Fault]int)
	for _, b := range t.Bad {
		counts[b.Fault]++
	}
	return counts
}

// String is a report: the counts and then a line for each bad row.
func (t *Tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d good rows, %d set aside", t.Good, len(t.Bad))
	counts := t.Counts()
	faults := make([]string, 0, len(counts))
	for f, n := range counts {
		faults = append(faults, fmt.Sprintf("%s: %d", f, n))
	}
	slices.Sort(faults)
	if len(faults) > 0 {
		b.WriteString(" (" + strings.Join(faults, ", ") + ")")
	}
	b.WriteByte('\n')
	for _, bad := range t.Bad {
		b.WriteString(bad.Error() + "\n")
	}
	return b.String()
}

// Sift passes good rows on. A bad row ends it with its error, or goes into the tally, as onBad says; any other error, such as a file that
// cannot be read, always ends it. The tally may be nil.
func Sift[T any](rows iter.Seq2[T, error], onBad OnBad, tally *Tally) iter.Seq2[T, error] {
	if tally == nil {
		tally = new(Tally)
	}
	return func(yield func(T, error) bool) {
		for row, err := range rows {
			if bad, ok := errors.AsType[*corpus.BadRow](err); ok && onBad == SetAside {
				tally.Bad = append(tally.Bad, bad)
				continue
			}
			if err == nil {
				tally.Good++
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// Collect reads all rows with [Sift]. No good row at all is an error.
func Collect[T any](rows iter.Seq2[T, error], onBad OnBad) ([]T, *Tally, error) {
	tally := new(Tally)
	var all []T
	for row, err := range Sift(rows, onBad, tally) {
		if err != nil {
			return nil, tally, err
		}
		all = append(all, row)
	}
	if len(all) == 0 {
		if len(tally.Bad) > 0 {
			return nil, tally, fmt.Errorf("corpus: no good row among %d, the first: %w", len(tally.Bad), tally.Bad[0])
		}
		return nil, tally, fmt.Errorf("corpus: the source has no rows")
	}
	return all, tally, nil
}
