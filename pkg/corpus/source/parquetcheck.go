package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// maxParquetColumns of a file.
const maxParquetColumns = 10_000

var errDamaged = errors.New("it is cut off or damaged")

// checkParquet reads the footer and compares every size that it announces with the size of the file.
func checkParquet(r io.ReaderAt, size int64) (*format.FileMetaData, error) {
	const magic, tail = "PAR1", 8
	var start, end [tail]byte
	if size < 2*tail-4 {
		return nil, fmt.Errorf("it has %d bytes, a parquet file has 12 or more: %w", size, errDamaged)
	}
	if _, err := r.ReadAt(start[:4], 0); err != nil {
		return nil, err
	}
	if _, err := r.ReadAt(end[:], size-tail); err != nil {
		return nil, err
	}
	if string(end[4:]) == "PARE" {
		return nil, errors.New("it is encrypted, which is not supported")
	}
	if string(start[:4]) != magic || string(end[4:]) != magic {
		return nil, fmt.Errorf("it begins with %q and ends with %q, expected %q at both ends: %w", start[:4], end[4:], magic, errDamaged)
	}
	footer := int64(binary.LittleEndian.Uint32(end[:4]))
	if footer > size-tail-4 {
		return nil, fmt.Errorf("its footer is said to have %d bytes, the file has %d: %w", footer, size, errDamaged)
	}
	text := make([]byte, footer)
	if _, err := r.ReadAt(text, size-tail-footer); err != nil {
		return nil, err
	}
	check := thriftChecker{rest: text}
	if err := check.structure(0, nil); err != nil {
		return nil, fmt.Errorf("its footer: %w", err)
	}
	// A list entry is decoded into some hundred bytes, and takes more than a few in any real footer.
	const entryBytes, free = 6, 1000
	if check.entries > free+footer/entryBytes {
		return nil, fmt.Errorf("its footer of %d bytes holds %d entries: %w", footer, check.entries, errDamaged)
	}
	meta := new(format.FileMetaData)
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), text, meta); err != nil {
		return nil, fmt.Errorf("its footer: %w", err)
	}
	columns, err := checkSchema(meta.Schema)
	if err != nil {
		return nil, err
	}
	var rows int64
	for i := range meta.RowGroups {
		group := &meta.RowGroups[i]
		if len(group.Columns) != columns {
			return nil, fmt.Errorf("its row group %d has %d columns, the schema %d: %w", i, len(group.Columns), columns, errDamaged)
		}
		if group.NumRows < 0 || group.NumRows > size-rows {
			return nil, fmt.Errorf("it announces more rows than it has bytes (%d): %w", size, errDamaged)
		}
		rows += group.NumRows
	}
	return meta, nil
}

// checkSchema counts the columns of a schema: that its groups have as many elements as they say.
func checkSchema(schema []format.SchemaElement) (columns int, err error) {
	open := []int32{1} // elements that are still missing, of each open group
	for i := range schema {
		if len(open) == 0 {
			return 0, fmt.Errorf("its schema has elements that belong to no group: %w", errDamaged)
		}
		e := &schema[i]
		open[len(open)-1]--
		switch n := e.NumChildren.V; {
		case n < 0 || int(n) > len(schema):
			return 0, fmt.Errorf("its schema has a group of %d elements: %w", n, errDamaged)
		case i == 0 && (e.Type.Valid || n == 0):
			return 0, fmt.Errorf("its schema has no columns")
		case e.Type.Valid:
			columns++
		case n == 0:
			return 0, fmt.Errorf("its schema has an empty group %s", excerpt(e.Name))
		default:
			open = append(open, n)
		}
		for len(open) > 0 && open[len(open)-1] == 0 {
			open = open[:len(open)-1]
		}
	}
	switch {
	case len(open) > 0:
		return 0, fmt.Errorf("its schema ends within a group: %w", errDamaged)
	case columns > maxParquetColumns:
		return 0, fmt.Errorf("it has %d columns, more than %d: write the ones that are needed into a file of their own", columns, maxParquetColumns)
	}
	return columns, nil
}

// thriftChecker walks over a structure in Thrift's compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md) and finds what does not lie within its bytes.
type thriftChecker struct {
	rest    []byte
	entries int64 // of lists of structures
	path    [2]int
}

// Types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

func (c *thriftChecker) byte() (byte, error) {
	if len(c.rest) == 0 {
		return 0, errDamaged
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b, nil
}

func (c *thriftChecker) varint() (uint64, error) {
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		return 0, errDamaged
	}
	c.rest = c.rest[n:]
	return v, nil
}

func (c *thriftChecker) skip(n uint64) error {
	if n > uint64(len(c.rest)) {
		return errDamaged
	}
	c.rest = c.rest[n:]
	return nil
}

// structure reads fields up to the stop. note is called with the numbers of the outermost structure and of those in it; it may be nil.
func (c *thriftChecker) structure(depth int, note func(path [2]int, value int64)) error {
	if depth > maxDepth {
		return fmt.Errorf("structures more than %d deep: %w", maxDepth, errDamaged)
	}
	id := 0
	for {
		b, err := c.byte()
		if err != nil || b == 0 {
			return err
		}
		if delta := int(b >> 4); delta > 0 {
			id += delta
		} else {
			v, err := c.varint()
			if err != nil {
				return err
			}
			id = int(int16(v>>1) ^ -int16(v&1))
		}
		if depth < len(c.path) {
			c.path[depth] = id
			clear(c.path[depth+1:])
		}
		if err := c.value(b&0xf, depth, note); err != nil {
			return err
		}
	}
}

func (c *thriftChecker) value(kind byte, depth int, note func(path [2]int, value int64)) error {
	switch kind {
	case thriftTrue, thriftFalse:
		if note != nil && depth < len(c.path) {
			note(c.path, int64(thriftFalse-kind))
		}
		return nil
	case thriftByte:
		return c.skip(1)
	case thriftI16, thriftI16 + 1, thriftI64:
		v, err := c.varint()
		if err == nil && note != nil && depth < len(c.path) {
			note(c.path, int64(v>>1)^-int64(v&1))
		}
		return err
	case thriftDouble:
		return c.skip(8)
	case thriftBinary:
		n, err := c.varint()
		if err != nil {
			return err
		}
		return c.skip(n)
	case thriftList, thriftSet:
		return c.list(depth)
	case thriftMap:
		n, err := c.varint()
		if err != nil || n == 0 {
			return err
		}
		kinds, err := c.byte()
		if err != nil {
			return err
		}
		return c.elements(n, []byte{kinds >> 4, kinds & 0xf}, depth)
	case thriftStruct:
		return c.structure(depth+1, note)
	}
	return fmt.Errorf("a value of unknown type %d: %w", kind, errDamaged)
}

func (c *thriftChecker) list(depth int) error {
	b, err := c.byte()
	if err != nil {
		return err
	}
	n, kind := uint64(b>>4), b&0xf
	if n == 0xf {
		if n, err = c.varint(); err != nil {
			return err
		}
	}
	return c.elements(n, []byte{kind}, depth)
}

// elements reads n elements of a list, or pairs of a map. Each takes a byte or more.
func (c *thriftChecker) elements(n uint64, kinds []byte, depth int) error {
	if n > uint64(len(c.rest)) {
		return fmt.Errorf("a list of %d entries in %d bytes: %w", n, len(c.rest), errDamaged)
	}
	if kinds[0] >= thriftList {
		c.entries += int64(n)
	}
	for range n {
		for _, kind := range kinds {
			var err error
			if kind == thriftTrue || kind == thriftFalse { // a byte of its own in a list
				err = c.skip(1)
			} else {
				err = c.value(kind, depth+1, nil)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
