package notebook

import (
	"encoding/json"
	"strings"
)

// collector turns the kernel's messages into the outputs of cells, as Jupyter's front end does: consecutive pieces of
// a stream become one output, a display with an id is updated in place wherever it was shown.
type collector struct {
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

func newCollector() *collector {
	return &collector{displays: map[string][]Output{}, streams: map[*Cell]*openStream{}, clear: map[*Cell]bool{}}
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

// add records a message of the IOPub channel among a cell's outputs.
func (c *collector) add(cell *Cell, msg *message) error {
	switch msg.Header.Type {
	case "stream":
		var content struct{ Name, Text string }
		if err := json.Unmarshal(msg.Content, &content); err != nil {
			return err
		}
		c.stream(cell, content.Name, content.Text)
	case "display_data", "execute_result":
		var bundle mimeBundle
		if err := msg.decode(&bundle); err != nil {
			return err
		}
		output := Output{"output_type": msg.Header.Type, "data": mimeLines(bundle.Data), "metadata": orEmpty(bundle.Metadata)}
		if msg.Header.Type == "execute_result" {
			output["execution_count"] = bundle.ExecutionCount
		}
		if id := bundle.Transient.DisplayID; id != "" {
			c.displays[id] = append(c.displays[id], output)
		}
		c.append(cell, output)
	case "update_display_data":
		var bundle mimeBundle
		if err := msg.decode(&bundle); err != nil {
			return err
		}
		for _, output := range c.displays[bundle.Transient.DisplayID] {
			output["data"], output["metadata"] = mimeLines(bundle.Data), orEmpty(bundle.Metadata)
		}
	case "error":
		var content struct {
			Name      string   `json:"ename"`
			Value     string   `json:"evalue"`
			Traceback []string `json:"traceback"`
		}
		if err := json.Unmarshal(msg.Content, &content); err != nil {
			return err
		}
		c.append(cell, errorOutput(content.Name, content.Value, content.Traceback))
	case "clear_output":
		var content struct{ Wait bool }
		if err := json.Unmarshal(msg.Content, &content); err != nil {
			return err
		}
		if content.Wait {
			c.clear[cell] = true
		} else {
			c.reset(cell)
		}
	}
	return nil
}

func (c *collector) stream(cell *Cell, name, text string) {
	c.clearIfAsked(cell)
	open := c.streams[cell]
	if open == nil || open.name != name {
		open = &openStream{name: name, output: Output{"output_type": "stream", "name": name}}
		c.append(cell, open.output)
		c.streams[cell] = open
	}
	open.text.Write(text)
}

// flush writes the stream that is still growing into the cell's outputs.
func (c *collector) flush(cell *Cell) {
	if open := c.streams[cell]; open != nil {
		open.output["text"] = splitLines(open.text.String())
	}
}

func (c *collector) append(cell *Cell, output Output) {
	c.clearIfAsked(cell)
	c.flush(cell)
	delete(c.streams, cell)
	cell.Outputs = append(cell.Outputs, output)
}

func (c *collector) clearIfAsked(cell *Cell) {
	if c.clear[cell] {
		c.reset(cell)
	}
}

func (c *collector) reset(cell *Cell) {
	cell.Outputs = nil
	delete(c.clear, cell)
	delete(c.streams, cell)
}

func errorOutput(name, value string, traceback []string) Output {
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
