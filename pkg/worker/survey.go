package worker

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
)

// surveyArgs say what is measured; a view's own arguments stand beside them.
type surveyArgs struct {
	All     bool            `json:"all,omitempty"` // every measure; else received attention alone
	Tau     float64         `json:"tau,omitempty"` // of masks; 0 = 0.01
	Eps     []float64       `json:"eps,omitempty"`
	Lengths []int           `json:"lengths,omitempty"`
	N       int             `json:"n,omitempty"`
	Text    int             `json:"text,omitempty"`
	Key     int             `json:"key,omitempty"`
	Layers  string          `json:"layers,omitempty"`
	What    []string        `json:"what,omitempty"`
	Arm     int             `json:"arm,omitempty"`
	Save    string          `json:"save,omitempty"`    // file in the run's directory that the first arm's arrays are saved to
	Title   string          `json:"title,omitempty"`   // of the survey, where two are compared
	Against string          `json:"against,omitempty"` // title of the other
	Versus  *job            `json:"-"`                 // the other survey's request
	Other   json.RawMessage `json:"other,omitempty"`   // the same, as it came
}

// defaultLength is the T at which sink rates are usually quoted.
const defaultLength = sink.DefaultT

// enoughTexts is the share of texts that a survey's default length must leave.
const enoughTexts = 0.8

// surveyed is a survey request: its texts as tokens, and its arms' surveys, each made when a view first needs it.
type surveyed struct {
	*job
	surveyArgs
	model   *model.Model
	texts   []string
	ids     [][]int
	length  int    // T
	said    string // why T is not the default
	classes [][]tokenizer.Class
}

// survey answers one view of a survey.
func survey(ctx context.Context, j *job) error {
	a, err := args[surveyArgs](j)
	if err != nil {
		return err
	}
	v, err := newSurveyed(j, a)
	if err != nil {
		return err
	}
	view := surveyViews[j.View]
	if view == nil {
		return fmt.Errorf("a survey has no view %q", j.View)
	}
	part, err := view(ctx, v)
	if err != nil || part == nil { // plain data has been sent
		return err
	}
	return j.show(part)
}

// surveyViews are the views of a survey by name.
var surveyViews = map[string]func(context.Context, *surveyed) (*report.Part, error){
	"rates": ratesView, "map": mapView, "positions": positionsView, "hidden": hiddenView, "tokenmap": tokenMapView, "classes": classesView, "outliers": outliersView,
	"layermaps": layerMapsView, "similarity": similarityView, "overdepth": overDepthView, "layers": layersView, "massive": massiveView, "norms": normsView,
	"ratesoverlength": ratesOverLengthView, "density": densityView, "changes": changesView, "armchanges": armChangesView, "rate": rateValue, "arrays": arraysValue,
}

func newSurveyed(j *job, a surveyArgs) (*surveyed, error) {
	m, err := j.open()
	if err != nil {
		return nil, err
	}
	v := &surveyed{job: j, surveyArgs: a, model: m}
	if v.texts, v.ids, err = j.encoded(m); err != nil {
		return nil, err
	}
	lengths := make([]int, len(v.ids))
	for i, ids := range v.ids {
		lengths[i] = len(ids)
	}
	if v.length, v.said, err = surveyLength(j.Options.Length, len(j.Options.Texts) > 0, lengths, m.Config.MaxPositions); err != nil {
		return nil, err
	}
	return v, nil
}

// plain reports whether texts are encoded as they stand, without the tokens that the tokenizer adds: where that is asked for, and where a chat template has put its own.
func (j *job) plain() bool { return j.Options.NoBOS || j.Options.Chat && len(j.Options.Texts) == 0 }

// encode is how texts become tokens.
func (j *job) encode(m *model.Model) func(string) []int {
	if j.plain() {
		return m.Tokenizer.EncodePlain
	}
	return m.Tokenizer.Encode
}

// surveyLength is T: what is asked, for your own texts their whole length (0), else 64 or what four of five texts reach.
func surveyLength(asked int, own bool, lengths []int, positions int) (length int, said string, err error) {
	if asked > positions {
		return 0, "", fmt.Errorf("parameter length=%d: the model has %d positions", asked, positions)
	}
	if asked > 0 {
		return asked, "", nil
	}
	if own {
		return 0, "", nil
	}
	sorted := slices.Clone(lengths)
	slices.Sort(sorted)
	reached := sorted[int(float64(len(sorted))*(1-enoughTexts))]
	if reached >= defaultLength {
		return defaultLength, "", nil
	}
	if reached < 2 {
		return 0, "", fmt.Errorf("of %d texts a fifth has fewer than 2 tokens: nothing can be surveyed", len(lengths))
	}
	return reached, fmt.Sprintf(" T is %d and not the usual %d, because fewer than %.0f %% of the texts have %d tokens; sink rates fall with T.", reached, defaultLength, 100*enoughTexts, defaultLength), nil
}

// of is the survey of an arm, computed once in a session.
func (v *surveyed) of(ctx context.Context, arm int) (*sink.Survey, error) {
	measures := sink.Measures(0)
	if v.All {
		measures = sink.Everything
	}
	return v.with(ctx, arm, measures, v.length)
}

func (v *surveyed) with(ctx context.Context, arm int, measures sink.Measures, length int) (*sink.Survey, error) {
	a := v.arms()[arm]
	plan, err := v.plan(a, v.model)
	if err != nil {
		return nil, err
	}
	key := surveyKey(v.session.key, plan.Hash(), measures, length, v.Tau, v.ids)
	if s := v.session.surveys[key]; s != nil {
		return s, nil
	}
	s, err := v.stored(ctx, a.Name, plan, measures, length)
	if err != nil {
		if p := v.session.part; p != nil {
			p.failed = err
		}
		return nil, err
	}
	v.session.remember(key, s)
	return s, nil
}

// stored is the survey from the store, or made and put there.
func (v *surveyed) stored(ctx context.Context, name string, plan emulate.Plan, measures sink.Measures, length int) (*sink.Survey, error) {
	r, err := v.runner()
	if err != nil {
		return nil, err
	}
	results, err := v.store()
	if err != nil {
		return nil, err
	}
	stage := "survey"
	if len(v.arms()) > 1 {
		stage += " of " + name
	}
	of, err := v.resultJob(r)
	if err != nil {
		return nil, err
	}
	o := sink.Options{Measures: measures, T: length, Tau: v.Tau, Progress: v.ticker(stage, len(v.ids)), Part: v.share(), Known: v.known()}
	started, computed := time.Now(), false
	s, err := sink.Kept(ctx, results, of, func() (*engine.Runner, error) { computed = true; return r, nil }, plan, v.ids, o)
	if err == nil && computed && v.session.part == nil && !v.known() {
		rememberTiming(r.Job(), "survey", v.tokens(), time.Since(started))
	}
	return s, err
}

// tokens of the texts that are surveyed.
func (v *surveyed) tokens() (n int) {
	for _, ids := range v.ids {
		if v.length == 0 {
			n += len(ids)
		} else if len(ids) >= v.length {
			n += v.length
		}
	}
	return n
}

// maxSurveys is how many surveys a session keeps; a survey of 200 texts of a 30-layer model takes some 60 MB.
const maxSurveys = 24

func (s *session) remember(key string, found *sink.Survey) {
	if len(s.surveys) >= maxSurveys {
		clear(s.surveys)
	}
	s.surveys[key] = found
}

func surveyKey(parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%v\x00", p)
	}
	return string(h.Sum(nil))
}

// tokenClasses are the classes of every text's tokens.
func (v *surveyed) tokenClasses() [][]tokenizer.Class {
	if v.classes == nil {
		for _, text := range v.texts {
			v.classes = append(v.classes, tokenizer.Classify(text, v.model.Tokenizer.Tokens(text, !v.plain())))
		}
	}
	return v.classes
}

// about is the end of every caption: what the numbers are of.
func (v *surveyed) about(s *sink.Survey, heads string) string {
	length := fmt.Sprintf("%d tokens", s.T)
	if s.T == 0 {
		length = "their own lengths"
	}
	texts := fmt.Sprintf("%d texts", len(s.Prompts))
	if len(s.Prompts) == 1 {
		texts, length = "one text", fmt.Sprintf("%d tokens", s.Lengths[0])
	} else {
		texts = "mean over " + texts
	}
	return fmt.Sprintf("%s, all %d layers, %s, %s of %s, post-softmax", v.name(), s.Layers, heads, texts, length)
}

// sample says of which texts a survey is, for method sentences.
func (v *surveyed) sample(s *sink.Survey) string {
	if len(s.Prompts) == 1 {
		return fmt.Sprintf("one text of %d tokens", s.Lengths[0])
	}
	t := fmt.Sprintf("%d texts cut to T = %d tokens", len(s.Prompts), s.T)
	if s.T == 0 {
		t = fmt.Sprintf("%d texts", len(s.Prompts))
	}
	if s.Skipped > 0 {
		t += fmt.Sprintf(" (%d shorter ones left out)", s.Skipped)
	}
	return t
}

// facts are the provenance of a survey.
func (v *surveyed) facts(s *sink.Survey) map[string]any {
	return map[string]any{"survey": fmt.Sprintf("T %d, tau %g, measured %s", s.T, s.Tau, s.Measures)}
}
