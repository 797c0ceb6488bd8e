package train

import "fmt"

// Concat is a source of several sources, one after the other: items in two layouts, or generated ones and your own. A feed mixes them.
type Concat []Source

// Len is how many documents all of them have.
func (c Concat) Len() int {
	n := 0
	for _, s := range c {
		n += s.Len()
	}
	return n
}

// Document is the i-th of all.
func (c Concat) Document(i int) (Document, error) {
	at := i
	for _, s := range c {
		if at < s.Len() {
			return s.Document(at)
		}
		at -= s.Len()
	}
	return Document{}, fmt.Errorf("document %d of a source of %d", i, c.Len())
}
