package cluster

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/store"
)

// TestEstimateFollowsTheHash: the largest part is about as large as the hash makes it.
func TestEstimateFollowsTheHash(t *testing.T) {
	const parts = 64
	w := &Work{Requests: []RequestWork{{Kind: "compare", Items: 14042, Padded: 14042 * 3518}, {Kind: "compare", Items: 1833, Padded: 1833 * 1752}}}
	var sizes [parts]int
	for k, r := range w.Requests {
		for i := range r.Items {
			item := fmt.Sprint(k, i)
			for p := range parts {
				if (store.Part{Index: p + 1, Of: parts}).Has(item) {
					sizes[p] += r.Padded / r.Items
					break
				}
			}
		}
	}
	e := w.Estimate(parts, 3600)
	if e.Tokens != 14042*3518+1833*1752 || math.Abs(e.Largest-float64(slices.Max(sizes[:])*parts)/float64(e.Tokens)) > 0.05 {
		t.Errorf("%+v, and the largest part is %d of %d", e, slices.Max(sizes[:]), e.Tokens)
	}
	if seconds := float64(e.Tokens) / 3600; math.Abs(e.Device.Seconds()-seconds) > 1 || math.Abs(e.Wall.Seconds()-seconds/parts*e.Largest) > 1 {
		t.Errorf("%+v, expected %.0f s of a device", e, seconds)
	}
	if e := w.Estimate(1, 3600); e.Largest != 1 || e.Wall != e.Device {
		t.Errorf("one part: %+v", e)
	}
}

func TestWorkIsPrintedWithWhatIsNotKnown(t *testing.T) {
	w := &Work{Requests: []RequestWork{{Kind: "compare", Items: 100, Arms: 2, Tokens: 1000, Padded: 2000, Writes: true}}}
	print := func(rate float64) string {
		var out strings.Builder
		if err := w.Write(&out, 4, rate); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, want := range []string{"what arms write comes on top", "the model is not here", "give --rate"} {
		if text := print(0); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	w.Parameters, w.DType, w.Weights, w.Seconds = 7e9, "bfloat16", 14e9, 120
	for _, want := range []string{"14.0 GB of weights (7.00 billion parameters, bfloat16)", "2m0s of a device, by the largest such work", "4 parts"} {
		if text := print(0); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if e := w.Estimate(4, 0); e.Device != 2*time.Minute {
		t.Errorf("%+v", e)
	}
	if text := print(100); !strings.Contains(text, "20s of a device, at 100 tokens/s") {
		t.Errorf("at a rate:\n%s", text)
	}
}
