package source

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// rowError is a bad row whose place the caller fills in.
func rowError(f corpus.ErrorKind, format string, args ...any) error {
	return &corpus.RowError{Kind: f, Err: fmt.Errorf(format, args...)}
}

// at puts the place into an error of a row.
func at(file string, line int, err error) *corpus.RowError {
	bad, ok := errors.AsType[*corpus.RowError](err)
	if !ok {
		return &corpus.RowError{File: file, Line: line, Kind: corpus.Malformed, Err: err}
	}
	if bad.File == "" {
		bad.File, bad.Line = file, line
	}
	return bad
}

// through maps rows, and puts the place of the row into an error.
func through[T any](rows iter.Seq2[corpus.Row, error], do func(corpus.Row) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for row, err := range rows {
			var result T
			if err == nil {
				if result, err = do(row); err != nil {
					err = at(row.File, row.Line, err)
				}
			}
			if !yield(result, err) {
				return
			}
		}
	}
}

// OnBad is what happens at a bad row.
type OnBad int

// What a caller can choose.
const (
	Stop     OnBad = iota // the first bad row ends the reading with its error
	SetAside              // bad rows are left out and noted
)

// ReadReport counts rows and keeps the bad ones.
type ReadReport struct {
	Good int
	Bad  []*corpus.RowError
}

// Counts are the bad rows by fault.
func (t *ReadReport) Counts() map[corpus.ErrorKind]int {
	counts := make(map[corpus.ErrorKind]int)
	for _, b := range t.Bad {
		counts[b.Kind]++
	}
	return counts
}

// String is a report: the counts and then a line for each bad row.
func (t *ReadReport) String() string {
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

// SkipBad passes good rows on. A bad row ends it with its error, or goes into the report, as onBad says; any other error, such as a file that
// cannot be read, always ends it. The report may be nil.
func SkipBad[T any](rows iter.Seq2[T, error], onBad OnBad, report *ReadReport) iter.Seq2[T, error] {
	if report == nil {
		report = new(ReadReport)
	}
	return func(yield func(T, error) bool) {
		for row, err := range rows {
			if bad, ok := errors.AsType[*corpus.RowError](err); ok && onBad == SetAside {
				report.Bad = append(report.Bad, bad)
				continue
			}
			if err == nil {
				report.Good++
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// ReadAll reads all rows with [SkipBad]. No good row at all is an error.
func ReadAll[T any](rows iter.Seq2[T, error], onBad OnBad) ([]T, *ReadReport, error) {
	report := new(ReadReport)
	var all []T
	for row, err := range SkipBad(rows, onBad, report) {
		if err != nil {
			return nil, report, err
		}
		all = append(all, row)
	}
	if len(all) == 0 {
		if len(report.Bad) > 0 {
			return nil, report, fmt.Errorf("corpus: no good row among %d, the first: %w", len(report.Bad), report.Bad[0])
		}
		return nil, report, fmt.Errorf("corpus: the source has no rows")
	}
	return all, report, nil
}
