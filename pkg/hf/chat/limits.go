package chat

import (
	"fmt"
	"unicode/utf8"
)

// A chat template is somebody else's program: these bounds end it whatever it does. The largest published template needs less than a
// thousandth of them for a conversation of a hundred turns. Each byte of template and conversation adds to steps and bytes, so that a
// long conversation is not refused.
const (
	maxSource    = 256 << 10 // bytes of a template; published ones have up to about 20 kB
	maxNesting   = 200       // statements and expressions within each other
	maxDepth     = 200       // macros, recursive loops and values within each other while rendering
	maxStack     = 5_000     // nodes under evaluation within each other
	maxJSON      = 100       // values within each other in a message or tool
	maxSteps     = 1_000_000 // nodes evaluated
	stepsPerByte = 8
	maxBytes     = 24 << 20 // bytes of all texts and lists that a rendering makes, its output among them
	bytesPerByte = 8
)

// LimitError is a template that does more than any conversation needs: it would not end, or fill the memory.
type LimitError struct {
	What string // what there is too much of
	Line int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("chat: line %d of the template: %s; the template does not end, or is not a chat template", e.Line, e.What)
}

// budget is what a rendering may still use.
type budget struct {
	steps, bytes int
	depth        int
	line         int
}

func newBudget(size int) budget {
	return budget{steps: maxSteps + stepsPerByte*size, bytes: maxBytes + bytesPerByte*size}
}

func (b *budget) exceeded(format string, args ...any) {
	panic(&LimitError{fmt.Sprintf(format, args...), b.line})
}

// step pays for one node.
func (b *budget) step() {
	if b.steps--; b.steps < 0 {
		b.exceeded("more than %d steps", maxSteps)
	}
}

// charge pays for looking at n bytes.
func (b *budget) charge(n int) {
	if b.steps -= n / 32; b.steps < 0 {
		b.exceeded("more than %d steps", maxSteps)
	}
}

// grow pays for n bytes before they are made.
func (b *budget) grow(n int) {
	if n < 0 || n > b.bytes {
		b.exceeded("texts and lists of more than %d MB", maxBytes>>20)
	}
	b.bytes -= n
	b.charge(n)
}

// growText pays for n bytes that are added to a text, which makes room ahead.
func (b *budget) growText(n int) { b.grow(2 * n) }

// growTimes pays for n things of size bytes each.
func (b *budget) growTimes(n int64, size int) {
	if size > 0 && n > int64(b.bytes/size) {
		b.exceeded("texts and lists of more than %d MB", maxBytes>>20)
	}
	b.grow(int(max(n, 0)) * size)
}

// enter goes one level deeper.
func (b *budget) enter() {
	if b.depth++; b.depth > maxDepth {
		b.exceeded("macros, loops or values more than %d deep", maxDepth)
	}
}

func (b *budget) leave() { b.depth-- }

// runes is the number of characters of a text.
func (b *budget) runes(s string) int {
	b.charge(len(s))
	return utf8.RuneCountInString(s)
}

// runtimeError is an error of a template under way, in Python's words.
type runtimeError struct{ message string }

// fail ends a rendering. It is caught at the edge of the package.
func fail(format string, args ...any) {
	panic(&runtimeError{fmt.Sprintf(format, args...)})
}
