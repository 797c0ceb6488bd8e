package backend

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"
)

var (
	pluginPath  = regexp.MustCompile(` ?\([^()]*\.(so|dylib|dll)\)`)
	pluginName  = regexp.MustCompile(`xla:\S*pjrt_c_api_(\w+)_plugin\.(so|dylib|dll)`) // opened by its path
	deviceCount = regexp.MustCompile(` \[\d+ device\(s\)\]`)
)

// Describe says in one line what computes, for a note's provenance and the names of results: the backend, its version, and the name of the GPU that computes where Linux
// tells it. Paths of the machine are left out, and so is how many GPUs it has beside that one: a result does not depend on them.
func Describe(b compute.Backend) string {
	s := pluginName.ReplaceAllString(pluginPath.ReplaceAllString(b.Description(), ""), "xla:$1")
	s = deviceCount.ReplaceAllString(s, "")
	if IsCUDA(b) {
		if used := first(gpus("/proc/driver/nvidia/gpus"), os.Getenv(cudaVisible)); used != "" {
			s += ", " + used
		}
	}
	return s
}

// Variables of CUDA: the devices that a process sees, by number or UUID, and what they are numbered by.
const (
	cudaVisible = "CUDA_VISIBLE_DEVICES"
	cudaOrder   = "CUDA_DEVICE_ORDER"
)

// gpu is a card of this machine.
type gpu struct{ name, uuid string }

// gpus are the cards by bus address, the order in which nvidia-smi numbers them, and CUDA where CUDA_DEVICE_ORDER is PCI_BUS_ID.
func gpus(dir string) (found []gpu) {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "information")) // by address, which is as long for each
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		var g gpu
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "Model:"); ok {
				g.name = strings.TrimSpace(name)
			}
			if uuid, ok := strings.CutPrefix(line, "GPU UUID:"); ok {
				g.uuid = strings.TrimSpace(uuid)
			}
		}
		found = append(found, g)
	}
	return found
}

// first is the name of the first card that a process sees: all of them where visible is empty. A card that cannot be told among different ones is called by all their names.
func first(cards []gpu, visible string) string {
	var names []string
	for _, g := range cards {
		if !slices.Contains(names, g.name) {
			names = append(names, g.name)
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	entry, _, _ := strings.Cut(strings.TrimSpace(visible), ",")
	if n, err := strconv.Atoi(cmp.Or(entry, "0")); err == nil && n >= 0 && n < len(cards) {
		return cards[n].name
	}
	if i := slices.IndexFunc(cards, func(g gpu) bool { return strings.HasPrefix(g.uuid, entry) }); i >= 0 { // CUDA takes the beginning of one, too
		return cards[i].name
	}
	return strings.Join(names, " or ")
}
