package notebook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// validID is nbformat 4.5's pattern for cell ids.
var validID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// assignIDs gives an id to every cell that has none, an invalid one or another cell's. The id is a hash of the cell's position
// and source: reading the same file twice gives the same ids, so that saving it twice makes no difference.
func (nb *Notebook) assignIDs() {
	seen := map[string]bool{}
	for i, cell := range nb.Cells {
		for attempt := 0; !validID.MatchString(cell.ID) || seen[cell.ID]; attempt++ {
			cell.ID = makeID(fmt.Sprintf("%d:%d:%s:%s", i, attempt, cell.Type, cell.Source))
		}
		seen[cell.ID] = true
	}
}

func makeID(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return hex.EncodeToString(sum[:4]) // Jupyter's ids have eight characters, too
}

// Tags are the cell's tags (metadata.tags).
func (c *Cell) Tags() []string {
	var tags []string
	if list, ok := c.Metadata["tags"].([]any); ok {
		for _, tag := range list {
			if s, ok := tag.(string); ok {
				tags = append(tags, s)
			}
		}
	}
	return tags
}

// HasTag reports whether the cell carries a tag.
func (c *Cell) HasTag(tag string) bool { return slices.Contains(c.Tags(), tag) }

// Executable reports whether a run sends the cell to the kernel: a code cell that is not blank.
func (c *Cell) Executable() bool {
	return c.Type == Code && strings.TrimSpace(c.Source) != ""
}

// Heading says what a cell is about: the last heading in the markdown above it, else the first line of its source that is
// not blank and not the "%%" that begins the code which runs.
func (nb *Notebook) Heading(index int) string {
	for i := index - 1; i >= 0; i-- {
		if nb.Cells[i].Type != Markdown {
			continue
		}
		if heading := lastHeading(nb.Cells[i].Source); heading != "" {
			return heading
		}
	}
	for line := range strings.Lines(nb.Cells[index].Source) {
		if line = strings.TrimSpace(line); line != "" && line != "%%" {
			return shorten(line, 60)
		}
	}
	return "(empty cell)"
}

func lastHeading(markdown string) (heading string) {
	fenced := false
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced // a # in a code block is a comment
		}
		text := strings.TrimLeft(line, "#")
		if level := len(line) - len(text); !fenced && level >= 1 && level <= 6 && strings.HasPrefix(text, " ") {
			heading = strings.TrimSpace(text)
		}
	}
	return heading
}

// shorten cuts a line to at most n characters, the last one an ellipsis.
func shorten(line string, n int) string {
	if runes := []rune(line); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return line
}

// ClearOutputs empties all code cells, so that what a run leaves is only what that run produced.
func (nb *Notebook) ClearOutputs() {
	for _, cell := range nb.Cells {
		cell.Outputs, cell.ExecutionCount = nil, 0
	}
}
