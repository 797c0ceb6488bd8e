package cluster

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"
)

// Work is how much there is to compute, before anything is.
type Work struct {
	Requests   []RequestWork `json:"requests"`
	Parameters int64         `json:"parameters,omitempty"` // of the model; 0 = it is not here to be looked at
	DType      string        `json:"dtype,omitempty"`
	Devices    int           `json:"devices,omitempty"` // that the model is cut over; 0 = 1
	Weights    int64         `json:"weights,omitempty"` // bytes on each device
	Pass       int64         `json:"pass,omitempty"`    // about so many bytes beside them, of a pass of the budget
	Budget     int           `json:"budget,omitempty"`  // tokens of a pass
	Seconds    float64       `json:"seconds,omitempty"` // of one device, by the largest such work of this model that was timed here; 0 = none was
}

// RequestWork is one request's.
type RequestWork struct {
	Kind   string `json:"kind"`
	Items  int    `json:"items"` // items or texts; 0 = not known before the model is read
	Arms   int    `json:"arms"`
	Tokens int    `json:"tokens"`           // of all arms, without padding
	Padded int    `json:"padded"`           // the same with padding: what devices compute
	Writes bool   `json:"writes,omitempty"` // arms write, which comes on top of their prompts
}

// Items is the number of items of the smallest request: more parts than that would have nothing to do. 0 = not known.
func (w *Work) Items() int {
	least := 0
	for _, r := range w.Requests {
		if r.Items > 0 && (least == 0 || r.Items < least) {
			least = r.Items
		}
	}
	return least
}

// Estimate is how long a submission computes.
type Estimate struct {
	Tokens  int           // with padding
	Device  time.Duration // of one device, for all of it
	Largest float64       // tokens of the largest part, as a multiple of the mean: items fall into parts by their hash
	Wall    time.Duration // of the largest part, without what it takes to open the model
}

// Estimate of the work in so many parts at a rate, in tokens a second of a part's device; a rate of 0 stands for what was timed. The tokens of a part of N have a mean of 1/N
// and, with n/N items of t tokens each by hash, a variance of n/N t²; the largest is about sqrt(2 ln N) standard deviations above the mean.
func (w *Work) Estimate(parts int, rate float64) Estimate {
	e := Estimate{Largest: 1}
	variance := 0.0
	for _, r := range w.Requests {
		e.Tokens += r.Padded
		if r.Items > 0 {
			variance += float64(r.Padded) / float64(r.Items) * float64(r.Padded) / float64(parts)
		}
	}
	if mean := float64(e.Tokens) / float64(parts); mean > 0 {
		e.Largest += math.Sqrt(2*math.Log(float64(parts))*variance) / mean
	}
	seconds := w.Seconds
	if rate > 0 {
		seconds = float64(e.Tokens) / rate
	}
	e.Device = time.Duration(seconds * float64(time.Second))
	e.Wall = time.Duration(seconds / float64(parts) * e.Largest * float64(time.Second))
	return e
}

// Write prints the work, and what it takes in so many parts. A rate of 0 stands for the one that was timed.
func (w *Work) Write(out io.Writer, parts int, rate float64) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "request\titems\tarms\ttokens\twith padding\t")
	writes := false
	for _, r := range w.Requests {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t\n", r.Kind, r.Items, r.Arms, million(r.Tokens), million(r.Padded))
		writes = writes || r.Writes
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if writes {
		fmt.Fprintln(out, "what arms write comes on top: it is not known before it is written")
	}
	if w.Parameters > 0 {
		over := ""
		if w.Devices > 1 {
			over = fmt.Sprintf(", over %d devices", w.Devices)
		}
		fmt.Fprintf(out, "a device    %.1f GB of weights (%.2f billion parameters, %s%s), and about %.1f GB for a pass of %d tokens\n",
			float64(w.Weights)/1e9, float64(w.Parameters)/1e9, w.DType, over, float64(w.Pass)/1e9, w.Budget)
	} else {
		fmt.Fprintln(out, "a device    not known: the model is not here to be looked at")
	}
	e := w.Estimate(parts, rate)
	switch {
	case e.Tokens > 0 && rate > 0:
		fmt.Fprintf(out, "time        %s of a device, at %.0f tokens/s\n", rounded(e.Device), rate)
	case w.Seconds > 0:
		fmt.Fprintf(out, "time        %s of a device, by the largest such work of this model that was timed here\n", rounded(e.Device))
	default:
		fmt.Fprintln(out, "time        not known: no such work of this model was timed here; give --rate, the tokens a second of a part's device (the recipe bench measures them)")
		return nil
	}
	fmt.Fprintf(out, "%d parts    %s for the largest, which has about %.2f times the mean, after it has opened the model\n", parts, rounded(e.Wall), e.Largest)
	return nil
}

// million writes a count of tokens in millions.
func million(n int) string { return fmt.Sprintf("%.3f M", float64(n)/1e6) }

// rounded is a time to what an estimate is worth.
func rounded(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < 10*time.Minute:
		return d.Round(time.Second).String()
	case d < 10*time.Hour:
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%.0f h", d.Hours())
}
