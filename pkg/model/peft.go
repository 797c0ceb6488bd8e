package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// PEFT's layout of a LoRA adapter: adapter_config.json, and adapter_model.safetensors with base_model.model.<module>.lora_A.weight [rank, in] and
// lora_B.weight [out, rank].
const (
	PEFTConfig  = "adapter_config.json"
	PEFTWeights = "adapter_model.safetensors"
	PEFTPrefix  = "base_model.model."
)

// LoadAdapter attaches an adapter from a directory in PEFT's layout. What such a file may say is applied as PEFT does, or refused by the name of the field:
// targets by name or pattern, excluded modules, layers, ranks and alphas by pattern and rank-stabilised scaling are applied; what changes the arithmetic otherwise, such
// as DoRA, activated LoRA, whole modules or a base that its initialisation changes (pissa, olora, corda), is refused. Every matrix is compared with the
// configuration before anything is allocated. The model's Hash becomes that of base and adapter together.
func (m *Model) LoadAdapter(dir string) error {
	if err := m.oneDeviceOnly("the adapter in " + dir); err != nil {
		return err
	}
	if m.adapter != nil {
		return fmt.Errorf("the model has an adapter already: merge or detach it first")
	}
	path := filepath.Join(dir, PEFTConfig)
	data, err := env.ReadFile(path, maxConfigFile)
	if err != nil {
		return fmt.Errorf("reading an adapter: %w (its directory holds %s and %s)", err, PEFTConfig, PEFTWeights)
	}
	p, err := parsePEFT(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	arch, err := m.Config.describe() // as in the checkpoint, whatever is fused now
	if err != nil {
		return err
	}
	parts, err := p.parts(arch)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	file, err := openAdapter(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	matrices, hash, err := readMatrices(file, m.arch.prefix, parts)
	if err != nil {
		return fmt.Errorf("%s: %w", file.Path(), err)
	}
	if err := m.splitAll(); err != nil {
		return err
	}
	base := m.Hash
	m.setAdapter(&adapted{Adapter{p.Rank, p.Alpha, p.targets()}, parts, base})
	for name, x := range matrices {
		if _, err := m.store.RootScope().CreateVariable(name, x); err != nil {
			return fmt.Errorf("adapter of %q: %w", name, err)
		}
	}
	sum := sha256.Sum256([]byte(base + " " + string(data) + " " + hash))
	m.Hash = hex.EncodeToString(sum[:])
	return nil
}

func openAdapter(dir string) (*safetensors.File, error) {
	path := filepath.Join(dir, PEFTWeights)
	if _, err := os.Stat(path); err != nil {
		if found, _ := filepath.Glob(filepath.Join(dir, "adapter_model.*")); len(found) > 0 {
			return nil, fmt.Errorf("%s: found %s, expected %s; pickled files run code when loaded and are not read: save the adapter again with safe_serialization=True",
				dir, filepath.Base(found[0]), PEFTWeights)
		}
	}
	return safetensors.Open(path)
}

// peft is what an adapter_config.json says of the arithmetic.
type peft struct {
	Type          string             `json:"peft_type"`
	Rank          int                `json:"r"`
	Alpha         float64            `json:"lora_alpha"`
	Targets       names              `json:"target_modules"`
	Exclude       names              `json:"exclude_modules"`
	Layers        layerList          `json:"layers_to_transform"`
	LayersPattern names              `json:"layers_pattern"`
	RankPattern   map[string]int     `json:"rank_pattern"`
	AlphaPattern  map[string]float64 `json:"alpha_pattern"`
	RSLoRA        bool               `json:"use_rslora"`
	Bias          string             `json:"bias"`
}

// names are module names, or one pattern for whole names.
type names struct {
	list    []string
	pattern string
}

func (n *names) UnmarshalJSON(data []byte) error {
	if isNull(data) || json.Unmarshal(data, &n.pattern) == nil {
		return nil
	}
	if err := json.Unmarshal(data, &n.list); err != nil {
		return fmt.Errorf("found %s, expected a list of names or a pattern", shorten(data))
	}
	return nil
}

// layerList is a number or a list of them.
type layerList []int

func (l *layerList) UnmarshalJSON(data []byte) error {
	var one int
	switch {
	case isNull(data):
		return nil
	case json.Unmarshal(data, &one) == nil:
		*l = layerList{one}
		return nil
	}
	var many []int
	if err := json.Unmarshal(data, &many); err != nil {
		return fmt.Errorf("found %s, expected a layer's number or a list of them", shorten(data))
	}
	*l = many
	return nil
}

// peftIgnored are fields that change nothing of a forward pass with the matrices of the file: what is said of the file, of training, of how matrices start and of
// methods that are not chosen. use_qalora is read by PEFT only in GPTQ's layers.
var peftIgnored = []string{"auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "task_type", "peft_version", "lora_dropout", "fan_in_fan_out", "loftq_config", "eva_config",
	"corda_config", "lora_ga_config", "megatron_config", "megatron_core", "runtime_config", "qalora_group_size", "use_qalora", "init_lora_weights"}

// harmlessStarts are the initialisations that leave the base model as it is.
var harmlessStarts = []string{"gaussian", "eva", "orthogonal"}

// parsePEFT reads adapter_config.json; a field that would change the arithmetic and is not computed is an error that names it.
func parsePEFT(data []byte) (*peft, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("not an adapter's configuration: %w", err)
	}
	p := &peft{Rank: 8, Alpha: 8} // LoraConfig's defaults
	known := map[string]any{"peft_type": &p.Type, "r": &p.Rank, "lora_alpha": &p.Alpha, "target_modules": &p.Targets, "exclude_modules": &p.Exclude,
		"layers_to_transform": &p.Layers, "layers_pattern": &p.LayersPattern, "rank_pattern": &p.RankPattern, "alpha_pattern": &p.AlphaPattern,
		"use_rslora": &p.RSLoRA, "bias": &p.Bias}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		raw := all[name]
		switch into, ok := known[name]; {
		case ok:
			if err := json.Unmarshal(raw, into); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		case !slices.Contains(peftIgnored, name) && !falsy(raw):
			return nil, fmt.Errorf("%s is %s, which is not computed here, expected it to be absent", name, shorten(raw))
		}
	}
	var start string
	if json.Unmarshal(all["init_lora_weights"], &start) == nil && start != "" && !slices.Contains(harmlessStarts, start) {
		return nil, fmt.Errorf("init_lora_weights is %q, which takes part of the base model's weights away when PEFT loads the adapter and is not computed here; "+
			"convert it in PEFT: save_pretrained with path_initial_model_for_weight_conversion", start)
	}
	switch {
	case p.Type != "LORA":
		return nil, fmt.Errorf("peft_type is %q, expected LORA", p.Type)
	case p.Bias != "" && p.Bias != "none":
		return nil, fmt.Errorf("bias is %q, expected none: biases are not adapted", p.Bias)
	case p.Rank < 1 || p.Rank > maxConfigValue:
		return nil, fmt.Errorf("r is %d, expected 1 to %d", p.Rank, maxConfigValue)
	case p.Layers != nil && p.Targets.list == nil:
		return nil, fmt.Errorf("layers_to_transform is set beside a pattern of target_modules, expected a list of names")
	}
	return p, nil
}

// falsy reports values that Python takes for false: null, false, 0, "" and what is empty.
func falsy(raw json.RawMessage) bool {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return false
	}
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// targets are the names for Adapter.Targets.
func (p *peft) targets() []string {
	if p.Targets.list == nil {
		return []string{p.Targets.pattern}
	}
	return slices.Sorted(slices.Values(p.Targets.list))
}

// parts are the projections of a decoder that the configuration adapts, each with its rank and scale.
func (p *peft) parts(arch *architecture) (map[string]adaptedPart, error) {
	target, err := p.matcher(p.Targets, "target_modules")
	if err != nil {
		return nil, err
	}
	exclude, err := p.matcher(p.Exclude, "exclude_modules")
	if err != nil {
		return nil, err
	}
	inLayers, err := p.layerFilter()
	if err != nil {
		return nil, err
	}
	parts := map[string]adaptedPart{}
	for _, d := range arch.projections() {
		if exclude(d.name) || !target(d.name) || !inLayers(d.name) {
			continue
		}
		part := adaptedPart{dense: d}
		alpha := p.Alpha
		if part.rank, err = byPattern(p.RankPattern, "rank_pattern", d.name, p.Rank); err == nil {
			alpha, err = byPattern(p.AlphaPattern, "alpha_pattern", d.name, p.Alpha)
		}
		if err != nil {
			return nil, err
		}
		if part.rank < 1 {
			return nil, fmt.Errorf("rank_pattern gives %s rank %d, expected 1 or more", d.name, part.rank)
		}
		part.scale = alpha / float64(part.rank)
		if p.RSLoRA {
			part.scale = alpha / math.Sqrt(float64(part.rank))
		}
		parts[d.name] = part
	}
	if len(parts) == 0 {
		var there []string
		for _, d := range arch.projections() {
			there = append(there, d.name[strings.LastIndex(d.name, ".")+1:])
		}
		slices.Sort(there)
		return nil, fmt.Errorf("target_modules %s: no projection of the model is meant, expected of %s", strings.Join(p.targets(), ", "), strings.Join(slices.Compact(there), ", "))
	}
	return parts, nil
}

// matcher reports which modules are meant: names by their ends, a pattern by the whole name, "all-linear" all.
func (p *peft) matcher(n names, field string) (func(module string) bool, error) {
	if n.list != nil || n.pattern == "" {
		return func(module string) bool {
			return slices.ContainsFunc(n.list, func(t string) bool { return module == t || strings.HasSuffix(module, "."+t) })
		}, nil
	}
	if n.pattern == "all-linear" && field == "target_modules" {
		return func(string) bool { return true }, nil
	}
	re, err := regexp.Compile(`^(?:` + n.pattern + `)$`)
	if err != nil {
		return nil, fmt.Errorf("%s is the pattern %q, which is not understood: %w", field, n.pattern, err)
	}
	return re.MatchString, nil
}

// layerFilter reports which modules are in the layers to adapt: by the number behind one of layers_pattern's names or, without them, the first number between two
// dots.
func (p *peft) layerFilter() (func(module string) bool, error) {
	if len(p.Layers) == 0 {
		return func(string) bool { return true }, nil
	}
	patterns := p.LayersPattern.list
	if p.LayersPattern.pattern != "" {
		patterns = []string{p.LayersPattern.pattern}
	}
	if len(patterns) == 0 {
		patterns = []string{`[^.]*`}
	}
	var compiled []*regexp.Regexp
	for _, pattern := range patterns {
		re, err := regexp.Compile(`^.*\.` + pattern + `\.(\d+)\.`)
		if err != nil {
			return nil, fmt.Errorf("layers_pattern is %q, which is not understood: %w", pattern, err)
		}
		compiled = append(compiled, re)
	}
	return func(module string) bool {
		for _, re := range compiled {
			if found := re.FindStringSubmatch(module); found != nil {
				n, err := strconv.Atoi(found[len(found)-1])
				return err == nil && slices.Contains(p.Layers, n)
			}
		}
		return false
	}, nil
}

// byPattern returns the value of the pattern that the end of a module's name matches. PEFT takes the first of several in the file's order; two that disagree are
// refused here.
func byPattern[T comparable](patterns map[string]T, field, module string, def T) (T, error) {
	value, chosen := def, ""
	for _, pattern := range slices.Sorted(maps.Keys(patterns)) {
		re, err := regexp.Compile(`^(?:.*\.)?(?:` + pattern + `)$`)
		if err != nil {
			return def, fmt.Errorf("%s has the pattern %q, which is not understood: %w", field, pattern, err)
		}
		if !re.MatchString(module) {
			continue
		}
		if chosen != "" && value != patterns[pattern] {
			return def, fmt.Errorf("%s has %q and %q for %s, which disagree, expected one", field, chosen, pattern, module)
		}
		value, chosen = patterns[pattern], pattern
	}
	return value, nil
}

// readMatrices reads a file's matrices by the names of their variables: each of the parts', and no others. Shapes are compared before anything is read.
func readMatrices(f *safetensors.File, prefix string, parts map[string]adaptedPart) (map[string]*tensors.Tensor, string, error) {
	type matrix struct {
		variable string
		shape    []int
	}
	wanted := map[string]matrix{}
	found := f.Names()
	for name, d := range parts {
		for suffix, shape := range map[string][]int{loraA: {d.rank, d.in}, loraB: {d.out, d.rank}} {
			stored := PEFTPrefix + name + suffix
			if bare := PEFTPrefix + strings.TrimPrefix(name, prefix) + suffix; !slices.Contains(found, stored) && slices.Contains(found, bare) {
				stored = bare // of an adapter of the bare decoder
			}
			wanted[stored] = matrix{name + suffix, shape}
		}
	}
	for _, name := range found {
		if _, ok := wanted[name]; !ok {
			return nil, "", fmt.Errorf("tensor %q belongs to none of the adapted projections", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		shape, err := f.Shape(name)
		if err != nil {
			return nil, "", err
		}
		if !slices.Equal(shape, wanted[name].shape) {
			return nil, "", fmt.Errorf("tensor %q has shape %v, expected %v from r, rank_pattern and the model", name, shape, wanted[name].shape)
		}
	}
	values := map[string]*tensors.Tensor{}
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		x, err := f.Tensor(name)
		if err != nil {
			return nil, "", err
		}
		if err := checkFinite(x); err != nil {
			return nil, "", err
		}
		fmt.Fprintf(hash, "%s %s %v\n", name, x.DType, x.Shape)
		hash.Write(x.Data)
		v, err := x.Float32s()
		if err != nil {
			return nil, "", err
		}
		values[wanted[name].variable] = tensors.FromFlatDataAndDimensions(v, x.Shape...)
	}
	return values, hex.EncodeToString(hash.Sum(nil)), nil
}
