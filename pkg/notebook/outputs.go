package notebook

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Collector turns the kernel's messages into the outputs of cells, as Jupyter's front end does: consecutive pieces of
// a stream become one output, a display with an id is updated in place wherever it was shown.
type Collector struct {
	displays map[string][]Output // every output that shows a display id
	streams  map[*Cell]*openStream
	clear    map[*Cell]bool // clear_output(wait=True): clear when the next output arrives
}

// openStream is the stream output at the end of a cell's outputs, still growing.
type openStream struct {
	name   string
	output Output
	text   streamText
}

// NewCollector makes one for the cells of one notebook.
func NewCollector() *Collector {
	return &Collector{displays: map[string][]Output{}, streams: map[*Cell]*openStream{}, clear: map[*Cell]bool{}}
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
		c.Append(cell, output)
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
			c.clear[cell] = true
		} else {
			c.reset(cell)
		}
	}
	return nil
}

func (c *Collector) stream(cell *Cell, name, text string) {
	c.clearIfAsked(cell)
	open := c.streams[cell]
	if open == nil || open.name != name {
		open = &openStream{name: name, output: Output{"output_type": "stream", "name": name}}
		c.Append(cell, open.output)
		c.streams[cell] = open
	}
	open.text.Write(text)
}

// Flush writes the stream that is still growing into the cell's outputs.
func (c *Collector) Flush(cell *Cell) {
	if open := c.streams[cell]; open != nil {
		open.output["text"] = splitLines(open.text.String())
	}
}

// Append adds an output that no message brought.
func (c *Collector) Append(cell *Cell, output Output) {
	c.clearIfAsked(cell)
	c.Flush(cell)
	delete(c.streams, cell)
	cell.Outputs = append(cell.Outputs, output)
}

func (c *Collector) clearIfAsked(cell *Cell) {
	if c.clear[cell] {
		c.reset(cell)
	}
}

func (c *Collector) reset(cell *Cell) {
	cell.Outputs = nil
	delete(c.clear, cell)
	delete(c.streams, cell)
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

// streamText gathers what a program prints and keeps what a terminal would show: a carriage return starts the line
// again. A progress bar redrawn a thousand times is saved as its last state.
type streamText struct {
	done strings.Builder // finished lines
	line string          // the line being written, as shown
	back bool            // a carriage return came last: the next character overwrites the line, unless it is a newline
}

// Write adds a piece of output; pieces may end anywhere, also between \r and \n.
func (s *streamText) Write(text string) {
	for text != "" {
		i := strings.IndexAny(text, "\r\n")
		if i < 0 {
			s.put(text)
			return
		}
		s.put(text[:i])
		if text[i] == '\n' {
			s.done.WriteString(s.line)
			s.done.WriteByte('\n')
			s.line, s.back = "", false
		} else {
			s.back = true
		}
		text = text[i+1:]
	}
}

func (s *streamText) put(text string) {
	if text == "" {
		return
	}
	if s.back {
		s.line, s.back = "", false
	}
	s.line += text
}

func (s *streamText) String() string { return s.done.String() + s.line }

// decode reads JSON with its numbers as they were written.
func decode(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}
