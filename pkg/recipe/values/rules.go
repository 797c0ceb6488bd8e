package values

import (
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// rules of the parameters, by name, and by recipe and name where a recipe means something else by it. A new parameter of a recipe gets its line here.
var rules = map[string]ruled{
	"model": modelRule, "finetune.base": modelRule, "checkpoint": optional(modelRule),
	"adapter": optional(holding("adapter_config.json", "the directory of a PEFT adapter")),
	"items":   itemsRule(), "prompts": itemsRule(".txt"), "texts": itemsRule(".txt"), "against": each(itemsRule()),
	"columns": {texts, columns}, "groups": oneOf(append([]string{""}, client.Groupings...)...),
	"limit": atLeast(0, "how many items, or 0 for all"), "shots": atLeast(0, "worked examples before the question"),
	"length": atLeast(0, "tokens of a text, or 0 for the default"), "sinks.length": atLeast(1, "tokens of a text"), "finetune.length": atLeast(1, "tokens of a text"),
	"devices": atLeast(0, "over how many devices the model is cut, or 0 for one"),
	"place":   oneOf(append([]string{""}, client.Places...)...),
	"budget":  atLeast(0, "tokens of a forward pass, or 0 for the backend's default"),
	"seed":    atLeast(0, "a seed"),
	"dtype":   oneOf(client.DTypes...), "bench.dtype": oneOf("float32", "bfloat16"), "parity.dtype": oneOf("float32", "bfloat16"), "compute": oneOf("float32", "bfloat16"),

	// interventions
	"spec": plans(1, math.MaxInt), "interventions": plans(1, math.MaxInt), "arms": plans(0, math.MaxInt), "ablate.base": {texts, onePlan},
	"alphas": numbers(-1e6, 1e6, "strengths"), "taus": numbers(0, 1, "thresholds"), "sources": integers(0, "source layers"),
	"renormalise": someOf(0, "none", "row", "keep-diagonal", "rest"), "controls": someOf(0, "uniform", "random", "local", "suppress"),
	"tau": real(0, 1, "a threshold of attention"), "tokens": atLeast(1, "a number of tokens"),

	// evaluation
	"evaluate.model": each(modelRule), "evaluate.items": each(itemsRule()), "evaluate.controls": someOf(0, "uniform", "random", "local"), "perplexity.controls": someOf(0, "uniform", "random", "local"),
	"answer": oneOf("choices", "written", "instructed"), "margin": real(0, 0.99, "a share of the items"),
	"window": atLeast(0, "tokens that are seen at once, or 0 for the model's context"), "stride": atLeast(0, "tokens that the window moves on by, or 0 for half of it"),

	// logs of answers
	"a": log, "b": log, "log": log, "rescore.against": optional(log), "form": oneOf("", "letter", "number", "label", "text"),
	"compare.columns": {texts, logColumns}, "rescore.columns": {texts, logColumns}, "metric": optional(word), "filter": optional(word),

	// surveys
	"eps": numbers(0, 1, "thresholds of the sink rate"), "finetune.eps": real(0, 1, "a threshold of the sink rate"),
	"lengths": integers(1, "lengths in tokens"), "layers": {texts, layers},

	// reasoning
	"budgets": integers(1, "tokens of reasoning"), "fillers": integers(1, "tokens of filler"), "repeats": integers(1, "times that the problem is written"),
	"waits": atLeast(0, "a number of times"), "samples": atLeast(0, "a number of reasonings"), "temperature": real(0, math.Inf(1), "a temperature"),

	// calibration of heads
	"methods": someOf(1, "zero-tuning", "act", "pasta"), "by": someOf(1, "score", "entropy"), "gain": real(0, 1e6, "a factor, or 0 for the published one"),
	"calibrate.heads": atLeast(0, "how many heads, or 0 for a tenth of the candidates"), "calibrate.layers": integers(0, "layers"),
	"percent": atLeast(1, "percent of the items, up to 99"), "draws": atLeast(1, "sets of random heads"), "highlight": oneOf("question", "options"),

	// training
	"trainItems": atLeast(0, "a number of items"), "gradedItems": atLeast(0, "a number of items"), "heldOut": atLeast(1, "a number of items"),
	"grades": someOf(1, gradeNames()...), "finetune.sections": {texts, sections}, "pretrain.sections": {texts, weights},
	"method": oneOf("lora", "full"), "rank": atLeast(1, "the rank of the adapters"), "alpha": positive("the adapters' alpha"),
	"targets": {texts, targets}, "steps": atLeast(1, "optimizer steps"), "rows": atLeast(1, "rows of a step"), "batch": atLeast(1, "rows of a step"),
	"width": atLeast(8, "tokens of a row"), "learningRate": positive("the peak learning rate"), "probeEvery": atLeast(1, "a number of steps"),
	"out": optional(ruled{texts, folder}), "vocab": atLeast(261, "tokens: 256 bytes, 4 special ones and a merge"), "hidden": {wholes, hidden},
	"intermediate": atLeast(1, "a width"), "pretrain.layers": atLeast(1, "decoder layers"), "heads": atLeast(1, "query heads"), "kvHeads": {wholes, kvHeads},
	"pretrain.shots": atLeast(1, "items in a document"), "positions": atLeast(8, "the longest context in tokens"), "floor": real(0, 1, "a share of the peak"), "weightDecay": real(0, 1e3, "a factor"),
	"probes": atLeast(0, "a number of probes"), "peakFLOPs": real(0, math.Inf(1), "FLOP/s, or 0"),

	// benchmarks and parity
	"dimensions": oneOf(dimensions...), "memory": oneOf(append([]string{""}, dimensions...)...),
	"bench.prompt": atLeast(1, "a number of tokens"), "newTokens": atLeast(1, "a number of tokens"), "bench.repeats": atLeast(1, "repeats of a measurement"),
	"reference": either("self", file(".safetensors")),

	// data sets
	"similarity": real(0.6, 1, "how alike items are that count as one"), "shares": {texts, shares}, "format": oneOf("jsonl", "parquet"),
	"name":    optional(matching(`^[\pL\pN][\pL\pN ._-]{0,99}$`, "a name of letters, digits, spaces, '.', '_' and '-'")),
	"licence": optional(matching(`^[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.+-]*)*$`, "an SPDX name such as CC-BY-4.0 or MIT")),

	// free text
	"prompt": free, "about": free,
}

// dimensions of models that package bench knows.
var dimensions = []string{"llama-2-70b", "llama-2-7b", "llama-3.2-1b", "medium", "small"}

// free is any plain text, which is checked of every text.
var free = ruled{texts, func(value) error { return nil }}

func gradeNames() (names []string) {
	for _, g := range corpus.Grades() {
		names = append(names, string(g))
	}
	return names
}

// matching is text of a form.
func matching(pattern, what string) ruled {
	form := regexp.MustCompile(pattern)
	return ruled{texts, func(v value) error {
		if form.MatchString(v.text()) {
			return nil
		}
		return v.wrong("expected %s", what)
	}}
}

// reference is the form of hf:owner/name[@revision]; package hub knows which names the hub allows.
var (
	modelReference = regexp.MustCompile(`^hf:[^/@:\s]+/[^/@:\s]+(@[^\s:]+)?$`)
	dataReference  = regexp.MustCompile(`^hf-data:[^/@:\s]+/[^@:\s]+(@[^\s:]+)?$`)
)

// modelRule is a directory with a config.json, a GGUF file, or a reference to the hub.
var modelRule = ruled{texts, func(v value) error {
	const expected = "expected the directory of a model, a .gguf file, or hf:owner/name[@revision]"
	if client.IsReference(v.text()) {
		if !modelReference.MatchString(v.text()) {
			return v.wrong("%s", expected)
		}
		return nil
	}
	path, isDir, err := v.path()
	switch {
	case err != nil:
		return v.wrong("%v; %s", reason(err), expected)
	case isDir && !has(path, "config.json"):
		return v.wrong("the directory holds no config.json; %s", expected)
	case !isDir && !strings.EqualFold(filepath.Ext(path), ".gguf"):
		return v.wrong("%s", expected)
	}
	return nil
}}

// reason is an error's text without the parameter, which is named again.
func reason(err error) string {
	if e, is := err.(*client.Error); is {
		return e.Message
	}
	return err.Error()
}

func has(dir, name string) bool {
	_, err := client.FindPath(name, []string{dir})
	return err == nil
}

// holding is a directory with a certain file.
func holding(name, what string) ruled {
	return ruled{texts, func(v value) error {
		path, isDir, err := v.path()
		if err != nil {
			return v.wrong("%s; expected %s", reason(err), what)
		}
		if !isDir || !has(path, name) {
			return v.wrong("it holds no %s, expected %s", name, what)
		}
		return nil
	}}
}

// itemFiles are the endings of files of items.
var itemFiles = []string{".csv", ".tsv", ".jsonl", ".json", ".parquet", ".sections"}

// itemsRule is the generator, a directory, a file of items or one with a further ending, or a data set on the hub.
func itemsRule(more ...string) ruled {
	endings := slices.Concat(itemFiles, more)
	expected := "expected generated[:GRADE,...], a directory, a file " + strings.Join(endings, " ") + ", or hf-data:owner/name"
	return ruled{texts, func(v value) error {
		scheme, rest, named := strings.Cut(v.text(), ":")
		switch {
		case scheme == "generated":
			for _, g := range strings.Split(rest, ",") {
				if g = strings.TrimSpace(g); named && !slices.Contains(gradeNames(), g) {
					return v.wrong("%q is no grade, expected %s%s", g, strings.Join(gradeNames(), ", "), client.Suggest(g, gradeNames()))
				}
			}
			return nil
		case scheme == "hf-data" && dataReference.MatchString(v.text()):
			return nil
		case client.IsReference(v.text()):
			return v.wrong("%s", expected)
		}
		path, isDir, err := v.path()
		if err != nil {
			return v.wrong("%v; %s", reason(err), expected)
		}
		if ending := strings.ToLower(filepath.Ext(path)); !isDir && !slices.Contains(endings, ending) {
			return v.wrong("%s", expected)
		}
		return nil
	}}
}

func columns(v value) error {
	if _, err := corpus.ParseColumns(v.text()); err != nil {
		_, message, _ := strings.Cut(err.Error(), ": ")
		return v.wrong("%s", strings.TrimPrefix(message, "columns "+strconv.Quote(v.text())+": "))
	}
	return nil
}

// plans are interventions, separated by spaces.
func plans(least, most int) ruled {
	return ruled{texts, func(v value) error {
		names := client.Names(v.text())
		if len(names) < least || len(names) > most {
			return v.wrong("it names %d interventions, expected %d or more of %s, JSON, or files of it", len(names), least, strings.Join(emulate.Names(), ", "))
		}
		for _, name := range names {
			if name == "baseline" {
				continue
			}
			if _, err := v.plan(name); err != nil {
				return err
			}
		}
		return nil
	}}
}

// plan reads one intervention.
func (v value) plan(text string) (emulate.Plan, error) {
	p, err := client.Plan(v.name, v.text(), text, v.dirs)
	if err == nil {
		return p, nil
	}
	message := reason(err)
	if !strings.Contains(message, "expected") {
		message += "; expected one of " + strings.Join(emulate.Names(), ", ") + ", JSON, or a file of it"
	}
	return nil, v.wrong("%s", message)
}

// word is a name of a metric or a filter.
var word = matching(`^[A-Za-z0-9][A-Za-z0-9_.@ -]*$`, "a name of letters, digits, '_', '.', '@' and '-'")

// log is a file or a folder of answers; behind a "#" an arm may stand.
var log = ruled{texts, func(v value) error {
	_, _, err := v.path()
	if file, _, named := strings.Cut(v.text(), "#"); err != nil && named {
		v.of = file
		_, _, err = v.path()
	}
	if err != nil {
		return v.wrong("%s; expected a log of answers, a file or the folder of one run", reason(err))
	}
	return nil
}}

// logColumns name the columns of a plain log.
func logColumns(v value) error {
	for _, pair := range client.Fields(v.text()) {
		name, column, _ := strings.Cut(pair, "=")
		if list := []string{"id", "answer", "target", "correct", "cluster"}; !slices.Contains(list, name) || column == "" {
			return v.wrong("%q is no column: expected %s with its name in the log, such as id=item,answer=reply", pair, strings.Join(list, ", "))
		}
	}
	return nil
}

// onePlan is one intervention of one step, which a grid varies.
func onePlan(v value) error {
	p, err := v.plan(v.text())
	if err != nil {
		return err
	}
	if len(p) != 1 {
		return v.wrong("it has %d steps, a grid varies one", len(p))
	}
	return nil
}

func layers(v value) error {
	for _, name := range client.Fields(v.text()) {
		if n, err := strconv.Atoi(name); name != "first" && name != "last" && (err != nil || n < 0) {
			return v.wrong(`%q is not a layer: expected first, last, or numbers from 0`, name)
		}
	}
	return nil
}

// sections of the items' template that count in the loss.
func sections(v value) error {
	if err := (corpus.Mask{Sections: strings.Fields(v.text())}).Check(corpus.ItemTemplate); err != nil {
		return v.wrong("%s", strings.TrimPrefix(err.Error(), "corpus: "))
	}
	return nil
}

// weights of sections, in pairs of name and weight.
func weights(v value) error {
	fields := strings.Fields(v.text())
	m := corpus.Mask{Weights: map[string]float32{}, Headings: true}
	for i := 0; i < len(fields); i += 2 {
		if i+1 == len(fields) {
			return v.wrong(`expected names and weights in pairs, such as "Response 4"`)
		}
		w, err := strconv.ParseFloat(fields[i+1], 32)
		if err != nil {
			return v.wrong(`%q is no number: expected names and weights in pairs, such as "Response 4"`, fields[i+1])
		}
		m.Weights[fields[i]] = float32(w)
	}
	if err := m.Check(corpus.ItemTemplate); err != nil {
		return v.wrong("%s; the sections are %s", strings.TrimPrefix(err.Error(), "corpus: "), strings.Join(corpus.ItemTemplate.Sections(), ", "))
	}
	return nil
}

// targets are names of projections; whether the model has them, it says.
func targets(v value) error {
	known := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	names := strings.Fields(v.text())
	for _, name := range names {
		if !known.MatchString(name) {
			return v.wrong("%q is no name of a projection, expected some such as q_proj k_proj v_proj o_proj, separated by spaces", name)
		}
	}
	if len(names) == 0 && v.all["method"] != "full" {
		return v.wrong("expected projections such as q_proj k_proj v_proj o_proj, separated by spaces")
	}
	return nil
}

// folder may be made or be one.
func folder(v value) error {
	path, isDir, err := v.path()
	if err == nil && !isDir {
		return v.wrong("%s is a file, expected a directory or a new one", path)
	}
	if strings.TrimSpace(v.text()) == "" {
		return v.wrong("expected a directory")
	}
	return nil
}

// hidden is a multiple of the heads.
func hidden(v value) error {
	n, heads := v.of.(int64), whole64(v.all["heads"])
	if n < 1 || heads > 0 && (n%heads != 0 || n/heads%2 != 0) {
		return v.wrong("expected a width of which each of the %d heads takes an even part", heads)
	}
	return nil
}

// kvHeads divide the query heads.
func kvHeads(v value) error {
	n, heads := v.of.(int64), whole64(v.all["heads"])
	if n < 1 || heads > 0 && heads%n != 0 {
		return v.wrong("expected a number that divides the %d query heads", heads)
	}
	return nil
}

func whole64(v any) int64 { n, _ := v.(int64); return n }

// shares of the splits: name=parts.
func shares(v value) error {
	fields := strings.Fields(v.text())
	for _, field := range fields {
		name, parts, _ := strings.Cut(field, "=")
		if n, err := strconv.Atoi(parts); err != nil || n < 1 || name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			return v.wrong(`%q is not name=parts, expected such as "train=8 dev=1 test=1"`, field)
		}
	}
	if len(fields) == 0 {
		return v.wrong(`expected name=parts, such as "train=8 dev=1 test=1"`)
	}
	return nil
}
