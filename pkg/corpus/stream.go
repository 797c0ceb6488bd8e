package corpus

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
)

// Stream gives the rows of JSON lines files in any order without holding them: an index of where each begins takes 16 bytes per row, and a row is
// read from disk when it is asked for. Rows may be read by several goroutines at once.
type Stream struct {
	files []*os.File
	paths []string
	index []rowPlace
	hash  string
	items *Columns
}

type rowPlace struct {
	start int64
	file  int32
	line  int32
}

// StreamOptions of [OpenStream]. The zero value takes any JSON object and stops at the first bad row.
type StreamOptions struct {
	Items    *Columns  // if set, rows are items and have the fields of [Item.Row]: what the exported files of a corpus need
	Template *Template // if set, a row that it cannot render is bad
	OnBad    OnBad
}

// OpenStream reads the files once, to check every row and to note where it begins. Bad rows stop it, or are left out of the stream and noted, so that
// none is met in the middle of a training run.
func OpenStream(o StreamOptions, paths ...string) (*Stream, *Tally, error) {
	s, tally, content := &Stream{paths: paths}, new(Tally), sha256.New()
	if o.Items != nil {
		columns := o.Items.withDefaults()
		s.items = &columns
	}
	for i, path := range paths {
		if filepath.Ext(path) != ".jsonl" {
			s.Close()
			return nil, tally, fmt.Errorf("corpus: %s: only .jsonl files are streamed: write the rows of other files with Export first", path)
		}
		file, err := os.Open(path)
		if err == nil {
			s.files = append(s.files, file)
			err = s.scan(int32(i), o, tally, content)
		}
		if err != nil {
			s.Close()
			return nil, tally, fmt.Errorf("corpus: %w", err)
		}
	}
	if len(s.index) == 0 {
		s.Close()
		return nil, tally, fmt.Errorf("corpus: no good row in %d files, %d bad ones: a stream needs a row", len(paths), len(tally.Bad))
	}
	s.hash = hex.EncodeToString(content.Sum(nil))
	return s, tally, nil
}

// scan indexes a file. The stream's hash is of the files' bytes, each after its length, so of what is in them and not of their names.
func (s *Stream) scan(file int32, o StreamOptions, tally *Tally, content hash.Hash) error {
	info, err := s.files[file].Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(content, "%d\n", info.Size())
	lines := bufio.NewReaderSize(io.TeeReader(s.files[file], content), 1<<20)
	start := int64(0)
	for line := int32(1); ; line++ {
		text, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s:%d: %w", s.paths[file], line, err)
		}
		if len(bytes.TrimSpace(text)) > 0 {
			place := rowPlace{start, file, line}
			row, bad := s.parse(place, text)
			if bad == nil && o.Template != nil {
				if _, bad = o.Template.Render(row); bad != nil {
					bad = at(row.File, row.Line, bad)
				}
			}
			switch {
			case bad == nil:
				tally.Good++
				s.index = append(s.index, place)
			case o.OnBad == SetAside:
				tally.Bad = append(tally.Bad, at(s.paths[file], int(line), bad))
			default:
				return bad
			}
		}
		start += int64(len(text))
		if err != nil {
			return nil
		}
		if line == math.MaxInt32 {
			return fmt.Errorf("%s has more than %d lines: cut it into several files", s.paths[file], line)
		}
	}
}

func (s *Stream) parse(p rowPlace, text []byte) (Row, error) {
	if p.start == 0 {
		text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	row, err := jsonRow(text)
	row.File, row.Line = s.paths[p.file], int(p.line)
	if err == nil && s.items != nil {
		var item Item
		if item, err = s.items.item(row); err == nil {
			row = item.Row()
			row.File, row.Line = s.paths[p.file], int(p.line)
		}
	}
	if err != nil {
		return row, at(s.paths[p.file], int(p.line), err)
	}
	return row, nil
}

// Len is how many good rows there are.
func (s *Stream) Len() int { return len(s.index) }

// Hash is SHA-256 of the files' content, hexadecimal.
func (s *Stream) Hash() string { return s.hash }

// Close closes the files.
func (s *Stream) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Row reads a row, 0 to Len()-1, in the order of the files.
func (s *Stream) Row(i int) (Row, error) {
	if i < 0 || i >= len(s.index) {
		return Row{}, fmt.Errorf("corpus: row %d of a stream of %d", i, len(s.index))
	}
	p := s.index[i]
	const ahead = 4096 // most rows come in one read
	lines := bufio.NewReaderSize(io.NewSectionReader(s.files[p.file], p.start, math.MaxInt64-p.start), ahead)
	text, err := lines.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return Row{}, fmt.Errorf("%s:%d: %w", s.paths[p.file], p.line, err)
	}
	return s.parse(p, text)
}

// StreamState is a place in a shuffled stream, to be kept as JSON.
type StreamState struct {
	Hash  string `json:"hash"` // of the content
	Rows  int    `json:"rows"`
	Seed  uint64 `json:"seed"`
	Epoch int    `json:"epoch"` // from 0
	Next  int    `json:"next"`  // rows of the epoch that have been read
}

// Shuffled reads a stream for ever, each epoch in its own order ([Permutation] of seed and epoch: the whole set is shuffled, not a buffer of
// it). It is used by one goroutine.
type Shuffled struct {
	stream *Stream
	state  StreamState
	order  *Permutation
}

// Shuffled begins at the first row of the first epoch.
func (s *Stream) Shuffled(seed uint64) *Shuffled {
	return &Shuffled{stream: s, state: StreamState{Hash: s.hash, Rows: s.Len(), Seed: seed}}
}

// State is the place after the last row that was read.
func (r *Shuffled) State() StreamState { return r.state }

// Resume goes to a place, also in the middle of an epoch. It refuses a place in other content or another order.
func (r *Shuffled) Resume(p StreamState) error {
	if p.Hash != r.state.Hash || p.Rows != r.state.Rows || p.Seed != r.state.Seed {
		return fmt.Errorf("corpus: resuming a stream: the place is in content %.12s, %d rows, seed %d; this is content %.12s, %d rows, seed %d: use the files, options and seed it was saved with",
			p.Hash, p.Rows, p.Seed, r.state.Hash, r.state.Rows, r.state.Seed)
	}
	if p.Epoch < 0 || p.Next < 0 || p.Next > p.Rows {
		return fmt.Errorf("corpus: resuming a stream: row %d of epoch %d does not exist", p.Next, p.Epoch)
	}
	r.state, r.order = p, nil
	return nil
}

// Next reads the next row.
func (r *Shuffled) Next() (Row, error) {
	if r.state.Next == r.state.Rows {
		r.state.Epoch, r.state.Next, r.order = r.state.Epoch+1, 0, nil
	}
	if r.order == nil {
		order, err := NewPermutation(r.state.Rows, r.state.Seed, r.state.Epoch)
		if err != nil {
			return Row{}, err
		}
		r.order = order
	}
	row, err := r.stream.Row(r.order.At(r.state.Next))
	if err == nil {
		r.state.Next++
	}
	return row, err
}
