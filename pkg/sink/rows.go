package sink

// The measures of one query's row of attention, averaged over the real queries of each prompt and head.
const (
	nameEntropy  = "entropy"
	nameFirst    = "first"
	nameDiagonal = "diagonal"
	nameLocal    = "local"
	nameDistance = "distance"
	nameRowSum   = "row-sum"
	nameLate     = "first-late"
)

var rowNames = []string{nameEntropy, nameFirst, nameDiagonal, nameLocal, nameDistance, nameRowSum, nameLate}

// rowMeasures adds a tile's rows.
func (c *collector) rowMeasures(t *tile) {
	diagonal := t.diagonal()
	total := t.total(c)
	c.addRows(nameRowSum, t, total)
	c.addRows(nameFirst, t, t.first())
	c.addRows(nameLate, t, t.lateFirst(c.late))
	c.addRows(nameDiagonal, t, diagonal)
	c.addRows(nameLocal, t, t.local(c))
	c.addRows(nameDistance, t, t.distance(c, total))
	c.addRows(nameEntropy, t, t.entropy(diagonal, total))
}
