package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// What is kept of a cell that prints or displays without end. A notebook of more than some megabytes opens in no browser.
const (
	maxText    = 1 << 20   // bytes of streams, from the beginning
	maxTail    = 128 << 10 // bytes from the end of what is more than that
	maxDisplay = 64 << 20  // bytes of displays
	perOutput  = 256       // bytes that an output counts for besides its text
)

// Collector turns the kernel's messages into the outputs of cells, as Jupyter's front end does: consecutive pieces of
// a stream become one output, a display with an id is updated in place wherever it was shown. Of more than 1 MiB of text in a cell the beginning and the
// end are kept, with a line between them that says how much is left out; so are the first 64 MiB of displays.
type Collector struct {
	displays map[string][]Output // every output that shows a display id
	cells    map[*Cell]*collected
}

// collected is what is known of one cell's outputs.
type collected struct {
	stream  *openStream // the stream output at the end of the outputs, still growing
	text    int         // bytes of streams kept, without stream's
	display int         // bytes of displays kept
	excess  *excess     // what is over the limits; nil: nothing
	clear   bool        // clear_output(wait=True): clear when the next output arrives
}

type openStream struct {
	name   string
	output Output
	done   strings.Builder
	screen Stream
}

// excess is output that is left out, but for its end.
type excess struct {
	output   Output
	bytes    int // of streams
	tail     []byte
	displays int
}

// NewCollector makes one for the cells of one notebook.
func NewCollector() *Collector {
	return &Collector{displays: map[string][]Output{}, cells: map[*Cell]*collected{}}
}

func (c *Collector) of(cell *Cell) *collected {
	known := c.cells[cell]
	if known == nil {
		known = &collected{}
		c.cells[cell] = known
	}
	return known
}

// mimeBundle is the content of display_data, update_display_data and execute_result.
type mimeBundle struct {
	Data           map[string]any `json:"data"`
	Metadata       map[string]any `json:"metadata"`
	ExecutionCount int            `json:"execution_count"`
	Transient      struct {
		DisplayID string `json:"display_id"`
	} `json:"transient"`
}

// Add records a message of the IOPub channel, by its type and content, among a cell's outputs. Types that are no outputs are ignored.
func (c *Collector) Add(cell *Cell, kind string, content json.RawMessage) error {
	switch kind {
	case "stream":
		var fields struct{ Name, Text string }
		if err := json.Unmarshal(content, &fields); err != nil {
			return err
		}
		c.stream(cell, fields.Name, fields.Text)
	case "display_data", "execute_result":
		var bundle mimeBundle
		if err := decode(content, &bundle); err != nil {
			return err
		}
		output := Output{"output_type": kind, "data": mimeLines(bundle.Data), "metadata": orEmpty(bundle.Metadata)}
		if kind == "execute_result" {
			output["execution_count"] = bundle.ExecutionCount
		}
		if id := bundle.Transient.DisplayID; id != "" {
			c.displays[id] = append(c.displays[id], output)
		}
		c.show(cell, output, len(content))
	case "update_display_data":
		var bundle mimeBundle
		if err := decode(content, &bundle); err != nil {
			return err
		}
		for _, output := range c.displays[bundle.Transient.DisplayID] {
			output["data"], output["metadata"] = mimeLines(bundle.Data), orEmpty(bundle.Metadata)
		}
	case "error":
		var fields struct {
			Name      string   `json:"ename"`
			Value     string   `json:"evalue"`
			Traceback []string `json:"traceback"`
		}
		if err := json.Unmarshal(content, &fields); err != nil {
			return err
		}
		c.Append(cell, ErrorOutput(fields.Name, fields.Value, fields.Traceback))
	case "clear_output":
		var fields struct{ Wait bool }
		if err := json.Unmarshal(content, &fields); err != nil {
			return err
		}
		if fields.Wait {
			c.of(cell).clear = true
		} else {
			c.reset(cell)
		}
	}
	return nil
}

func (c *Collector) stream(cell *Cell, name, text string) {
	c.clearIfAsked(cell)
	known := c.of(cell)
	open := known.stream
	if known.excess != nil || known.text+open.size() > maxText {
		c.exceed(cell, name).add(text)
		return
	}
	if open == nil || open.name != name {
		open = &openStream{name: name, output: Output{"output_type": "stream", "name": name}}
		open.screen.Emit = func(text string) { open.done.WriteString(text) }
		c.Append(cell, open.output)
		known.stream = open
	}
	open.screen.Write(text)
}

func (s *openStream) size() int {
	if s == nil {
		return 0
	}
	return s.done.Len() + perOutput
}

// exceed begins to leave output of the cell out.
func (c *Collector) exceed(cell *Cell, name string) *excess {
	known := c.of(cell)
	if known.excess == nil {
		x := &excess{output: Output{"output_type": "stream", "name": name}}
		c.Append(cell, x.output)
		known.excess = x
	}
	return known.excess
}

func (x *excess) add(text string) {
	x.bytes += len(text)
	x.tail = append(x.tail, text...)
	if len(x.tail) > 2*maxTail { // cut seldom: linear in all
		x.tail = append(x.tail[:0], x.tail[len(x.tail)-maxTail:]...)
	}
}

// lines are the sentence about what is left out, and the last lines.
func (x *excess) lines() []any {
	tail := x.tail
	if over := len(tail) - maxTail; over > 0 {
		tail = tail[over:]
		if i := bytes.IndexByte(tail, '\n'); i >= 0 {
			tail = tail[i+1:] // begin with a whole line
		}
		for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
			tail = tail[1:]
		}
	}
	var what []string
	if left := x.bytes - len(tail); left > 0 {
		what = append(what, fmt.Sprintf("%d bytes of output", left))
	}
	if x.displays > 0 {
		what = append(what, fmt.Sprintf("%d displays", x.displays))
	}
	var b strings.Builder
	if len(what) > 0 {
		fmt.Fprintf(&b, "\n[%s left out here: a cell keeps %d MiB of text and %d MiB of displays]\n", strings.Join(what, " and "), maxText>>20, maxDisplay>>20)
	}
	screen := Stream{Emit: func(text string) { b.WriteString(text) }}
	screen.Write(string(tail))
	return splitLines(b.String() + screen.Pending())
}

// Flush writes the text that is still growing into the cell's outputs.
func (c *Collector) Flush(cell *Cell) {
	known := c.of(cell)
	if open := known.stream; open != nil {
		open.output["text"] = splitLines(open.done.String() + open.screen.Pending())
	}
	if known.excess != nil {
		known.excess.output["text"] = known.excess.lines()
	}
}

// Append adds an output that no message brought.
func (c *Collector) Append(cell *Cell, output Output) {
	c.clearIfAsked(cell)
	c.Flush(cell)
	known := c.of(cell)
	known.text += known.stream.size()
	known.stream = nil
	cell.Outputs = append(cell.Outputs, output)
}

// show adds a display, unless the cell has shown too much.
func (c *Collector) show(cell *Cell, output Output, size int) {
	c.clearIfAsked(cell)
	known := c.of(cell)
	if known.display += size + perOutput; known.display > maxDisplay {
		c.exceed(cell, "stderr").displays++
		return
	}
	c.Append(cell, output)
}

func (c *Collector) clearIfAsked(cell *Cell) {
	if c.of(cell).clear {
		c.reset(cell)
	}
}

func (c *Collector) reset(cell *Cell) {
	cell.Outputs = nil
	delete(c.cells, cell)
}

// ErrorOutput is the output of a failed cell.
func ErrorOutput(name, value string, traceback []string) Output {
	lines := make([]any, len(traceback))
	for i, line := range traceback {
		lines[i] = line
	}
	return Output{"output_type": "error", "ename": name, "evalue": value, "traceback": lines}
}

// mimeLines stores texts as nbformat does: a list of lines, except for JSON and for base64 (images), which stay one string.
func mimeLines(data map[string]any) map[string]any {
	stored := map[string]any{}
	for mime, value := range data {
		text, isText := value.(string)
		if isText && (strings.HasPrefix(mime, "text/") || mime == "application/javascript" || mime == "image/svg+xml") {
			stored[mime] = splitLines(text)
		} else {
			stored[mime] = value
		}
	}
	return stored
}

// decode reads JSON with its numbers as they were written.
func decode(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}
