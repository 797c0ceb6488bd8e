package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// valueType is the type of a metadata value.
type valueType uint32

const (
	typeUint8 valueType = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

// valueTypes names the types and gives their sizes in bytes; 0 = of variable size.
var valueTypes = map[valueType]struct {
	name string
	size int
}{
	typeUint8: {"uint8", 1}, typeInt8: {"int8", 1}, typeUint16: {"uint16", 2}, typeInt16: {"int16", 2}, typeUint32: {"uint32", 4},
	typeInt32: {"int32", 4}, typeFloat32: {"float32", 4}, typeBool: {"bool", 1}, typeString: {"string", 0}, typeArray: {"array", 0},
	typeUint64: {"uint64", 8}, typeInt64: {"int64", 8}, typeFloat64: {"float64", 8},
}

func (t valueType) String() string {
	if v, ok := valueTypes[t]; ok {
		return v.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Value is one value of the metadata. The zero Value is that of a key that is not there: its accessors return false.
type Value struct {
	kind    valueType
	element valueType // of an array
	n       int       // elements of an array
	data    []byte    // the value's bytes; of an array all its elements'
	found   bool
}

// Found reports whether the key is there.
func (v Value) Found() bool { return v.found }

// Text returns a string.
func (v Value) Text() (string, bool) { return string(v.data), v.found && v.kind == typeString }

// Bool returns a truth value.
func (v Value) Bool() (value, ok bool) {
	return v.found && v.kind == typeBool && v.data[0] != 0, v.found && v.kind == typeBool
}

// Int returns a whole number of any of the integer types; false for one that an int64 cannot hold.
func (v Value) Int() (int64, bool) { return integer(v.kind, v.data, v.found) }

// Float returns a number of any type.
func (v Value) Float() (float64, bool) { return number(v.kind, v.data, v.found) }

// Len is the number of elements of an array, 0 of anything else.
func (v Value) Len() int { return v.n }

// Texts returns an array of strings.
func (v Value) Texts() ([]string, bool) {
	if !v.found || v.kind != typeArray || v.element != typeString {
		return nil, false
	}
	out := make([]string, v.n)
	rest := v.data // its lengths were checked when the file was opened
	for i := range out {
		n := binary.LittleEndian.Uint64(rest)
		out[i], rest = string(rest[8:8+n]), rest[8+n:]
	}
	return out, true
}

// Ints returns an array of whole numbers.
func (v Value) Ints() ([]int64, bool) { return elements(v, integer) }

// Floats returns an array of numbers.
func (v Value) Floats() ([]float64, bool) { return elements(v, number) }

func elements[T any](v Value, read func(valueType, []byte, bool) (T, bool)) ([]T, bool) {
	size := valueTypes[v.element].size
	if !v.found || v.kind != typeArray || size == 0 {
		return nil, false
	}
	out := make([]T, v.n)
	for i := range out {
		var ok bool
		if out[i], ok = read(v.element, v.data[i*size:], true); !ok {
			return nil, false
		}
	}
	return out, true
}

func integer(t valueType, data []byte, found bool) (int64, bool) {
	if !found {
		return 0, false
	}
	little := binary.LittleEndian
	switch t {
	case typeUint8:
		return int64(data[0]), true
	case typeInt8:
		return int64(int8(data[0])), true
	case typeUint16:
		return int64(little.Uint16(data)), true
	case typeInt16:
		return int64(int16(little.Uint16(data))), true
	case typeUint32:
		return int64(little.Uint32(data)), true
	case typeInt32:
		return int64(int32(little.Uint32(data))), true
	case typeInt64:
		return int64(little.Uint64(data)), true
	case typeUint64:
		n := little.Uint64(data)
		return int64(n), n <= math.MaxInt64
	}
	return 0, false
}

func number(t valueType, data []byte, found bool) (float64, bool) {
	switch {
	case !found:
		return 0, false
	case t == typeFloat32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(data))), true
	case t == typeFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(data)), true
	}
	n, ok := integer(t, data, found)
	return float64(n), ok
}
