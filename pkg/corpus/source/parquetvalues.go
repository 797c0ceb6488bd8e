package source

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

// parquetValue is a value as it is stored: numbers in bits, texts in bytes, which are valid until the next value is read.
type parquetValue struct {
	bits  uint64
	bytes []byte
}

// valueDecoder gives the values of a page one by one, so that no page takes more than its own bytes, whatever it announces.
// The encodings are those of https://parquet.apache.org/docs/file-format/data-pages/encodings.
type valueDecoder interface{ next() (parquetValue, error) }

// hybrid decodes runs of one number and bit-packed numbers: levels, places in a dictionary, truth values.
type hybrid struct {
	rest   []byte
	width  uint // bits of a number, at most 32
	run    uint64
	number uint32 // of the run
	packed []byte // of bit-packed numbers that are still to come
	bit    uint   // the next one's place in packed
}

func (h *hybrid) next() (uint32, error) {
	for h.run == 0 && h.bit+h.width > uint(len(h.packed))*8 || h.run == 0 && h.packed == nil {
		header, n := binary.Uvarint(h.rest)
		if n <= 0 {
			return 0, errDamaged
		}
		h.rest = h.rest[n:]
		if header&1 == 0 {
			bytes := int(h.width+7) / 8
			if len(h.rest) < bytes {
				return 0, errDamaged
			}
			h.run, h.number = header>>1, 0
			for i := range bytes {
				h.number |= uint32(h.rest[i]) << (8 * i)
			}
			h.rest, h.packed = h.rest[bytes:], nil
			continue
		}
		groups := header >> 1 // of eight numbers
		if h.width == 0 {
			h.run, h.number, h.packed = groups*8, 0, nil
			continue
		}
		// The last run of a page may be cut off behind its last number.
		n = len(h.rest)
		if groups < uint64(n) {
			n = min(n, int(groups)*int(h.width))
		}
		if n == 0 {
			return 0, errDamaged
		}
		h.packed, h.rest, h.bit = h.rest[:n], h.rest[n:], 0
	}
	if h.run > 0 {
		h.run--
		return h.number, nil
	}
	number := bitsAt(h.packed, h.bit, h.width)
	h.bit += h.width
	return uint32(number), nil
}

// bitsAt reads width bits, at most 64, from a place on, the lowest first.
func bitsAt(b []byte, bit, width uint) uint64 {
	var number uint64
	for done := uint(0); done < width; {
		at := bit + done
		offset := at % 8
		take := min(8-offset, width-done)
		number |= uint64(b[at/8]>>offset&(1<<take-1)) << done
		done += take
	}
	return number
}

// plain decodes values as they are.
type plain struct {
	rest []byte
	kind format.Type
	size int // of a value of fixed length, in bytes
	bit  uint
}

func (p *plain) next() (parquetValue, error) {
	switch p.kind {
	case format.Boolean:
		if p.bit >= uint(len(p.rest))*8 {
			return parquetValue{}, errDamaged
		}
		p.bit++
		return parquetValue{bits: bitsAt(p.rest, p.bit-1, 1)}, nil
	case format.ByteArray:
		if len(p.rest) < 4 {
			return parquetValue{}, errDamaged
		}
		n := binary.LittleEndian.Uint32(p.rest)
		p.rest = p.rest[4:]
		return p.take(uint64(n))
	}
	v, err := p.take(uint64(p.size))
	if err == nil {
		v = numberOf(p.kind, v.bytes)
	}
	return v, err
}

func (p *plain) take(n uint64) (parquetValue, error) {
	if n > uint64(len(p.rest)) {
		return parquetValue{}, errDamaged
	}
	v := parquetValue{bytes: p.rest[:n]}
	p.rest = p.rest[n:]
	return v, nil
}

// sizeOf a stored value, in bytes; 0 for texts and truth values.
func sizeOf(e *format.SchemaElement) (int, error) {
	switch e.Type.V {
	case format.Int32, format.Float:
		return 4, nil
	case format.Int64, format.Double:
		return 8, nil
	case format.Int96:
		return 12, nil
	case format.FixedLenByteArray:
		if n := int(e.TypeLength.V); n > 0 {
			return n, nil
		}
		return 0, fmt.Errorf("column %s has values of %d bytes: %w", excerpt(e.Name), e.TypeLength.V, errDamaged)
	case format.Boolean, format.ByteArray:
		return 0, nil
	}
	return 0, fmt.Errorf("column %s is of the unknown type %d", excerpt(e.Name), e.Type.V)
}

// numberOf reads the bits of a number; other values stay bytes.
func numberOf(kind format.Type, b []byte) parquetValue {
	switch kind {
	case format.Int32, format.Float:
		return parquetValue{bits: uint64(binary.LittleEndian.Uint32(b))}
	case format.Int64, format.Double:
		return parquetValue{bits: binary.LittleEndian.Uint64(b)}
	}
	return parquetValue{bytes: b}
}

// indexed decodes places in a dictionary.
type indexed struct {
	places     hybrid
	dictionary []parquetValue
}

func (d *indexed) next() (parquetValue, error) {
	i, err := d.places.next()
	if err != nil {
		return parquetValue{}, err
	}
	if uint64(i) >= uint64(len(d.dictionary)) {
		return parquetValue{}, fmt.Errorf("place %d in a dictionary of %d: %w", i, len(d.dictionary), errDamaged)
	}
	return d.dictionary[i], nil
}

// truths decodes truth values that are stored as runs.
type truths struct{ hybrid }

func (t *truths) next() (parquetValue, error) {
	n, err := t.hybrid.next()
	return parquetValue{bits: uint64(n)}, err
}

// delta decodes numbers as differences, in blocks of bit-packed small blocks.
type delta struct {
	rest    []byte
	wide    bool   // numbers of 64 bits
	left    uint64 // numbers that are still to come
	last    uint64
	first   bool
	block   uint64 // numbers in a block
	small   uint64 // small blocks in a block
	least   uint64 // smallest difference of the block
	widths  []byte // of the block's small blocks that are still to come
	bits    []byte // of the small block
	width   uint
	inSmall uint64 // numbers of the small block that are still to come
	place   uint   // bit of the next one
}

func newDelta(b []byte, wide bool) (*delta, error) {
	d := &delta{rest: b, wide: wide, first: true}
	for _, into := range []*uint64{&d.block, &d.small, &d.left} {
		v, err := d.uvarint()
		if err != nil {
			return nil, err
		}
		*into = v
	}
	first, err := d.varint()
	if err != nil {
		return nil, err
	}
	const most = 1 << 16 // numbers in a block, more than any writer uses
	if d.small == 0 || d.block == 0 || d.block > most || d.block%d.small != 0 || d.block/d.small%8 != 0 {
		return nil, fmt.Errorf("blocks of %d differences in %d parts: %w", d.block, d.small, errDamaged)
	}
	d.last = first
	return d, nil
}

func (d *delta) uvarint() (uint64, error) {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		return 0, errDamaged
	}
	d.rest = d.rest[n:]
	return v, nil
}

func (d *delta) varint() (uint64, error) {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		return 0, errDamaged
	}
	d.rest = d.rest[n:]
	return uint64(v), nil
}

func (d *delta) next() (parquetValue, error) {
	if d.left == 0 {
		return parquetValue{}, errDamaged
	}
	d.left--
	if d.first {
		d.first = false
		return d.value(), nil
	}
	if d.inSmall == 0 {
		if err := d.nextSmall(); err != nil {
			return parquetValue{}, err
		}
	}
	d.inSmall--
	d.last += d.least + bitsAt(d.bits, d.place, d.width)
	d.place += d.width
	return d.value(), nil
}

func (d *delta) value() parquetValue {
	if d.wide {
		return parquetValue{bits: d.last}
	}
	return parquetValue{bits: uint64(uint32(d.last))}
}

// nextSmall goes to the next small block.
func (d *delta) nextSmall() (err error) {
	if len(d.widths) == 0 {
		if d.least, err = d.varint(); err != nil {
			return err
		}
		if uint64(len(d.rest)) < d.small {
			return errDamaged
		}
		d.widths, d.rest = d.rest[:d.small], d.rest[d.small:]
	}
	d.width, d.widths = uint(d.widths[0]), d.widths[1:]
	d.inSmall, d.place = d.block/d.small, 0
	n := d.inSmall * uint64(d.width) / 8
	if d.width > 64 || n > uint64(len(d.rest)) {
		return errDamaged
	}
	d.bits, d.rest = d.rest[:n], d.rest[n:]
	return nil
}

// skip reads the numbers that are still to come, at most as many as the page has values, and gives what follows them.
func (d *delta) skip(values int64) ([]byte, error) {
	if d.left > uint64(values) {
		return nil, errDamaged
	}
	for d.left > 0 {
		if _, err := d.next(); err != nil {
			return nil, err
		}
	}
	return d.rest, nil
}

// lengths decodes texts whose lengths stand before all of them.
type lengths struct {
	sizes *delta
	texts plain
}

func newLengths(b []byte, values int64) (*lengths, error) {
	sizes, err := newDelta(b, false)
	if err != nil {
		return nil, err
	}
	scan := *sizes
	texts, err := scan.skip(values)
	if err != nil {
		return nil, err
	}
	return &lengths{sizes, plain{rest: texts}}, nil
}

func (l *lengths) next() (parquetValue, error) {
	n, err := l.sizes.next()
	if err != nil {
		return parquetValue{}, err
	}
	return l.texts.take(n.bits)
}

// fronts decodes texts of which each says how much of the one before it it begins with.
type fronts struct {
	prefixes *delta
	suffixes *lengths
	last     []byte
	left     int // bytes that may still be made
}

func newFronts(b []byte, values int64, limit int) (*fronts, error) {
	prefixes, err := newDelta(b, false)
	if err != nil {
		return nil, err
	}
	scan := *prefixes
	rest, err := scan.skip(values)
	if err != nil {
		return nil, err
	}
	suffixes, err := newLengths(rest, values)
	if err != nil {
		return nil, err
	}
	return &fronts{prefixes: prefixes, suffixes: suffixes, left: limit}, nil
}

func (f *fronts) next() (parquetValue, error) {
	n, err := f.prefixes.next()
	if err != nil {
		return parquetValue{}, err
	}
	suffix, err := f.suffixes.next()
	if err != nil {
		return parquetValue{}, err
	}
	if n.bits > uint64(len(f.last)) {
		return parquetValue{}, errDamaged
	}
	if f.left -= int(n.bits) + len(suffix.bytes); f.left < 0 {
		return parquetValue{}, fmt.Errorf("a page of texts with common beginnings unpacks to too much: %w", errDamaged)
	}
	f.last = append(f.last[:n.bits], suffix.bytes...)
	return parquetValue{bytes: f.last}, nil
}

// streams decodes numbers whose bytes are stored apart: all first bytes, then all second ones.
type streams struct {
	b       []byte
	kind    format.Type
	size, i int
	value   []byte
}

func (s *streams) next() (parquetValue, error) {
	n := len(s.b) / s.size
	if s.i >= n {
		return parquetValue{}, errDamaged
	}
	for k := range s.size {
		s.value[k] = s.b[k*n+s.i]
	}
	s.i++
	return numberOf(s.kind, s.value), nil
}

var errNoDictionary = errors.New("values of a dictionary that is not there")

// newValues makes the decoder of the values of a page, which has so many, null ones included. limit bounds what texts with common beginnings may unpack to, in bytes.
func newValues(encoding format.Encoding, e *format.SchemaElement, b []byte, dictionary []parquetValue, values int64, limit int) (valueDecoder, error) {
	size, err := sizeOf(e)
	if err != nil {
		return nil, err
	}
	kind := e.Type.V
	text := kind == format.ByteArray || kind == format.FixedLenByteArray
	switch {
	case encoding == format.Plain:
		return &plain{rest: b, kind: kind, size: size}, nil
	case encoding == format.PlainDictionary || encoding == format.RLEDictionary:
		if dictionary == nil {
			return nil, errNoDictionary
		}
		if len(b) == 0 { // all values are null
			return &indexed{dictionary: dictionary}, nil
		}
		if b[0] > 32 {
			return nil, errDamaged
		}
		return &indexed{hybrid{rest: b[1:], width: uint(b[0])}, dictionary}, nil
	case encoding == format.RLE && kind == format.Boolean:
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, errDamaged
		}
		return &truths{hybrid{rest: b[4:], width: 1}}, nil
	case encoding == format.DeltaBinaryPacked && (kind == format.Int32 || kind == format.Int64):
		return newDelta(b, kind == format.Int64)
	case encoding == format.DeltaLengthByteArray && kind == format.ByteArray:
		return newLengths(b, values)
	case encoding == format.DeltaByteArray && text:
		return newFronts(b, values, limit)
	case encoding == format.ByteStreamSplit && size > 0:
		return &streams{b: b, kind: kind, size: size, value: make([]byte, size)}, nil
	}
	return nil, fmt.Errorf("column %s is written as %v, which is not supported for its type", excerpt(e.Name), encoding)
}
