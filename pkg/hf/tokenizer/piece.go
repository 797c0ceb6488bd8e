package tokenizer

// span is a stretch of the original text, in bytes. 32 bits, because there is one for every byte of a changed text.
type span struct{ start, end int32 }

// piece is a stretch of text on its way through normalizers and pre-tokenizers that remembers where
// in the original text each of its bytes comes from.
type piece struct {
	text string
	base int // original offset of the first byte; while spans is nil, of byte i it is base+i
	// spans holds each byte's stretch of the original once a step changed the text; nil before.
	spans []span
}

// slice returns bytes i to j of the piece.
func (p piece) slice(i, j int) piece {
	if p.spans == nil {
		return piece{text: p.text[i:j], base: p.base + i}
	}
	base := p.base // The first slice begins where the piece does, even if what stood there is gone.
	if i > 0 && i < len(p.spans) {
		base = int(p.spans[i].start)
	}
	return piece{text: p.text[i:j], base: base, spans: p.spans[i:j]}
}

// origin returns the stretch of the original that bytes i to j stand for; i < j.
func (p piece) origin(i, j int) (start, end int) {
	if p.spans == nil {
		return p.base + i, p.base + j
	}
	return int(p.spans[i].start), int(p.spans[j-1].end)
}

// editor builds a changed piece from another, keeping the origins.
type editor struct {
	from  piece
	text  []byte
	spans []span
}

func edit(from piece) *editor {
	size := len(from.text) + len(from.text)/2 + 8
	return &editor{from: from, text: make([]byte, 0, size), spans: make([]span, 0, size)}
}

// keep copies bytes i to j as they are.
func (e *editor) keep(i, j int) {
	e.text = append(e.text, e.from.text[i:j]...)
	if e.from.spans != nil {
		e.spans = append(e.spans, e.from.spans[i:j]...)
		return
	}
	for at := e.from.base + i; at < e.from.base+j; at++ {
		e.spans = append(e.spans, span{int32(at), int32(at + 1)})
	}
}

// put writes text that stands for all of bytes i to j; with i == j it is an insertion before byte i, of no width in the original.
func (e *editor) put(text string, i, j int) {
	e.text = append(e.text, text...)
	var start, end int
	switch {
	case i < j:
		start, end = e.from.origin(i, j)
	case i < len(e.from.text):
		start, _ = e.from.origin(i, i+1)
		end = start
	case i > 0:
		_, end = e.from.origin(i-1, i)
		start = end
	default:
		start, end = e.from.base, e.from.base
	}
	for range len(text) {
		e.spans = append(e.spans, span{int32(start), int32(end)})
	}
}

func (e *editor) piece() piece {
	return piece{text: string(e.text), base: e.from.base, spans: e.spans}
}

// prepend inserts text at the front of a piece.
func prepend(p piece, text string) piece {
	e := edit(p)
	e.put(text, 0, 0)
	e.keep(0, len(p.text))
	return e.piece()
}

// replaceAll puts content in the place of every match.
func replaceAll(p piece, find finder, content string) piece {
	start, end, ok := find.next(p.text, 0)
	if !ok {
		return p
	}
	e := edit(p)
	at := 0
	for ok {
		e.keep(at, start)
		e.put(content, start, end)
		at = end
		start, end, ok = find.next(p.text, at)
	}
	e.keep(at, len(p.text))
	return e.piece()
}
