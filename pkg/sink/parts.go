package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/store"
)

// partial is what was observed of some of a survey's prompts, by their index in the list that was surveyed.
type partial struct {
	observed map[int]*observed
	plan     []string
}

// partialHeader is the metadata of a partial's file.
type partialHeader struct {
	Format  int         `json:"format"`
	Prompts []int       `json:"prompts"`
	Widths  map[int]int `json:"widths,omitempty"` // of cells, by prompt
	Plan    []string    `json:"plan"`
}

const partialMetadata = "survey-part"

// keptPart observes the prompts of a part, stores what was observed, and gives the survey of these prompts alone. A part without a prompt surveys the first one, which
// is not stored, so that whoever draws from the survey has something.
func keptPart(ctx context.Context, s *store.Store, job store.Job, open func() (*engine.Runner, error), plan emulate.Plan, prompts [][]int, opts Options) (*Survey, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	if opts.Experiment, err = apply.Plan(plan); err != nil {
		return nil, err
	}
	v, err := start(r.Model(), prompts, &opts)
	if err != nil {
		return nil, err
	}
	var own []int // in the order of passes
	for _, i := range v.order() {
		if opts.Part.HasPlace(v.Prompts[i]) {
			own = append(own, i)
		}
	}
	stored := len(own) > 0
	if !stored {
		own = []int{0}
	}
	p := &partial{observed: map[int]*observed{}}
	observe := func() (err error) {
		p.plan, err = v.observe(ctx, r, own, opts, func(i int, o *observed) { p.observed[v.Prompts[i]] = o })
		return err
	}
	if stored {
		path, err := s.PartBlob(job, opts.Part, func(path string) error {
			if err := observe(); err != nil {
				return err
			}
			return p.write(path)
		})
		if err == nil && len(p.observed) == 0 {
			err = p.read(path)
		}
		if err != nil {
			return nil, err
		}
	} else if err := observe(); err != nil {
		return nil, err
	}
	return v.of(p, own, r.Model().Config.HiddenSize)
}

// united is the survey that the partials in the store make; it is stored, and the partials are removed.
func united(s *store.Store, job store.Job, open func() (*engine.Runner, error), prompts [][]int, opts Options) (*Survey, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	v, err := start(r.Model(), prompts, &opts)
	if err != nil {
		return nil, err
	}
	p := &partial{observed: map[int]*observed{}}
	paths := s.PartBlobs(job)
	for _, path := range paths {
		if err := p.read(path); err != nil {
			return nil, err
		}
	}
	var missing []int
	for _, prompt := range v.Prompts {
		if p.observed[prompt] == nil {
			missing = append(missing, prompt)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("survey: %d of %d texts are not in the store, the first that at place %d, and nothing is to be computed", len(missing), len(v.Prompts), missing[0])
	}
	if v, err = v.of(p, v.order(), r.Model().Config.HiddenSize); err != nil {
		return nil, err
	}
	if _, err := s.Blob(job, v.write); err != nil {
		return nil, err
	}
	for _, path := range paths {
		os.Remove(path) // each part has its own copy; what stays takes place only
	}
	return v, nil
}

// of is the survey of some of its prompts, whose places are given in the order in which sums are taken.
func (s *Survey) of(p *partial, places []int, hidden int) (*Survey, error) {
	out := *s
	out.Plan = p.plan
	out.data, out.cells, out.seen = map[string][][]float32{}, make([][][]float64, s.Layers), nil
	out.Prompts, out.Tokens, out.Lengths = nil, nil, nil
	at := map[int]int{}
	for _, i := range slices.Sorted(slices.Values(places)) {
		at[i] = len(out.Prompts)
		out.Prompts, out.Tokens, out.Lengths = append(out.Prompts, s.Prompts[i]), append(out.Tokens, s.Tokens[i]), append(out.Lengths, s.Lengths[i])
	}
	for _, name := range out.stored() {
		out.data[name] = make([][]float32, len(out.Prompts))
	}
	for _, i := range places {
		o := p.observed[s.Prompts[i]]
		for _, name := range s.measured() {
			if len(o.values[name]) == 0 {
				return nil, fmt.Errorf("survey: %q of the text at place %d is not in what its part stored", name, s.Prompts[i])
			}
		}
		out.take(at[i], o, hidden)
	}
	return &out, nil
}

// write writes what was observed, flat arrays named STATISTIC.PROMPT.
func (p *partial) write(path string) error {
	head := partialHeader{Format: surveyFormat, Prompts: slices.Sorted(maps.Keys(p.observed)), Widths: map[int]int{}, Plan: p.plan}
	var list []safetensors.Tensor
	for _, prompt := range head.Prompts {
		o := p.observed[prompt]
		if o.width > 0 {
			head.Widths[prompt] = o.width
		}
		for _, name := range slices.Sorted(maps.Keys(o.values)) {
			list = append(list, safetensors.FromFloat32s(fmt.Sprintf("%s.%d", name, prompt), []int{len(o.values[name])}, o.values[name]))
		}
	}
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	return safetensors.Write(path, list, map[string]string{partialMetadata: string(text)})
}

// read adds what a file holds. A prompt that another file has, too, must be equal in both.
func (p *partial) read(path string) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var head partialHeader
	if err := json.Unmarshal([]byte(f.Metadata()[partialMetadata]), &head); err != nil || head.Format != surveyFormat {
		return fmt.Errorf("survey %s: expected what a part observed, format %d, found format %d (%v)", path, surveyFormat, head.Format, err)
	}
	p.plan = head.Plan
	known := map[int]bool{}
	for _, prompt := range head.Prompts {
		if known[prompt] = p.observed[prompt] != nil; !known[prompt] {
			p.observed[prompt] = &observed{values: map[string][]float32{}, width: head.Widths[prompt]}
		}
	}
	for _, full := range f.Names() {
		name, prompt, ok := cutPrompt(full)
		o := p.observed[prompt]
		if !ok || o == nil {
			return fmt.Errorf("survey %s: array %q is of none of its prompts", path, full)
		}
		t, err := f.Tensor(full)
		if err != nil {
			return err
		}
		values, err := t.Float32s()
		if err != nil {
			return fmt.Errorf("survey %s: %w", path, err)
		}
		if known[prompt] && !slices.Equal(o.values[name], values) {
			return fmt.Errorf("survey %s: %q of the text at place %d has another value in another part: remove the part that you do not trust", path, name, prompt)
		}
		o.values[name] = values
	}
	return nil
}

// cutPrompt parts an array's name into its statistic and its prompt.
func cutPrompt(full string) (name string, prompt int, ok bool) {
	at := strings.LastIndexByte(full, '.')
	if at < 0 {
		return "", 0, false
	}
	prompt, err := strconv.Atoi(full[at+1:])
	return full[:at], prompt, err == nil
}
