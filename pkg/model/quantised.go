package model

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// Quantised checkpoints are read as what they stand for, as transformers reads them with dequantize=True. What is read and how the tensors lie:
//
//	mxfp4 (gpt_oss)  X_blocks U8 [experts, out, groups, 16], X_scales U8 [experts, out, groups] -> X BF16 [experts, in, out]:
//	                 two four-bit floats a byte, the low half first, times 2^(scale-127) for each group of 32
//	fp8              X F8_E4M3 [out, in], X_scale_inv [out blocks, in blocks], or one for all -> X F32 [out, in], each block times its scale;
//	                 scales of activations, which some have beside it, are left: activations are not rounded
const (
	methodMXFP4 = "mxfp4"
	methodFP8   = "fp8"
)

// quantisation is how a checkpoint is quantised.
type quantisation struct {
	method string // empty = it is not
	block  []int  // of fp8: the rows and columns that share a scale
}

// readQuantisation returns how a quantised checkpoint that is read is quantised, and refuses the others by name.
func readQuantisation(q *fields, modelType string) (c quantisation) {
	method := q.text("no quant_method", "quant_method")
	switch {
	case method == methodMXFP4 && modelType == "gpt_oss":
		c.method = method
		return c
	case method == methodFP8:
		c.block = read(q, "two numbers", []int{128, 128}, "weight_block_size")
		if len(c.block) != 2 || min(c.block[0], c.block[1]) < 1 {
			q.fail("%sweight_block_size is %v, expected two positive numbers", q.path, c.block)
		}
		c.method = method
		return c
	}
	if q.boolean(false, "load_in_4bit") || q.boolean(false, "load_in_8bit") { // before it wrote its name
		method = "bitsandbytes"
	}
	q.fail("%squant_method is %q: %s", q.path, method, unreadQuantisation)
	return c
}

const unreadQuantisation = "quantised weights are read as mxfp4 (gpt_oss) and fp8; take the original checkpoint, a GGUF file of it, or open this one " +
	"in transformers with dequantisation and save_pretrained it in bfloat16"

// quantiserOf names the quantiser that such a tensor is of; empty where it is of none. Files of GPTQ were published before config.json said so.
func quantiserOf(tensor string) string {
	for suffix, name := range map[string]string{
		".qweight": "GPTQ or AWQ", ".qzeros": "GPTQ or AWQ", ".g_idx": "GPTQ", ".absmax": "bitsandbytes", ".quant_map": "bitsandbytes", ".SCB": "bitsandbytes",
		".weight_packed": "compressed-tensors",
	} {
		if strings.HasSuffix(tensor, suffix) {
			return name
		}
	}
	return ""
}

// dequantised is a source whose quantised tensors are what they stand for.
type dequantised struct {
	source
	quantisation
	stored map[string]bool
}

const blocksSuffix, scalesSuffix, inverseSuffix, activationSuffix = "_blocks", "_scales", "_scale_inv", "activation_scale"

func dequantise(src source, how quantisation) dequantised {
	d := dequantised{source: src, quantisation: how, stored: map[string]bool{}}
	for _, name := range src.Names() {
		d.stored[name] = true
	}
	return d
}

// Identity tells the files and what is made of them.
func (d dequantised) Identity() string { return fmt.Sprintln(d.method, d.block) + identity(d.source) }

// ModTime is that of the files.
func (d dequantised) ModTime() time.Time { return modTime(d.source) }

// Names are those of the tensors that the quantised ones stand for.
func (d dequantised) Names() []string {
	var names []string
	for _, name := range d.source.Names() {
		whole, blocks := strings.CutSuffix(name, blocksSuffix)
		switch {
		case d.method == methodMXFP4 && blocks && d.stored[whole+scalesSuffix]:
			names = append(names, whole)
		case d.method == methodMXFP4 && strings.HasSuffix(name, scalesSuffix),
			d.method == methodFP8 && (strings.HasSuffix(name, inverseSuffix) || strings.HasSuffix(name, activationSuffix)):
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (d dequantised) packed(name string) bool {
	return d.method == methodMXFP4 && d.stored[name+blocksSuffix]
}

func (d dequantised) scaled(name string) bool {
	return d.method == methodFP8 && d.stored[name+inverseSuffix]
}

// Shape is that of the tensor that a quantised one stands for.
func (d dequantised) Shape(name string) ([]int, error) {
	if !d.packed(name) {
		return d.source.Shape(name)
	}
	shape, err := d.source.Shape(name + blocksSuffix)
	if err != nil {
		return nil, err
	}
	if len(shape) != 4 || shape[3] != 16 {
		return nil, fmt.Errorf("tensor %q has shape %v, expected [experts, rows, groups, 16]", name+blocksSuffix, shape)
	}
	return []int{shape[0], shape[2] * 32, shape[1]}, nil
}

// Forget lets the system take back the memory of a tensor's parts.
func (d dequantised) Forget(name string) {
	for _, suffix := range []string{"", blocksSuffix, scalesSuffix, inverseSuffix} {
		d.source.Forget(name + suffix)
	}
}

// Tensor dequantises.
func (d dequantised) Tensor(name string) (safetensors.Tensor, error) {
	switch {
	case d.packed(name):
		blocks, err := d.source.Tensor(name + blocksSuffix)
		if err != nil {
			return blocks, err
		}
		scales, err := d.source.Tensor(name + scalesSuffix)
		if err != nil {
			return scales, err
		}
		return unpackMXFP4(name, blocks, scales)
	case d.scaled(name):
		weight, err := d.source.Tensor(name)
		if err != nil {
			return weight, err
		}
		scales, err := d.source.Tensor(name + inverseSuffix)
		if err != nil {
			return scales, err
		}
		return scaleFP8(weight, scales, d.block)
	}
	return d.source.Tensor(name)
}

// fp4 are the values of the four-bit float e2m1 (OCP Microscaling Formats 1.0).
var fp4 = [16]float32{0, 0.5, 1, 1.5, 2, 3, 4, 6, float32(math.Copysign(0, -1)), -0.5, -1, -1.5, -2, -3, -4, -6}

func unpackMXFP4(name string, blocks, scales safetensors.Tensor) (safetensors.Tensor, error) {
	if blocks.DType != "U8" || scales.DType != "U8" || len(blocks.Shape) != 4 || blocks.Shape[3] != 16 || !slices.Equal(blocks.Shape[:3], scales.Shape) {
		return blocks, fmt.Errorf("tensor %q: found blocks %s %v and scales %s %v, expected U8 [experts, rows, groups, 16] and U8 [experts, rows, groups]",
			name, blocks.DType, blocks.Shape, scales.DType, scales.Shape)
	}
	experts, rows, columns := blocks.Shape[0], blocks.Shape[1], blocks.Shape[2]*32
	values := make([]float32, experts*rows*columns)
	for g, scale := range scales.Data {
		factor := float32(math.Ldexp(1, int(scale)-127))
		row, group := g/blocks.Shape[2], g%blocks.Shape[2]
		e, r := row/rows, row%rows
		for i, b := range blocks.Data[g*16 : g*16+16] {
			at := e*rows*columns + (group*32+2*i)*rows + r // transposed: [experts, columns, rows]
			values[at], values[at+rows] = fp4[b&15]*factor, fp4[b>>4]*factor
		}
	}
	return safetensors.FromBFloat16(name, []int{experts, columns, rows}, values), nil
}

// fp8 are the values of the eight-bit float e4m3 without infinities (Micikevicius et al. 2022, arXiv 2209.05433).
var fp8 = func() (values [256]float32) {
	for bits := range values {
		exponent, fraction := bits>>3&15, float64(bits&7)
		v := math.Ldexp(fraction/8, -6)
		if exponent > 0 {
			v = math.Ldexp(1+fraction/8, exponent-7)
		}
		if bits&127 == 127 {
			v = math.NaN()
		}
		values[bits] = float32(math.Copysign(v, 1-2*float64(bits>>7)))
	}
	return values
}()

func scaleFP8(weight, scales safetensors.Tensor, block []int) (safetensors.Tensor, error) {
	if len(weight.Shape) > 1 && scales.Len() == 1 { // one for all, as a number or a list of one
		scales.Shape = slices.Repeat([]int{1}, len(weight.Shape))
	}
	var factors []float32
	switch scales.DType {
	case "U8", "F8_E8M0": // powers of two
		for _, b := range scales.Data {
			factors = append(factors, float32(math.Ldexp(1, int(b)-127)))
		}
	default:
		var err error
		if factors, err = scales.Float32s(); err != nil {
			return scales, err
		}
	}
	n, m := len(weight.Shape), len(scales.Shape)
	if weight.DType != "F8_E4M3" || n < 2 || m < 2 || n != m || !slices.Equal(weight.Shape[:n-2], scales.Shape[:n-2]) || scales.Shape[n-2] < 1 || scales.Shape[n-1] < 1 {
		return weight, fmt.Errorf("tensor %q: found %s %v with scales %v, expected F8_E4M3 [..., rows, columns] with a scale for each block of them", weight.Name, weight.DType, weight.Shape, scales.Shape)
	}
	rows, columns, blockRows, blockColumns := weight.Shape[n-2], weight.Shape[n-1], scales.Shape[n-2], scales.Shape[n-1]
	high, wide := blockSize(rows, blockRows, block[0]), blockSize(columns, blockColumns, block[1])
	if high == 0 || wide == 0 {
		return weight, fmt.Errorf("tensor %q: %d x %d weights are not %d x %d blocks", weight.Name, rows, columns, blockRows, blockColumns)
	}
	values := make([]float32, len(weight.Data))
	for i, b := range weight.Data {
		part, r, c := i/(rows*columns), i/columns%rows, i%columns
		values[i] = fp8[b] * factors[(part*blockRows+r/high)*blockColumns+c/wide]
	}
	return safetensors.FromFloat32s(weight.Name, weight.Shape, values), nil
}

// blockSize is the length of a block where so many make n: the usual one, the last block perhaps being shorter, or else equal parts as transformers takes them; 0 where
// neither does.
func blockSize(n, blocks, usual int) int {
	switch {
	case (n+usual-1)/usual == blocks:
		return usual
	case n%blocks == 0:
		return n / blocks
	}
	return 0
}
