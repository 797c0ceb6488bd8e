package source

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// Bounds on pages. Whatever a page announces is compared with them and with the size of the file.
const (
	maxPage          = 16 << 20 // bytes that a page, and all open pages together, may have besides some times the file's own
	maxPageHeader    = 1 << 20  // with the statistics in it
	maxDictionary    = 1 << 20  // values; writers end a dictionary at 1 MiB
	maxValuesPerByte = 16       // of the file, in one column: more are lists of next to nothing
	timesFile        = 2        // how often its own size the file's pages may take besides maxPage
	valueBytes       = 32       // of a parquetValue
)

// columnReader reads the values of a column of one row group, page after page.
type columnReader struct {
	leaf   *leaf
	file   *parquetFile
	codec  format.CompressionCodec
	at     int64 // of the next page
	end    int64
	left   int64 // values of the chunk that are still to come, null and empty lists included
	inPage int64 // of the page

	reps, defs                      hybrid // levels of the page
	values                          valueDecoder
	dictionary                      []parquetValue
	packed                          []byte // buffers that are used again
	page                            []byte
	header                          []byte
	inPacked, inPages, inDictionary int64 // bytes of them that count for the file

	ahead    entry // read already
	hasAhead bool
}

// hold counts the bytes of a buffer that is made again, and refuses a file whose buffers grow beyond what its size explains.
func (c *columnReader) hold(buffer *int64, bytes int64) error {
	c.file.held += bytes - *buffer
	*buffer = bytes
	if most := 3*maxPage + timesFile*c.file.size; c.file.held > most {
		return fmt.Errorf("its pages take more than %d bytes, in a file of %d: %w", most, c.file.size, errDamaged)
	}
	return nil
}

// entry is a value with its levels.
type entry struct {
	rep, def uint32
	value    parquetValue
}

func (c *columnReader) open(chunk *format.ColumnChunk) error {
	meta, size := &chunk.MetaData, c.file.size
	at, length := meta.DataPageOffset, meta.TotalCompressedSize
	if d := meta.DictionaryPageOffset; d > 0 && d < at {
		at = d
	}
	if meta.NumValues < 0 || meta.NumValues/maxValuesPerByte > size {
		return fmt.Errorf("it announces %d values in a file of %d bytes: %w", meta.NumValues, size, errDamaged)
	}
	if meta.NumValues > 0 && (at < 4 || at > size || length < 0 || length > size-at) { // pyarrow writes a chunk of no values without pages
		return fmt.Errorf("%d bytes from byte %d on are said to hold it, the file has %d: %w", length, at, size, errDamaged)
	}
	c.codec, c.at, c.end, c.left = meta.Codec, at, at+length, meta.NumValues
	c.inPage, c.dictionary, c.hasAhead = 0, nil, false
	return nil
}

// next is the next value with its levels, and io.EOF behind the last.
func (c *columnReader) next() (e entry, err error) {
	if c.hasAhead {
		c.hasAhead = false
		return c.ahead, nil
	}
	for c.inPage == 0 {
		if c.left == 0 {
			return e, io.EOF
		}
		if err := c.nextPage(); err != nil {
			return e, fmt.Errorf("column %q: the page that ends before byte %d: %w", c.leaf.name, c.at, err)
		}
	}
	c.inPage--
	c.left--
	if c.leaf.repeated > 0 {
		if e.rep, err = c.reps.next(); err != nil {
			return e, err
		}
	}
	if c.leaf.maxLevel > 0 {
		if e.def, err = c.defs.next(); err != nil {
			return e, err
		}
	}
	if e.def > uint32(c.leaf.maxLevel) || e.rep > uint32(c.leaf.repeated) {
		return e, fmt.Errorf("column %q: a value at level %d, %d: %w", c.leaf.name, e.rep, e.def, errDamaged)
	}
	if e.def == uint32(c.leaf.maxLevel) {
		if e.value, err = c.values.next(); err != nil {
			return e, fmt.Errorf("column %q: %w", c.leaf.name, err)
		}
	}
	return e, nil
}

// Types of pages.
const (
	dataPage       = 0
	dictionaryPage = 2
	dataPageV2     = 3
)

// pageHeader is what of a page's header is needed.
type pageHeader struct {
	kind                     int64
	compressed, uncompressed int64
	values                   int64
	encoding                 format.Encoding
	defsAs, repsAs           int64 // encodings of the levels of a page of the first version
	defs, reps               int64 // bytes of the levels of a page of the second
	plain                    bool  // the values of a page of the second version are not compressed
}

// note takes the numbers of a header, each with the place of its field.
func (h *pageHeader) note(path [2]int, value int64) {
	switch path {
	case [2]int{1, 0}:
		h.kind = value
	case [2]int{2, 0}:
		h.uncompressed = value
	case [2]int{3, 0}:
		h.compressed = value
	case [2]int{5, 1}, [2]int{7, 1}, [2]int{8, 1}:
		h.values = value
	case [2]int{5, 2}, [2]int{7, 2}, [2]int{8, 4}:
		h.encoding = format.Encoding(value)
	case [2]int{5, 3}:
		h.defsAs = value
	case [2]int{5, 4}:
		h.repsAs = value
	case [2]int{8, 5}:
		h.defs = value
	case [2]int{8, 6}:
		h.reps = value
	case [2]int{8, 7}:
		h.plain = value == 0
	}
}

// readHeader reads the header of the next page.
func (c *columnReader) readHeader() (h pageHeader, err error) {
	for n := min(c.end-c.at, 512); ; n = min(c.end-c.at, maxPageHeader) {
		c.header = slices.Grow(c.header[:0], int(n))[:n]
		if _, err := c.file.r.ReadAt(c.header, c.at); err != nil {
			return h, err
		}
		h = pageHeader{}
		check := thriftChecker{rest: c.header}
		if err = check.structure(0, h.note); err == nil {
			c.at += n - int64(len(check.rest))
			break
		}
		if n == min(c.end-c.at, maxPageHeader) {
			return h, err
		}
	}
	switch size := c.file.size; {
	case h.compressed < 0 || h.compressed > c.end-c.at:
		return h, fmt.Errorf("it is said to have %d bytes, %d are left: %w", h.compressed, c.end-c.at, errDamaged)
	case h.uncompressed < 0 || h.uncompressed > maxPage+timesFile*size:
		return h, fmt.Errorf("it is said to unpack to %d bytes, in a file of %d: %w", h.uncompressed, size, errDamaged)
	case h.values < 0:
		return h, fmt.Errorf("it is said to have %d values: %w", h.values, errDamaged)
	}
	return h, nil
}

// nextPage reads pages up to one of data.
func (c *columnReader) nextPage() error {
	for {
		if c.at >= c.end {
			return fmt.Errorf("%d values are missing: %w", c.left, errDamaged)
		}
		h, err := c.readHeader()
		if err != nil {
			return err
		}
		if int64(cap(c.packed)) < h.compressed {
			if err := c.hold(&c.inPacked, h.compressed); err != nil {
				return err
			}
			c.packed = make([]byte, h.compressed)
		}
		c.packed = c.packed[:h.compressed]
		if _, err := c.file.r.ReadAt(c.packed, c.at); err != nil {
			return err
		}
		c.at += h.compressed
		switch h.kind {
		case dataPage:
			return c.dataPage(h)
		case dataPageV2:
			return c.dataPageV2(h)
		case dictionaryPage:
			if err := c.readDictionary(h); err != nil {
				return err
			}
		}
		// Pages of other kinds are left out, as the format asks for.
	}
}

func (c *columnReader) dataPage(h pageHeader) error {
	b, err := c.unpack(c.packed, h.uncompressed)
	if err != nil {
		return err
	}
	level := func(most int, encoding int64) (hybrid, error) {
		if format.Encoding(encoding) != format.RLE {
			return hybrid{}, fmt.Errorf("its levels are written as %v, which is not supported", format.Encoding(encoding))
		}
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return hybrid{}, errDamaged
		}
		end := 4 + int(binary.LittleEndian.Uint32(b))
		levels := hybrid{rest: b[4:end], width: uint(bits.Len(uint(most)))}
		b = b[end:]
		return levels, nil
	}
	if c.leaf.repeated > 0 {
		if c.reps, err = level(c.leaf.repeated, h.repsAs); err != nil {
			return err
		}
	}
	if c.leaf.maxLevel > 0 {
		if c.defs, err = level(c.leaf.maxLevel, h.defsAs); err != nil {
			return err
		}
	}
	return c.begin(h, b)
}

func (c *columnReader) dataPageV2(h pageHeader) error {
	b := c.packed
	if h.reps < 0 || h.defs < 0 || h.reps > int64(len(b)) || h.defs > int64(len(b))-h.reps || h.uncompressed < h.reps+h.defs {
		return fmt.Errorf("its levels are said to have %d and %d bytes: %w", h.reps, h.defs, errDamaged)
	}
	c.reps = hybrid{rest: b[:h.reps], width: uint(bits.Len(uint(c.leaf.repeated)))}
	c.defs = hybrid{rest: b[h.reps : h.reps+h.defs], width: uint(bits.Len(uint(c.leaf.maxLevel)))}
	b = b[h.reps+h.defs:]
	if !h.plain && h.uncompressed > h.reps+h.defs {
		var err error
		if b, err = c.unpack(b, h.uncompressed-h.reps-h.defs); err != nil {
			return err
		}
	}
	return c.begin(h, b)
}

func (c *columnReader) begin(h pageHeader, b []byte) (err error) {
	c.inPage = min(h.values, c.left)
	c.values, err = newValues(h.encoding, c.leaf.element, b, c.dictionary, h.values, maxPage+timesFile*int(c.file.size))
	return err
}

// readDictionary keeps the values of a dictionary page.
func (c *columnReader) readDictionary(h pageHeader) error {
	if h.values > maxDictionary {
		return fmt.Errorf("a dictionary of %d values, more than %d: %w", h.values, maxDictionary, errDamaged)
	}
	if h.encoding != format.Plain && h.encoding != format.PlainDictionary {
		return fmt.Errorf("a dictionary written as %v, which is not supported", h.encoding)
	}
	b, err := c.unpack(c.packed, h.uncompressed)
	if err != nil {
		return err
	}
	values, err := newValues(format.Plain, c.leaf.element, b, nil, h.values, 0)
	if err != nil {
		return err
	}
	count := min(h.values, int64(len(b))*8)
	if err := c.hold(&c.inDictionary, int64(len(b))+count*valueBytes); err != nil {
		return err
	}
	c.packed, c.page = nil, nil // the dictionary keeps the one that it lies in
	c.inPacked, c.inPages = 0, 0
	c.dictionary = make([]parquetValue, 0, count)
	for range h.values {
		v, err := values.next()
		if err != nil {
			return err
		}
		c.dictionary = append(c.dictionary, v)
	}
	return nil
}

// zstdDecoder is safe for several goroutines. It writes no more than it is given room for.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
})

// unpack decompresses bytes, and refuses those that are not as long as announced.
func (c *columnReader) unpack(b []byte, size int64) ([]byte, error) {
	if c.codec == format.Uncompressed {
		if int64(len(b)) != size {
			return nil, fmt.Errorf("it has %d bytes, %d were announced: %w", len(b), size, errDamaged)
		}
		return b, nil
	}
	if int64(cap(c.page)) < size {
		if err := c.hold(&c.inPages, size); err != nil {
			return nil, err
		}
		c.page = make([]byte, size)
	}
	out := c.page[:size]
	var n int
	var err error
	switch c.codec {
	case format.Snappy:
		if n, err = snappy.DecodedLen(b); err == nil && n == len(out) {
			_, err = snappy.Decode(out, b)
		}
	case format.Gzip:
		n, err = unpackStream(func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }, b, out)
	case format.Brotli:
		n, err = unpackStream(func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil }, b, out)
	case format.Lz4Raw:
		n, err = lz4.UncompressBlock(b, out)
	case format.Zstd:
		var decoder *zstd.Decoder
		if decoder, err = zstdDecoder(); err == nil {
			var text []byte
			text, err = decoder.DecodeAll(b, out[:0])
			n = len(text)
		}
	default:
		return nil, fmt.Errorf("it is compressed as %v, which is not supported: write it with zstd or snappy", c.codec)
	}
	if err != nil {
		return nil, fmt.Errorf("unpacking it (%v): %w", c.codec, err)
	}
	if n != len(out) {
		return nil, fmt.Errorf("it unpacks to %d bytes, %d were announced: %w", n, len(out), errDamaged)
	}
	return out, nil
}

// unpackStream fills out from a stream, which must end where it is full.
func unpackStream(open func(io.Reader) (io.Reader, error), b, out []byte) (int, error) {
	r, err := open(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(r, out)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	var more [1]byte
	k, err := r.Read(more[:])
	if err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	return n + k, nil
}
