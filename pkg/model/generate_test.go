package model_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/model"
)

// recompute continues a prompt greedily by running the whole sequence again for every token.
func recompute(t *testing.T, m *model.Model, prompt []int, n int, exp model.Experiment) []int {
	t.Helper()
	seq := slices.Clone(prompt)
	for range n {
		l := logits(t, m, [][]int{seq}, exp)[0]
		seq = append(seq, argmax(l[len(l)-m.Config.VocabSize:]))
	}
	return seq[len(prompt):]
}

func TestDecodeEqualsRecomputation(t *testing.T) {
	m := tinyModel(t)
	prompts := [][]int{tokens(1, 4, 97), tokens(2, 17, 97), tokens(3, 9, 97)}
	for _, chunk := range []int{1, 5, 64} {
		g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 23, Chunk: chunk}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range prompts {
			if want := recompute(t, m, p, 23, nil); !slices.Equal(g.Tokens[i], want) {
				t.Errorf("chunk %d, prompt %d: decoding gives %v, recomputation %v", chunk, i, g.Tokens[i], want)
			}
		}
	}
}

func TestGenerateStopsAtEndOfSequence(t *testing.T) {
	m := tinyModel(t)
	p := tokens(2, 6, 97)
	free, err := m.Generate([][]int{p}, model.GenerateOptions{MaxTokens: 20}, nil)
	if err != nil {
		t.Fatal(err)
	}
	end := free.Tokens[0][7]
	m.Config.EOS = []int{end}
	fresh, err := model.New(m.Config, nil, 7, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := fresh.Generate([][]int{p}, model.GenerateOptions{MaxTokens: 20, Chunk: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := free.Tokens[0][:slices.Index(free.Tokens[0], end)]
	if !slices.Equal(g.Tokens[0], want) {
		t.Errorf("got %v, expected %v: the tokens before the first %d", g.Tokens[0], want, end)
	}
	g, err = fresh.Generate([][]int{p}, model.GenerateOptions{MaxTokens: 20, IgnoreEOS: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.Tokens[0], free.Tokens[0]) {
		t.Errorf("IgnoreEOS: got %v, expected %v", g.Tokens[0], free.Tokens[0])
	}
}

func TestSamplingIsSeededAndPerSequence(t *testing.T) {
	m := tinyModel(t)
	p := tokens(3, 8, 97)
	opts := model.GenerateOptions{MaxTokens: 24, Sampling: model.Sampling{Temperature: 1, Seed: 11}}
	gen := func(prompts [][]int, o model.GenerateOptions) [][]int {
		g, err := m.Generate(prompts, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		return g.Tokens
	}
	a, b := gen([][]int{p}, opts), gen([][]int{p}, opts)
	if !slices.Equal(a[0], b[0]) {
		t.Errorf("the same seed gives %v and %v", a[0], b[0])
	}
	opts.Sampling.Seed = 12
	if c := gen([][]int{p}, opts); slices.Equal(a[0], c[0]) {
		t.Errorf("seeds 11 and 12 give the same %v", c[0])
	}
	opts.Sampling.Seed = 11
	if two := gen([][]int{p, p}, opts); !slices.Equal(two[0], a[0]) || slices.Equal(two[0], two[1]) {
		t.Errorf("in a batch the first sequence gives %v and the second %v, alone the first gives %v", two[0], two[1], a[0])
	}
	opts.Sampling.TopK = 1
	greedy := gen([][]int{p}, model.GenerateOptions{MaxTokens: 24})
	if top1 := gen([][]int{p}, opts); !slices.Equal(top1[0], greedy[0]) {
		t.Errorf("top-1 sampling gives %v, greedy %v", top1[0], greedy[0])
	}
}

// TestSamplingFollowsTheDistribution draws the first token of many copies of a prompt and compares frequencies with the softmax, and
// checks that a nucleus is never left.
func TestSamplingFollowsTheDistribution(t *testing.T) {
	m := tinyModel(t)
	p := tokens(5, 6, 97)
	l := logits(t, m, [][]int{p}, nil)[0]
	l = l[len(l)-m.Config.VocabSize:]
	const temperature, topP, copies = 0.8, 0.6, 4000
	probs := make([]float64, len(l))
	sum := 0.0
	for i, x := range l {
		probs[i] = math.Exp(float64(x) / temperature)
		sum += probs[i]
	}
	order := make([]int, len(l))
	for i := range probs {
		probs[i] /= sum
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return -int(math.Copysign(1, probs[a]-probs[b])) })
	nucleus, mass := map[int]bool{}, 0.0
	for _, i := range order {
		if mass >= topP {
			break
		}
		nucleus[i], mass = true, mass+probs[i]
	}
	batch := make([][]int, copies)
	for i := range batch {
		batch[i] = p
	}
	for _, s := range []model.Sampling{{Temperature: temperature, Seed: 5}, {Temperature: temperature, TopP: topP, Seed: 6}} {
		g, err := m.Generate(batch, model.GenerateOptions{MaxTokens: 1, Sampling: s}, nil)
		if err != nil {
			t.Fatal(err)
		}
		count := map[int]int{}
		for _, out := range g.Tokens {
			count[out[0]]++
		}
		for i, want := range probs {
			if s.TopP > 0 {
				if !nucleus[i] && count[i] > 0 {
					t.Errorf("token %d is outside the nucleus and was drawn %d times", i, count[i])
				}
				want /= mass
				if !nucleus[i] {
					want = 0
				}
			}
			// Five standard deviations of a binomial share.
			if got := float64(count[i]) / copies; math.Abs(got-want) > 5*math.Sqrt(want*(1-want)/copies)+1e-9 {
				t.Errorf("%+v: token %d drawn with frequency %.4f, probability %.4f", s, i, got, want)
			}
		}
	}
}

// TestOneRoomOneGraph: numbers of tokens that ask for one room run through the same graphs, so that times of them differ by their tokens alone.
func TestOneRoomOneGraph(t *testing.T) {
	m := tinyModel(t)
	key := func(tokens, room int) string {
		return m.GenerateKey(model.GenerateOptions{MaxTokens: tokens, Room: room, Chunk: 128})
	}
	if long := key(384, 0); key(128, 384) != long || key(384, 384) != long || key(384, 100) != long {
		t.Errorf("128 tokens with room for 384 ask for %q, 384 tokens for %q", key(128, 384), long)
	}
	if key(128, 0) == key(384, 0) {
		t.Error("384 tokens find no more room than 128")
	}
}

func TestGenerateRefusesBadOptions(t *testing.T) {
	m := tinyModel(t)
	p := [][]int{tokens(1, 4, 97)}
	for _, o := range []model.GenerateOptions{
		{MaxTokens: -1}, {MaxTokens: 200}, {Room: -1},
		{SampleIDs: []uint64{1, 2}}, {Sampling: model.Sampling{Temperature: -1}}, {Sampling: model.Sampling{TopP: 2}}, {Sampling: model.Sampling{TopK: 98}},
	} {
		if _, err := m.Generate(p, o, nil); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestStoriesContinuesAsPublished(t *testing.T) {
	dir := shared(t, "data/models/stories260k")
	data, err := os.ReadFile(filepath.Join(dir, "greedy_ids.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		BOS  int    `json:"bos"`
		IDs  []int  `json:"greedy_ids"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(dir, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Generate([][]int{{want.BOS}}, model.GenerateOptions{MaxTokens: len(want.IDs)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.Tokens[0], want.IDs) {
		t.Errorf("greedy continuation is\n%v\nexpected\n%v", g.Tokens[0], want.IDs)
	}
	if text := m.Tokenizer.Decode(g.Tokens[0]); text != want.Text {
		t.Errorf("decoded\n%q\nexpected\n%q", text, want.Text)
	}
}
