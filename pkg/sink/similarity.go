package sink

import (
	"fmt"
	"math"
	"sync"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

const (
	nameCells      = "cells"
	nameSimilarity = "similarity"
	defaultCells   = 64
)

// bin sums group sums, [batch, heads, groups, keys], over groups of keys and averages over heads: [batch, groups, cells].
func (c *collector) bin(partial *Node, tokens int) *Node {
	d := partial.Shape().Dimensions
	heads := MulScalar(Ones(partial.Graph(), shapes.Make(partial.DType(), d[0], d[1])), 1/float64(d[1]))
	p := Reshape(rowTimes(heads, Reshape(partial, d[0], d[1], d[2]*d[3])), d[0], d[2], d[3])
	cells := (tokens + c.group - 1) / c.group
	return ReduceSum(Reshape(padLast(p, cells*c.group), d[0], d[2], cells, c.group), -1)
}

// addShapes turns a prompt's cells, [layers][groups*groups] sums of attention, into the similarity of every two layers, and adds them to the
// survey's mean map.
func (s *Survey) addShapes(cells []float32, width, tokens int) (similarity []float32) {
	n := (tokens + s.Group - 1) / s.Group
	maps, squares := make([][]float64, s.Layers), make([]float64, s.Layers)
	each(s.Layers, func(l int) {
		maps[l] = make([]float64, n*n)
		for i := range n {
			rows := min(s.Group, tokens-i*s.Group)
			for j := range n {
				maps[l][i*n+j] = float64(cells[(l*width+i)*width+j]) / float64(rows)
			}
		}
		squares[l] = dot(maps[l], maps[l])
	})
	similarity = make([]float32, s.Layers*s.Layers)
	each(s.Layers, func(a int) {
		for b := range a + 1 {
			cosine := float32(dot(maps[a], maps[b]) / math.Sqrt(squares[a]*squares[b]))
			similarity[a*s.Layers+b], similarity[b*s.Layers+a] = cosine, cosine
		}
	})
	for i := range n {
		for len(s.seen) <= i {
			s.seen = append(s.seen, 0)
			for l := range s.Layers {
				s.cells[l] = append(s.cells[l], nil)
			}
		}
		s.seen[i]++
		for l := range maps {
			row := s.cells[l][i]
			for len(row) < i+1 {
				row = append(row, 0)
			}
			for j := range i + 1 {
				row[j] += maps[l][i*n+j]
			}
			s.cells[l][i] = row
		}
	}
	return similarity
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// each calls f for 0 to n-1 side by side.
func each(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// Map is a layer's attention averaged over heads and prompts, and binned to at most 64 x 64 cells of Group x Group tokens (Options.Cells): what
// share of its attention a query of row i's group gives to the keys of group j. Cells ahead of the query are NaN.
func (s *Survey) Map(layer int) ([][]float64, error) {
	if err := s.need(Shapes, "attention maps"); err != nil {
		return nil, err
	}
	if layer < 0 || layer >= s.Layers {
		return nil, fmt.Errorf("attention map of layer %d: the model has %d", layer, s.Layers)
	}
	n := len(s.seen)
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, n)
		for j := range out[i] {
			out[i][j] = math.NaN()
			if j <= i {
				out[i][j] = s.cells[layer][i][j] / float64(s.seen[i])
			}
		}
	}
	return out, nil
}

// Similarity of two layers is the cosine of their head-averaged maps, each taken as one vector, at the resolution of Map (exact for prompts
// of up to Options.Cells tokens): each prompt's value, to resample from.
func (s *Survey) Similarity(a, b int) ([]float64, error) {
	if err := s.need(Shapes, "similarity of layers"); err != nil {
		return nil, err
	}
	if a < 0 || a >= s.Layers || b < 0 || b >= s.Layers {
		return nil, fmt.Errorf("similarity of layers %d and %d: the model has %d", a, b, s.Layers)
	}
	var out []float64
	for _, m := range s.data[nameSimilarity] {
		out = append(out, float64(m[a*s.Layers+b]))
	}
	return out, nil
}

// Similarities are the means over prompts: [layers][layers].
func (s *Survey) Similarities() ([][]float64, error) {
	out := make([][]float64, s.Layers)
	for a := range out {
		for b := range s.Layers {
			values, err := s.Similarity(a, b)
			if err != nil {
				return nil, err
			}
			out[a] = append(out[a], mean(values))
		}
	}
	return out, nil
}
