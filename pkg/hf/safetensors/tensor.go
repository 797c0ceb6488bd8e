package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Tensor is a named array: its bytes as they lie in the file, little endian and row major.
type Tensor struct {
	Name  string
	DType string // as in the format: F32 BF16 F16 F64 I32 I64 U8 BOOL ...
	Shape []int  // empty for a scalar
	Data  []byte // len = product of Shape times the bytes of DType
}

// Len returns the number of elements, the product of the shape; 1 for a scalar.
func (t Tensor) Len() int {
	n := 1
	for _, dim := range t.Shape {
		n *= dim
	}
	return n
}

// check verifies that the bytes fit dtype and shape: a Tensor is a plain struct and may be made by hand.
func (t Tensor) check() error {
	elementSize, ok := dtypeSizes[t.DType]
	if !ok {
		return fmt.Errorf("tensor %q: found dtype %q, expected one of %s", t.Name, t.DType, knownDTypes())
	}
	shape := make([]int64, len(t.Shape))
	for i, dim := range t.Shape {
		shape[i] = int64(dim)
	}
	size, ok := byteSize(shape, elementSize)
	if !ok {
		return fmt.Errorf("tensor %q: found shape %v, expected dimensions of at least 0 whose product fits 63 bits", t.Name, t.Shape)
	}
	if int64(len(t.Data)) != size {
		return fmt.Errorf("tensor %q: found %d bytes of data, expected %d for %s %v", t.Name, len(t.Data), size, t.DType, t.Shape)
	}
	return nil
}

// Float32s returns the elements as float32, from F32, BF16 and F16 exactly, and from F64 rounded to nearest;
// a finite F64 beyond float32's range is an error, as is any other dtype.
func (t Tensor) Float32s() ([]float32, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	values := make([]float32, t.Len())
	return values, t.decode(values, 0)
}

// DecodeFloat32s writes the elements from the given one on into dst, as [Tensor.Float32s] returns them, so that a large tensor can be read in pieces.
func (t Tensor) DecodeFloat32s(dst []float32, from int) error {
	if err := t.check(); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if from < 0 || len(dst) > t.Len()-from {
		return fmt.Errorf("safetensors: tensor %q: elements %d to %d asked for, expected up to %d", t.Name, from, from+len(dst), t.Len())
	}
	return t.decode(dst, from)
}

func (t Tensor) decode(dst []float32, from int) error {
	little, data := binary.LittleEndian, t.Data[from*dtypeSizes[t.DType]:]
	switch t.DType {
	case "F32":
		for i := range dst {
			dst[i] = math.Float32frombits(little.Uint32(data[4*i:]))
		}
	case "BF16":
		for ; len(dst) >= 4; dst, data = dst[4:], data[8:] {
			four := little.Uint64(data)
			dst[0], dst[1] = math.Float32frombits(uint32(four)<<16), math.Float32frombits(uint32(four)&0xffff0000)
			dst[2], dst[3] = math.Float32frombits(uint32(four>>32)<<16), math.Float32frombits(uint32(four>>32)&0xffff0000)
		}
		for i := range dst {
			dst[i] = fromBFloat16(little.Uint16(data[2*i:]))
		}
	case "F16":
		for i := range dst {
			dst[i] = fromFloat16(little.Uint16(data[2*i:]))
		}
	case "F64":
		for i := range dst {
			wide := math.Float64frombits(little.Uint64(data[8*i:]))
			dst[i] = float32(wide)
			if math.IsInf(float64(dst[i]), 0) && !math.IsInf(wide, 0) {
				return fmt.Errorf("safetensors: tensor %q: found %g at element %d, expected a value within float32's range", t.Name, wide, from+i)
			}
		}
	default:
		return fmt.Errorf("safetensors: tensor %q: found dtype %s, expected F32, BF16, F16 or F64 to read as float32; convert it before saving", t.Name, t.DType)
	}
	return nil
}

// Int32s returns the elements as int32, from I32 and I64; an I64 outside int32 is an error, as is any other dtype.
func (t Tensor) Int32s() ([]int32, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	values := make([]int32, t.Len())
	little := binary.LittleEndian
	switch t.DType {
	case "I32":
		for i := range values {
			values[i] = int32(little.Uint32(t.Data[4*i:]))
		}
	case "I64":
		for i := range values {
			wide := int64(little.Uint64(t.Data[8*i:]))
			values[i] = int32(wide)
			if int64(values[i]) != wide {
				return nil, fmt.Errorf("safetensors: tensor %q: found %d at element %d, expected a value within int32's range", t.Name, wide, i)
			}
		}
	default:
		return nil, fmt.Errorf("safetensors: tensor %q: found dtype %s, expected I32 or I64 to read as int32; convert it before saving", t.Name, t.DType)
	}
	return values, nil
}

// FromFloat32s makes an F32 tensor. That the shape fits the values is checked by [Write].
func FromFloat32s(name string, shape []int, values []float32) Tensor {
	data := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
	}
	return Tensor{Name: name, DType: "F32", Shape: shape, Data: data}
}

// FromBFloat16 makes a BF16 tensor of values rounded to the nearest bfloat16, ties to even; a NaN stays a NaN.
func FromBFloat16(name string, shape []int, values []float32) Tensor {
	data := make([]byte, 2*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint16(data[2*i:], toBFloat16(v))
	}
	return Tensor{Name: name, DType: "BF16", Shape: shape, Data: data}
}

// FromInt32s makes an I32 tensor.
func FromInt32s(name string, shape []int, values []int32) Tensor {
	data := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(data[4*i:], uint32(v))
	}
	return Tensor{Name: name, DType: "I32", Shape: shape, Data: data}
}
