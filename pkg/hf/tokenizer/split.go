package tokenizer

// behavior says what becomes of the matches a text is cut at.
type behavior uint8

const (
	isolated           behavior = iota // a match is a word of its own
	removed                            // matches are dropped
	contiguous                         // neighbouring matches are one word
	mergedWithPrevious                 // a match ends the word before it
	mergedWithNext                     // a match begins the word after it
)

var behaviors = map[string]behavior{
	"Isolated": isolated, "Removed": removed, "Contiguous": contiguous,
	"MergedWithPrevious": mergedWithPrevious, "MergedWithNext": mergedWithNext,
}

// splitter cuts a text at the matches of a pattern.
type splitter struct {
	find   finder
	how    behavior
	invert bool // what lies between the matches counts as the match
}

// stretch is a match or what lies between two.
type stretch struct {
	start, end int
	match      bool
}

func (s splitter) split(p piece, yield func(piece)) {
	if s.how == isolated {
		s.each(p.text, func(part stretch) { yield(p.slice(part.start, part.end)) })
		return
	}
	var all []stretch
	s.each(p.text, func(part stretch) {
		part.match = part.match != s.invert
		all = append(all, part)
	})
	for i := 0; i < len(all); i++ {
		word := all[i]
		follows := func() bool { return i+1 < len(all) }
		switch s.how {
		case removed:
			if word.match {
				continue
			}
		case contiguous:
			for follows() && all[i+1].match == word.match {
				i++
			}
		case mergedWithPrevious:
			if !word.match && follows() && all[i+1].match {
				i++
			}
		case mergedWithNext:
			if word.match && follows() && !all[i+1].match {
				i++
			}
		}
		yield(p.slice(word.start, all[i].end))
	}
}

// each visits the matches and what lies between them, in order, covering the text.
func (s splitter) each(text string, visit func(stretch)) {
	at := 0
	for at < len(text) {
		start, end, ok := s.find.next(text, at)
		if !ok {
			visit(stretch{at, len(text), false})
			return
		}
		if at < start {
			visit(stretch{at, start, false})
		}
		visit(stretch{start, end, true})
		at = end
	}
}
