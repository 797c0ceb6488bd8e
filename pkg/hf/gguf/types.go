package gguf

import (
	"fmt"
	"maps"
	"slices"
)

// Type is the type of a tensor's elements, by its number in the format.
type Type uint32

// The types that are read.
const (
	F32   Type = 0
	F16   Type = 1
	Q4_0  Type = 2
	Q4_1  Type = 3
	Q5_0  Type = 6
	Q5_1  Type = 7
	Q8_0  Type = 8
	Q2_K  Type = 10
	Q3_K  Type = 11
	Q4_K  Type = 12
	Q5_K  Type = 13
	Q6_K  Type = 14
	BF16  Type = 30
	MXFP4 Type = 39
)

// typeInfo describes a type: elements and bytes of a block, and how blocks become float32, len(dst) a multiple of block.
type typeInfo struct {
	name         string
	block, bytes int
	decode       func(dst []float32, src []byte)
}

// superBlock is the number of elements of a block of the K types.
const superBlock = 256

var types = map[Type]typeInfo{
	F32:   {"F32", 1, 4, decodeF32},
	F16:   {"F16", 1, 2, decodeF16},
	BF16:  {"BF16", 1, 2, decodeBF16},
	Q4_0:  {"Q4_0", 32, 18, decodeQ4_0},
	Q4_1:  {"Q4_1", 32, 20, decodeQ4_1},
	Q5_0:  {"Q5_0", 32, 22, decodeQ5_0},
	Q5_1:  {"Q5_1", 32, 24, decodeQ5_1},
	Q8_0:  {"Q8_0", 32, 34, decodeQ8_0},
	Q2_K:  {"Q2_K", superBlock, 84, decodeQ2_K},
	Q3_K:  {"Q3_K", superBlock, 110, decodeQ3_K},
	Q4_K:  {"Q4_K", superBlock, 144, decodeQ4_K},
	Q5_K:  {"Q5_K", superBlock, 176, decodeQ5_K},
	Q6_K:  {"Q6_K", superBlock, 210, decodeQ6_K},
	MXFP4: {"MXFP4", 32, 17, decodeMXFP4},
}

// otherTypes names the types that are not read, for errors.
var otherTypes = map[Type]string{9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S",
	23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4"}

func (t Type) info() typeInfo { return types[t] }

// String is the name that llama.cpp gives the type.
func (t Type) String() string {
	if info, ok := types[t]; ok {
		return info.name
	}
	if name, ok := otherTypes[t]; ok {
		return name
	}
	return fmt.Sprintf("number %d", uint32(t))
}

func typeNames() []string {
	var names []string
	for _, t := range slices.Sorted(maps.Keys(types)) {
		names = append(names, types[t].name)
	}
	return names
}
