package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/attune-lab/attune/pkg/corpus"
)

// parquetRows reads a parquet file row by row. A row's "line" is its number, from 1. Names are as in JSON lines: a field of a group gets both names
// (choices_text), a list of groups is a list for each of their fields.
func parquetRows(path string) iter.Seq2[corpus.Row, error] {
	return func(yield func(corpus.Row, error) bool) {
		file, info, err := openRegular(path)
		if err != nil {
			yield(corpus.Row{}, err)
			return
		}
		defer file.Close()
		opened, err := openParquet(file, info.Size())
		if err != nil {
			yield(corpus.Row{}, fmt.Errorf("%s: not a parquet file that can be read: %w", path, err))
			return
		}
		line := 0
		err = opened.each(func(row corpus.Row, err error) bool {
			line++
			row.File, row.Line = path, line
			if err != nil {
				err = at(path, line, err)
			}
			return yield(row, err)
		})
		if err != nil { // a page that is broken: nothing after it can be trusted
			yield(corpus.Row{}, fmt.Errorf("%s: row %d: %w: fetch or write the file again", path, line+1, err))
		}
	}
}

// parquetFile is an opened file and how its columns become fields. Its pages are decoded here and not by parquet-go, which allocates what a page
// announces, and for ever where one is damaged; the types of the format are its.
type parquetFile struct {
	r      io.ReaderAt
	size   int64
	meta   *format.FileMetaData
	leaves []leaf
	held   int64 // bytes of open pages
}

// openParquet reads the footer, see [checkParquet].
func openParquet(r io.ReaderAt, size int64) (*parquetFile, error) {
	meta, err := checkParquet(r, size)
	if err != nil {
		return nil, err
	}
	leaves, err := leavesOf(meta.Schema)
	if err != nil {
		return nil, err
	}
	return &parquetFile{r: r, size: size, meta: meta, leaves: leaves}, nil
}

// each gives the rows until do says that it has enough.
func (p *parquetFile) each(do func(corpus.Row, error) bool) error {
	columns := make([]columnReader, len(p.leaves))
	for g := range p.meta.RowGroups {
		group := &p.meta.RowGroups[g]
		if group.NumRows == 0 {
			continue
		}
		for i := range columns {
			columns[i].leaf, columns[i].file = &p.leaves[i], p
			if err := columns[i].open(&group.Columns[i]); err != nil {
				return fmt.Errorf("row group %d, column %q: %w", g, p.leaves[i].name, err)
			}
		}
		for range group.NumRows {
			row, bad, err := readRow(columns)
			if err != nil {
				return err
			}
			if !do(row, bad) {
				return nil
			}
		}
	}
	return nil
}

// readRow reads a row of all columns. bad is what is wrong with its texts; after err nothing can be read.
func readRow(columns []columnReader) (row corpus.Row, bad, err error) {
	row = newRow()
	size := 0
	for i := range columns {
		column := &columns[i]
		for first := true; ; first = false {
			e, err := column.next()
			if errors.Is(err, io.EOF) {
				if first {
					return row, nil, fmt.Errorf("column %q ends before the rows do: %w", column.leaf.name, errDamaged)
				}
				break
			}
			if err != nil {
				return row, nil, err
			}
			if !first && e.rep == 0 { // of the next row
				column.ahead, column.hasAhead = e, true
				break
			}
			if first && e.rep != 0 {
				return row, nil, fmt.Errorf("column %q: a row begins in the middle of a list: %w", column.leaf.name, errDamaged)
			}
			const entryBytes = 16 // of a text in a list
			if size += len(e.value.bytes) + entryBytes; size > maxRow {
				return row, nil, errTooLong
			}
			if wrong := column.leaf.add(row, e); wrong != nil && bad == nil {
				bad = wrong
			}
			if column.leaf.repeated == 0 {
				break
			}
		}
	}
	return row, bad, nil
}

// leaf is a column of values.
type leaf struct {
	name       string // of the field
	element    *format.SchemaElement
	repeated   int // how many lists it lies in
	maxLevel   int // definition level of a value that is there
	entryLevel int // definition level at which the innermost list has an entry
}

// add puts a value into a row: the field's, or one of its list.
func (l *leaf) add(row corpus.Row, e entry) error {
	if row.Bad[l.name] != nil {
		return nil
	}
	there := e.def == uint32(l.maxLevel)
	switch {
	case l.repeated > 1:
		row.Bad[l.name] = rowError(corpus.Malformed, "field %q is a list of lists, expected a text or a list of texts", l.name)
		return nil
	case l.repeated == 0 && !there:
		return nil // a field that is not there
	case l.repeated == 0:
		text, err := l.text(e.value)
		if err != nil {
			return err
		}
		return addText(row, l.name, text)
	case e.rep == 0 && e.def < uint32(l.entryLevel)-1:
		return nil // null, not a list
	case e.rep == 0:
		if err := addList(row, l.name, []string{}); err != nil {
			return err
		}
		if e.def < uint32(l.entryLevel) {
			return nil // a list of nothing
		}
	}
	list := row.Lists[l.name]
	if !there {
		row.Bad[l.name] = rowError(corpus.Malformed, "field %q: entry %d is null, expected a text", l.name, len(list)+1)
		delete(row.Lists, l.name)
		return nil
	}
	text, err := l.text(e.value)
	if err != nil {
		return err
	}
	row.Lists[l.name] = append(list, text)
	return nil
}

// text writes a value as JSON would, or as ISO 8601 has it.
func (l *leaf) text(v parquetValue) (string, error) {
	logical, converted := l.element.LogicalType.V, l.element.ConvertedType
	is := func(c deprecated.ConvertedType) bool { return converted.Valid && converted.V == c }
	switch kind := l.element.Type.V; kind {
	case format.Boolean:
		return strconv.FormatBool(v.bits != 0), nil
	case format.Float:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v.bits))), 'g', -1, 32), nil
	case format.Double:
		return strconv.FormatFloat(math.Float64frombits(v.bits), 'g', -1, 64), nil
	case format.Int96: // nanoseconds of the day and the Julian day, whose number at the start of 1970 was 2440588
		nanos, day := binary.LittleEndian.Uint64(v.bytes), binary.LittleEndian.Uint32(v.bytes[8:])
		return time.Unix((int64(day)-2440588)*86400, int64(nanos)).UTC().Format(time.RFC3339Nano), nil
	case format.Int32, format.Int64:
		n := int64(v.bits)
		if kind == format.Int32 {
			n = int64(int32(v.bits))
		}
		unsigned := logical.Integer != nil && !logical.Integer.IsSigned || is(deprecated.Uint8) || is(deprecated.Uint16) || is(deprecated.Uint32) || is(deprecated.Uint64)
		switch {
		case logical.Decimal != nil || is(deprecated.Decimal):
			return decimal(big.NewInt(n), l.scale()), nil
		case logical.Date != nil || is(deprecated.Date):
			return time.Unix(n*86400, 0).UTC().Format(time.DateOnly), nil
		case logical.Timestamp != nil || is(deprecated.TimestampMillis) || is(deprecated.TimestampMicros):
			layout := time.RFC3339Nano
			if logical.Timestamp != nil && !logical.Timestamp.IsAdjustedToUTC {
				layout = "2006-01-02T15:04:05.999999999" // of no zone
			}
			return moment(n, l.unit()).Format(layout), nil
		case logical.Time != nil || is(deprecated.TimeMillis) || is(deprecated.TimeMicros):
			return moment(n, l.unit()).Format("15:04:05.999999999"), nil
		case unsigned:
			return strconv.FormatUint(v.bits, 10), nil
		}
		return strconv.FormatInt(n, 10), nil
	}
	switch {
	case logical.Decimal != nil || is(deprecated.Decimal):
		return decimal(twosComplement(v.bytes), l.scale()), nil
	case logical.UUID != nil && len(v.bytes) == 16:
		return fmt.Sprintf("%x-%x-%x-%x-%x", v.bytes[:4], v.bytes[4:6], v.bytes[6:8], v.bytes[8:10], v.bytes[10:]), nil
	case logical.Float16 != nil && len(v.bytes) == 2:
		return strconv.FormatFloat(half(binary.LittleEndian.Uint16(v.bytes)), 'g', -1, 32), nil
	}
	text := string(v.bytes)
	if err := checkText(text); err != nil {
		return "", rowError(corpus.InvalidUTF8, "field %q %w", l.name, err)
	}
	return text, nil
}

func (l *leaf) scale() int {
	if d := l.element.LogicalType.V.Decimal; d != nil {
		return int(d.Scale)
	}
	return int(l.element.Scale.V)
}

// unit of a time, in nanoseconds.
func (l *leaf) unit() int64 {
	var u format.TimeUnit
	switch t := l.element.LogicalType.V; {
	case t.Timestamp != nil:
		u = t.Timestamp.Unit
	case t.Time != nil:
		u = t.Time.Unit
	case l.element.ConvertedType.V == deprecated.TimestampMicros || l.element.ConvertedType.V == deprecated.TimeMicros:
		return 1e3
	default:
		return 1e6
	}
	switch {
	case u.Nanos != nil:
		return 1
	case u.Micros != nil:
		return 1e3
	}
	return 1e6
}

func moment(n, unit int64) time.Time {
	perSecond := 1e9 / unit
	seconds, rest := n/perSecond, n%perSecond
	return time.Unix(seconds, rest*unit).UTC()
}

// decimal writes a number of which the last digits, scale of them, are behind the point.
func decimal(n *big.Int, scale int) string {
	digits := new(big.Int).Abs(n).String()
	if scale > 0 {
		if short := scale + 1 - len(digits); short > 0 {
			digits = strings.Repeat("0", short) + digits
		}
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if n.Sign() < 0 {
		return "-" + digits
	}
	return digits
}

// twosComplement reads a big-endian number.
func twosComplement(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// half widens a 16-bit float of IEEE 754.
func half(bits uint16) float64 {
	sign, exponent, fraction := 1.0, int(bits>>10&0x1f), float64(bits&0x3ff)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1f:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// leavesOf lists the columns of a schema, which is a tree written depth first. checkParquet has bounded it.
func leavesOf(schema []format.SchemaElement) ([]leaf, error) {
	var leaves []leaf
	next := 0
	take := func() *format.SchemaElement { next++; return &schema[next-1] }
	// visit reads an element and what is below it. inner is the element's place: name "" takes the element's own.
	var visit func(in leaf, hidden bool, depth int) error
	visit = func(in leaf, hidden bool, depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("its schema is more than %d groups deep", maxDepth)
		}
		e := take()
		if !hidden {
			if err := checkText(e.Name); err != nil {
				return fmt.Errorf("the name %s of a column %w", excerpt(e.Name), err)
			}
			in.name = strings.TrimPrefix(in.name+"_"+e.Name, "_")
		}
		switch e.RepetitionType.V {
		case format.Optional:
			in.maxLevel++
		case format.Repeated:
			in.maxLevel++
			in.repeated++
			in.entryLevel = in.maxLevel
		}
		children := int(e.NumChildren.V)
		if e.Type.Valid || children == 0 {
			in.element = e
			leaves = append(leaves, in)
			return nil
		}
		wrapsList := children == 1 && isListWrapper(e, &schema[next])
		for range children {
			if err := visit(in, wrapsList || hidden && isListEntry(e), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	root := take()
	for range int(root.NumChildren.V) {
		if err := visit(leaf{}, false, 1); err != nil {
			return nil, err
		}
	}
	return leaves, nil
}

// isListWrapper says whether a group is a list as parquet writes it: group (LIST) { repeated group list { element } }, or one of the spellings of
// older writers. The names below it are then no part of a field's name.
func isListWrapper(group, child *format.SchemaElement) bool {
	annotated := group.LogicalType.Valid && group.LogicalType.V.List != nil || group.ConvertedType.Valid && group.ConvertedType.V == deprecated.List
	return child.RepetitionType.V == format.Repeated && (annotated || slices.Contains([]string{"list", "bag", "array"}, child.Name))
}

// isListEntry says whether the repeated group of a list holds the entry, and is not the entry itself.
func isListEntry(e *format.SchemaElement) bool {
	return e.RepetitionType.V == format.Repeated && e.NumChildren.V == 1 && e.Name != "array" && !strings.HasSuffix(e.Name, "_tuple")
}
