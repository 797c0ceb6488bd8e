package chat

import (
	"math"
	"math/bits"
	"strings"
)

type unaryNode struct {
	operator string
	value    expression
}

func (n *unaryNode) eval(r *run, s *scope) value {
	v := r.eval(n.value, s)
	if i, ok := integer(v); ok {
		if n.operator == "-" {
			if i == math.MinInt64 {
				failBig()
			}
			return -i
		}
		return i
	}
	if f, ok := v.(float64); ok {
		if n.operator == "-" {
			return -f
		}
		return f
	}
	if u, ok := v.(undefined); ok {
		fail("UndefinedError: %s", u.message)
	}
	fail("TypeError: bad operand type for unary %s: '%s'", n.operator, typeName(v))
	return nil
}

type binaryNode struct {
	operator    string
	left, right expression
}

func (n *binaryNode) eval(r *run, s *scope) value {
	return r.binary(n.operator, r.eval(n.left, s), r.eval(n.right, s))
}

func failBig() { fail("integers of more than 64 bits are not supported") }

// binary is an arithmetic operator between two values.
func (r *run) binary(operator string, a, b value) value {
	if format, ok := a.(string); ok && operator == "%" {
		return r.format(format, b)
	}
	for _, v := range []value{a, b} {
		if u, ok := v.(undefined); ok {
			fail("UndefinedError: %s", u.message)
		}
	}
	i, inta := integer(a)
	j, intb := integer(b)
	x, numbera := number(a)
	y, numberb := number(b)
	switch {
	case inta && intb:
		return integerOperation(operator, i, j)
	case numbera && numberb:
		return floatOperation(operator, x, y)
	case operator == "+":
		if v, ok := r.joined(a, b); ok {
			return v
		}
	case operator == "*" && intb:
		if v, ok := r.repeated(a, j); ok {
			return v
		}
	case operator == "*" && inta:
		if v, ok := r.repeated(b, i); ok {
			return v
		}
	}
	if _, ok := a.(markup); ok && operator == "%" {
		fail("%% of a text that is marked safe is not supported")
	}
	fail("TypeError: unsupported operand type(s) for %s: '%s' and '%s'", operator, typeName(a), typeName(b))
	return nil
}

// joined is + of two texts or two sequences.
func (r *run) joined(a, b value) (value, bool) {
	if x, ok := a.(*sequence); ok {
		y, ok := b.(*sequence)
		if !ok || x.kind != y.kind || x.kind > tupleKind {
			return nil, false
		}
		r.grow(16 * (len(x.items) + len(y.items)))
		items := make([]value, 0, len(x.items)+len(y.items))
		return &sequence{items: append(append(items, x.items...), y.items...), kind: x.kind}, true
	}
	s, oka := text(a)
	t, okb := text(b)
	if !oka || !okb {
		return nil, false
	}
	_, safea := a.(markup)
	_, safeb := b.(markup)
	if safea && !safeb {
		t = r.escape(t)
	} else if safeb && !safea {
		s = r.escape(s)
	}
	r.grow(len(s) + len(t))
	if safea || safeb {
		return markup(s + t), true
	}
	return s + t, true
}

// repeated is a text or a sequence n times.
func (r *run) repeated(v value, n int64) (value, bool) {
	n = max(n, 0)
	switch v := v.(type) {
	case string:
		r.growTimes(n, len(v))
		if v == "" {
			return v, true
		}
		return strings.Repeat(v, int(n)), true
	case markup:
		s, _ := r.repeated(string(v), n)
		return markup(s.(string)), true
	case *sequence:
		if v.kind > tupleKind {
			return nil, false
		}
		out := &sequence{kind: v.kind}
		if len(v.items) == 0 {
			return out, true
		}
		r.growTimes(n, 16*len(v.items))
		for range n {
			out.items = append(out.items, v.items...)
		}
		return out, true
	}
	return nil, false
}

func integerOperation(operator string, i, j int64) value {
	switch operator {
	case "+":
		if sum := i + j; (sum > i) == (j > 0) {
			return sum
		}
		failBig()
	case "-":
		if difference := i - j; (difference < i) == (j > 0) {
			return difference
		}
		failBig()
	case "*":
		high, low := bits.Mul64(uint64(max(i, -i)), uint64(max(j, -j)))
		if high != 0 || low > math.MaxInt64 || i == math.MinInt64 || j == math.MinInt64 {
			failBig()
		}
		return i * j
	case "**":
		if j < 0 {
			return floatOperation(operator, float64(i), float64(j))
		}
		power := int64(1)
		if i == 0 && j > 0 || i == 1 {
			return i
		}
		if i == -1 {
			return 1 - 2*(j&1)
		}
		for range j {
			power = integerOperation("*", power, i).(int64)
		}
		return power
	case "/":
		if j == 0 {
			fail("ZeroDivisionError: division by zero")
		}
		if max(i, -i) > 1<<53 || max(j, -j) > 1<<53 {
			fail("the quotient of integers of more than 53 bits is not supported")
		}
		return float64(i) / float64(j)
	default: // "//" and "%" round towards minus infinity.
		if j == 0 {
			fail("ZeroDivisionError: integer division or modulo by zero")
		}
		if i == math.MinInt64 {
			failBig()
		}
		quotient, rest := i/j, i%j
		if rest != 0 && (rest < 0) != (j < 0) {
			quotient, rest = quotient-1, rest+j
		}
		if operator == "//" {
			return quotient
		}
		return rest
	}
	return nil
}

func floatOperation(operator string, x, y float64) value {
	switch operator {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "**":
		switch {
		case x == 0 && y < 0:
			fail("ZeroDivisionError: 0.0 cannot be raised to a negative power")
		case x < 0 && y != math.Trunc(y):
			fail("complex numbers are not supported")
		}
		power := math.Pow(x, y)
		if math.IsInf(power, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			fail("OverflowError: the power is too large")
		}
		return power
	}
	if y == 0 {
		fail("ZeroDivisionError: float division by zero")
	}
	if operator == "/" {
		return x / y
	}
	// As CPython's float_divmod.
	rest := math.Mod(x, y)
	quotient := (x - rest) / y
	if rest != 0 {
		if (y < 0) != (rest < 0) {
			rest += y
			quotient--
		}
	} else {
		rest = math.Copysign(0, y)
	}
	if operator == "%" {
		return rest
	}
	if quotient == 0 {
		return math.Copysign(0, x/y)
	}
	floor := math.Floor(quotient)
	if quotient-floor > 0.5 {
		floor++
	}
	return floor
}
