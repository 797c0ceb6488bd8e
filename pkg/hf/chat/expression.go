package chat

// The expressions of the grammar, from the loosest binding to the tightest.

func (p *parser) expression() expression {
	defer p.deeper()()
	n := p.or()
	for p.skipName("if") {
		test := p.or()
		c := &conditionalNode{test: test, then: n}
		if p.skipName("else") {
			c.otherwise = p.expression()
		}
		n = c
	}
	return n
}

// tuple parses an expression, or several with commas between, which are a tuple.
func (p *parser) tuple(conditional bool) expression {
	return p.tupleUpTo(conditional, false)
}

func (p *parser) tupleUpTo(conditional, parenthesised bool) expression {
	defer p.deeper()()
	var items []expression
	several := false
	for {
		if p.atEnd() || p.isOperator(")") || p.isName("recursive") {
			break
		}
		if conditional {
			items = append(items, p.expression())
		} else {
			items = append(items, p.or())
		}
		if !p.skipOperator(",") {
			break
		}
		several = true
	}
	switch {
	case several || len(items) == 0 && parenthesised:
		return &sequenceNode{items, tupleKind}
	case len(items) == 0:
		p.expected("an expression")
	}
	return items[0]
}

func (p *parser) or() expression {
	n := p.and()
	for p.skipName("or") {
		n = &logicalNode{n, p.and(), true}
	}
	return n
}

func (p *parser) and() expression {
	n := p.not()
	for p.skipName("and") {
		n = &logicalNode{n, p.not(), false}
	}
	return n
}

func (p *parser) not() expression {
	if p.skipName("not") {
		defer p.deeper()()
		return &notNode{p.not()}
	}
	return p.comparison()
}

var comparisons = []string{"==", "!=", "<=", ">=", "<", ">"}

func (p *parser) comparison() expression {
	first := p.sum()
	n := &comparisonNode{first: first}
	for {
		operator := ""
		for _, op := range comparisons {
			if p.skipOperator(op) {
				operator = op
				break
			}
		}
		switch {
		case operator != "":
		case p.skipName("in"):
			operator = "in"
		case p.isName("not") && p.next+1 < len(p.tokens) && p.tokens[p.next+1].kind == nameToken && p.tokens[p.next+1].text == "in":
			p.next += 2
			operator = "not in"
		case len(n.operators) == 0:
			return first
		default:
			return n
		}
		n.operators, n.operands = append(n.operators, operator), append(n.operands, p.sum())
	}
}

// binary parses operands with operators of one precedence between.
func (p *parser) binary(operand func() expression, operators ...string) expression {
	n := operand()
next:
	for {
		for _, op := range operators {
			if p.skipOperator(op) {
				n = &binaryNode{op, n, operand()}
				continue next
			}
		}
		return n
	}
}

func (p *parser) sum() expression { return p.binary(p.concatenation, "+", "-") }

func (p *parser) concatenation() expression {
	n := p.product()
	if !p.isOperator("~") {
		return n
	}
	parts := []expression{n}
	for p.skipOperator("~") {
		parts = append(parts, p.product())
	}
	return &concatenationNode{parts}
}

func (p *parser) product() expression { return p.binary(p.power, "*", "//", "/", "%") }

func (p *parser) power() expression {
	return p.binary(func() expression { return p.unary(true) }, "**")
}

func (p *parser) unary(withFilter bool) expression {
	var n expression
	switch {
	case p.isOperator("-"), p.isOperator("+"):
		defer p.deeper()()
		op := p.advance().text
		n = &unaryNode{op, p.unary(false)}
	default:
		n = p.primary()
	}
	n = p.postfix(n)
	if !withFilter {
		return n
	}
	for {
		switch {
		case p.isOperator("|"):
			n = p.filters(n)
		case p.skipName("is"):
			n = p.test(n)
		case p.isOperator("("):
			n = p.call(n)
		default:
			return n
		}
	}
}

// constants are names that are values.
var constants = map[string]value{"true": true, "True": true, "false": false, "False": false, "none": nil, "None": nil}

func (p *parser) primary() expression {
	t := p.peek()
	switch t.kind {
	case nameToken:
		p.advance()
		if v, ok := constants[t.text]; ok {
			return &constantNode{v}
		}
		for _, m := range p.macros {
			switch t.text {
			case "caller":
				m.usesCaller = true
			case "varargs":
				m.usesVarargs = true
			case "kwargs":
				m.usesKwargs = true
			}
		}
		return &nameNode{t.text}
	case stringToken:
		text := ""
		for p.peek().kind == stringToken {
			text += p.advance().text
		}
		return &constantNode{text}
	case numberToken:
		p.advance()
		return &constantNode{p.number(t.text)}
	case operatorToken:
		switch t.text {
		case "(":
			p.advance()
			n := p.tupleUpTo(true, true)
			p.operator(")")
			return n
		case "[":
			p.advance()
			items := p.list("]", p.expression)
			return &sequenceNode{items, listKind}
		case "{":
			p.advance()
			n := &dictNode{}
			p.list("}", func() expression {
				key := p.expression()
				p.operator(":")
				n.keys, n.values = append(n.keys, key), append(n.values, p.expression())
				return nil
			})
			return n
		}
	}
	p.expected("an expression")
	return nil
}

// list parses items with commas between, the last of which may have one too, up to a closing bracket.
func (p *parser) list(closing string, item func() expression) []expression {
	defer p.deeper()()
	var items []expression
	for !p.skipOperator(closing) {
		if len(items) > 0 {
			p.operator(",")
			if p.skipOperator(closing) {
				break
			}
		}
		items = append(items, item())
	}
	return items
}

func (p *parser) postfix(n expression) expression {
	for {
		switch {
		case p.isOperator("("):
			n = p.call(n)
		case p.skipOperator("."):
			t := p.advance()
			switch t.kind {
			case nameToken:
				n = &attributeNode{n, t.text}
			case numberToken:
				n = &itemNode{n, &constantNode{p.number(t.text)}}
			default:
				p.fail("found %q behind a dot, expected a name or a number", t.text)
			}
		case p.skipOperator("["):
			var items []expression
			items = p.list("]", p.subscript)
			if len(items) == 0 {
				p.fail("found [] behind a value, expected what to take of it")
			}
			if len(items) == 1 {
				n = &itemNode{n, items[0]}
			} else {
				n = &itemNode{n, &sequenceNode{items, tupleKind}}
			}
		default:
			return n
		}
	}
}

// subscript parses an index or a slice.
func (p *parser) subscript() expression {
	var bounds [3]expression
	if !p.isOperator(":") {
		n := p.expression()
		if !p.isOperator(":") {
			return n
		}
		bounds[0] = n
	}
	for i := 1; i < 3 && p.skipOperator(":"); i++ {
		if !p.isOperator(":") && !p.isOperator("]") && !p.isOperator(",") {
			bounds[i] = p.expression()
		}
	}
	return &sliceNode{bounds}
}

func (p *parser) call(n expression) expression {
	return &callNode{n, p.arguments(), p.line}
}

// argumentsNode are the arguments of a call as they are written.
type argumentsNode struct {
	positional         []expression
	names              []string
	named              []expression
	unpacked, keywords expression // *args and **kwargs
}

func (p *parser) arguments() argumentsNode {
	defer p.deeper()()
	var a argumentsNode
	p.operator("(")
	comma := false
	for !p.skipOperator(")") {
		if comma {
			p.operator(",")
			if p.skipOperator(")") {
				break
			}
		}
		comma = true
		switch {
		case p.skipOperator("*"):
			if a.unpacked != nil || a.keywords != nil {
				p.fail("a second * in a call")
			}
			a.unpacked = p.expression()
		case p.skipOperator("**"):
			if a.keywords != nil {
				p.fail("a second ** in a call")
			}
			a.keywords = p.expression()
		case p.peek().kind == nameToken && p.next+1 < len(p.tokens) && p.tokens[p.next+1].kind == operatorToken && p.tokens[p.next+1].text == "=":
			a.names = append(a.names, p.name())
			p.operator("=")
			a.named = append(a.named, p.expression())
		case len(a.named) > 0 || a.unpacked != nil || a.keywords != nil:
			p.fail("an argument without a name follows one with a name")
		default:
			a.positional = append(a.positional, p.expression())
		}
	}
	return a
}

// filters parses the filters behind a value; nil stands for the text of a block.
func (p *parser) filters(n expression) expression {
	for p.skipOperator("|") {
		n = p.filter(n)
	}
	return n
}

func (p *parser) filter(n expression) expression {
	name := p.name()
	if _, ok := filters[name]; !ok {
		p.unsupported("the filter %s", name)
	}
	f := &filterNode{value: n, name: name, line: p.line}
	if p.isOperator("(") {
		f.arguments = p.arguments()
	}
	return f
}

func (p *parser) test(n expression) expression {
	negated := p.skipName("not")
	name := p.name()
	if _, ok := tests[name]; !ok {
		p.unsupported("the test %s", name)
	}
	t := &testNode{value: n, name: name, line: p.line}
	next := p.peek()
	switch {
	case p.isOperator("("):
		t.arguments = p.arguments()
	case p.isName("is"):
		p.fail("tests cannot be chained with is")
	case next.kind == nameToken && next.text != "else" && next.text != "or" && next.text != "and",
		next.kind == stringToken, next.kind == numberToken, p.isOperator("["), p.isOperator("{"):
		t.arguments.positional = []expression{p.postfix(p.primary())}
	}
	if negated {
		return &notNode{t}
	}
	return t
}
