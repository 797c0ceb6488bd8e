package safetensors

import (
	"slices"
	"strings"
)

// dtypeSizes holds the bytes per element of each dtype that is read. The format's dtypes of less than a byte
// (F4, F6_E2M3, F6_E3M2) are left out: nothing here could use them.
var dtypeSizes = map[string]int{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1,
	"I16": 2, "U16": 2, "F16": 2, "BF16": 2,
	"I32": 4, "U32": 4, "F32": 4,
	"I64": 8, "U64": 8, "F64": 8, "C64": 8,
}

// knownDTypes lists the dtypes for an error message.
func knownDTypes() string {
	names := make([]string, 0, len(dtypeSizes))
	for name := range dtypeSizes {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// byteSize returns the bytes of a tensor of this shape; ok is false if a dimension is negative or the
// product does not fit an int64.
func byteSize(shape []int64, elementSize int) (size int64, ok bool) {
	const maxInt64 = 1<<63 - 1
	for _, dim := range shape {
		if dim < 0 {
			return 0, false
		}
	}
	// A zero dimension makes the tensor empty whatever the others are, also where their product overflows.
	if slices.Contains(shape, 0) {
		return 0, true
	}
	size = int64(elementSize)
	for _, dim := range shape {
		if size > maxInt64/dim {
			return 0, false
		}
		size *= dim
	}
	return size, true
}
