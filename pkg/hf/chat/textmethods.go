package chat

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// pythonSpace is what str.isspace holds for.
const pythonSpace = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

func isSpace(c rune) bool { return strings.ContainsRune(pythonSpace, c) }

// argument returns a bound argument as a text.
func argument(v value, what string) string {
	s, ok := text(v)
	if !ok {
		if u, ok := v.(undefined); ok {
			fail("TypeError: %s: expected str, found Undefined (%s)", what, u.message)
		}
		fail("TypeError: %s: expected str, found %s", what, typeName(v))
	}
	return s
}

func whole(v value, what string) int64 {
	i, ok := integer(v)
	if !ok {
		fail("TypeError: %s: '%s' object cannot be interpreted as an integer", what, typeName(v))
	}
	return i
}

var keepsMarkup = words("strip lstrip rstrip upper lower title capitalize swapcase casefold")

var unsupportedTextMethods = words("encode translate maketrans isidentifier isprintable isascii format_map")

type textMethod func(r *run, s string, a arguments) value

var textMethods map[string]textMethod

func init() { // The methods call each other.
	textMethods = map[string]textMethod{
		"strip":      stripper(strings.Trim),
		"lstrip":     stripper(strings.TrimLeft),
		"rstrip":     stripper(strings.TrimRight),
		"split":      func(r *run, s string, a arguments) value { return splitText(r, s, a, false) },
		"rsplit":     func(r *run, s string, a arguments) value { return splitText(r, s, a, true) },
		"splitlines": splitLines,
		"partition": func(r *run, s string, a arguments) value {
			sep := separator(a)
			r.grow(len(s))
			if before, after, ok := strings.Cut(s, sep); ok {
				return newTuple(before, sep, after)
			}
			return newTuple(s, "", "")
		},
		"rpartition": func(r *run, s string, a arguments) value {
			sep := separator(a)
			r.grow(len(s))
			if i := strings.LastIndex(s, sep); i >= 0 {
				return newTuple(s[:i], sep, s[i+len(sep):])
			}
			return newTuple("", "", s)
		},
		"startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
		"removeprefix": func(r *run, s string, a arguments) value {
			return strings.TrimPrefix(s, argument(a.bind("removeprefix", 1, "prefix")[0], "removeprefix"))
		},
		"removesuffix": func(r *run, s string, a arguments) value {
			return strings.TrimSuffix(s, argument(a.bind("removesuffix", 1, "suffix")[0], "removesuffix"))
		},
		"replace": func(r *run, s string, a arguments) value {
			b := a.bind("replace", 2, "old", "new", "count")
			return r.replace(s, argument(b[0], "replace"), argument(b[1], "replace"), whole(given(b[2], int64(-1)), "replace"))
		},
		"find": finder(strings.Index, false), "rfind": finder(strings.LastIndex, false),
		"index": finder(strings.Index, true), "rindex": finder(strings.LastIndex, true),
		"count": func(r *run, s string, a arguments) value {
			return int64(strings.Count(s, argument(a.bind("count", 1, "sub")[0], "count")))
		},
		"join": func(r *run, s string, a arguments) value {
			items := r.iterate(a.bind("join", 1, "iterable")[0])
			parts := make([]string, len(items))
			size := 0
			for i, item := range items {
				parts[i] = argument(item, "join")
				size += len(parts[i]) + len(s)
			}
			r.grow(size)
			return strings.Join(parts, s)
		},
		"lower":      recased(lower),
		"casefold":   recased(func(s string) string { return cases.Fold().String(s) }),
		"upper":      recased(upper),
		"title":      recased(title),
		"capitalize": recased(capitalize),
		"swapcase": recased(func(s string) string {
			return strings.Map(func(c rune) rune {
				if unicode.IsUpper(c) {
					return unicode.ToLower(c)
				}
				return unicode.ToUpper(c)
			}, s)
		}),
		"isdigit":   all(func(c rune) bool { return unicode.IsDigit(c) || strings.ContainsRune("²³¹", c) }),
		"isdecimal": all(unicode.IsDigit), "isnumeric": all(unicode.IsNumber),
		"isalpha": all(unicode.IsLetter), "isalnum": all(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }),
		"isspace": all(isSpace),
		"islower": func(r *run, s string, a arguments) value { return lower(s) == s && upper(s) != s },
		"isupper": func(r *run, s string, a arguments) value { return upper(s) == s && lower(s) != s },
		"istitle": func(r *run, s string, a arguments) value { return title(s) == s && (lower(s) != s || upper(s) != s) },
		"zfill": func(r *run, s string, a arguments) value {
			width := r.width(a.bind("zfill", 1, "width")[0])
			sign := ""
			if s != "" && (s[0] == '+' || s[0] == '-') {
				sign, s = s[:1], s[1:]
			}
			return sign + strings.Repeat("0", max(width-len(sign)-utf8.RuneCountInString(s), 0)) + s
		},
		"ljust":  func(r *run, s string, a arguments) value { return r.justified(s, a, 0, 1) },
		"rjust":  func(r *run, s string, a arguments) value { return r.justified(s, a, 1, 1) },
		"center": func(r *run, s string, a arguments) value { return r.justified(s, a, 1, 2) },
		"expandtabs": func(r *run, s string, a arguments) value {
			r.unsupported("the method expandtabs")
			return nil
		},
		"format": formatMethod,
	}
}

func stripper(strip func(s, cutset string) string) textMethod {
	return func(r *run, s string, a arguments) value {
		chars := given(a.bind("strip", 0, "chars")[0], nil)
		if chars == nil {
			return strip(s, pythonSpace)
		}
		return strip(s, argument(chars, "strip"))
	}
}

func separator(a arguments) string {
	sep := argument(a.bind("partition", 1, "sep")[0], "partition")
	if sep == "" {
		fail("ValueError: empty separator")
	}
	return sep
}

func splitText(r *run, s string, a arguments, fromRight bool) value {
	b := a.bind("split", 0, "sep", "maxsplit")
	limit := whole(given(b[1], int64(-1)), "split")
	if limit < 0 {
		limit = int64(len(s)) + 1
	}
	r.grow(len(s) + 32)
	var parts []string
	if sep := given(b[0], nil); sep != nil {
		sep := argument(sep, "split")
		if sep == "" {
			fail("ValueError: empty separator")
		}
		n := int64(strings.Count(s, sep))
		r.grow(32 * int(min(n, limit)))
		if fromRight {
			parts = splitRight(s, sep, limit)
		} else {
			parts = strings.SplitN(s, sep, int(limit)+1)
		}
	} else {
		parts = fields(s, limit, fromRight)
	}
	r.grow(32 * len(parts))
	items := make([]value, len(parts))
	for i, part := range parts {
		items[i] = part
	}
	return newList(items)
}

func splitRight(s, sep string, limit int64) []string {
	var reversed []string
	for ; limit > 0; limit-- {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		reversed = append(reversed, s[i+len(sep):])
		s = s[:i]
	}
	reversed = append(reversed, s)
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	return reversed
}

// fields splits at whitespace, at most limit times.
func fields(s string, limit int64, fromRight bool) []string {
	all := strings.FieldsFunc(s, isSpace)
	if int64(len(all)) <= limit {
		return all
	}
	if fromRight {
		rest := strings.TrimRight(s, pythonSpace)
		var tail []string
		for range limit {
			i := strings.LastIndexFunc(rest, isSpace)
			_, width := utf8.DecodeRuneInString(rest[i:])
			tail = append([]string{rest[i+width:]}, tail...)
			rest = strings.TrimRight(rest[:i], pythonSpace)
		}
		return append([]string{rest}, tail...)
	}
	rest := strings.TrimLeft(s, pythonSpace)
	var head []string
	for range limit {
		i := strings.IndexFunc(rest, isSpace)
		head = append(head, rest[:i])
		rest = strings.TrimLeft(rest[i:], pythonSpace)
	}
	return append(head, rest)
}

func splitLines(r *run, s string, a arguments) value {
	keep := truth(given(a.bind("splitlines", 0, "keepends")[0], false))
	lines := newList(nil)
	r.grow(len(s))
	for s != "" {
		end, width := len(s), 0
		if i := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029"); i >= 0 {
			end = i
			_, width = utf8.DecodeRuneInString(s[i:])
			if strings.HasPrefix(s[i:], "\r\n") {
				width = 2
			}
		}
		r.grow(32)
		if keep {
			lines.items = append(lines.items, s[:end+width])
		} else {
			lines.items = append(lines.items, s[:end])
		}
		s = s[end+width:]
	}
	return lines
}

func affix(has func(s, affix string) bool) textMethod {
	return func(r *run, s string, a arguments) value {
		wanted := a.bind("startswith", 1, "affix")[0]
		if tuple, ok := wanted.(*sequence); ok && tuple.kind == tupleKind {
			for _, item := range tuple.items {
				if has(s, argument(item, "startswith")) {
					return true
				}
			}
			return false
		}
		return has(s, argument(wanted, "startswith"))
	}
}

func finder(index func(s, sub string) int, must bool) textMethod {
	return func(r *run, s string, a arguments) value {
		i := index(s, argument(a.bind("find", 1, "sub")[0], "find"))
		if i < 0 {
			if must {
				fail("ValueError: substring not found")
			}
			return int64(-1)
		}
		return int64(utf8.RuneCountInString(s[:i]))
	}
}

func all(is func(rune) bool) textMethod {
	return func(r *run, s string, a arguments) value {
		for _, c := range s {
			if !is(c) {
				return false
			}
		}
		return s != ""
	}
}

// replace is str.replace; its size is paid for before it is made.
func (r *run) replace(s, old, replacement string, limit int64) string {
	n := int64(strings.Count(s, old))
	if limit >= 0 {
		n = min(n, limit)
	}
	r.grow(len(s))
	r.growTimes(n, len(replacement))
	return strings.Replace(s, old, replacement, int(n))
}

func recased(change func(string) string) textMethod {
	return func(r *run, s string, a arguments) value {
		a.bind("case", 0)
		r.grow(3 * len(s))
		return change(s)
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// title is str.title: a letter behind another is lower case, any other letter is title case.
func title(s string) string {
	var b strings.Builder
	cased := false
	for _, c := range s {
		if cased {
			b.WriteRune(unicode.ToLower(c))
		} else {
			b.WriteRune(unicode.ToTitle(c))
		}
		cased = unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c)
	}
	return b.String()
}

func capitalize(s string) string {
	first, width := utf8.DecodeRuneInString(s)
	if width == 0 {
		return ""
	}
	return string(unicode.ToTitle(first)) + lower(s[width:])
}

// width pays for a width and returns it.
func (r *run) width(v value) int {
	n := whole(v, "width")
	r.growTimes(n, 4)
	return int(max(n, 0))
}

// justified puts fill around a text: left of every parts parts of what is missing go before it.
func (r *run) justified(s string, a arguments, left, parts int) string {
	b := a.bind("center", 1, "width", "fillchar")
	width := r.width(b[0])
	fill := argument(given(b[1], " "), "center")
	if utf8.RuneCountInString(fill) != 1 {
		fail("TypeError: the fill character must be exactly one character long")
	}
	missing := max(width-utf8.RuneCountInString(s), 0)
	before := left * missing / parts
	if parts == 2 {
		before = missing/2 + missing&width&1 // As CPython's str.center.
	}
	return strings.Repeat(fill, before) + s + strings.Repeat(fill, missing-before)
}

// formatMethod is str.format with fields that have no format of their own.
func formatMethod(r *run, s string, a arguments) value {
	var b strings.Builder
	automatic := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "}}"):
			b.WriteByte(s[i])
			i++
		case s[i] == '}':
			fail("ValueError: Single '}' encountered in format string")
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				fail("ValueError: expected '}' before end of string")
			}
			field := s[i+1 : i+end]
			i += end
			name, conversion, _ := strings.Cut(field, "!")
			if strings.ContainsAny(field, ":{[.") || conversion != "" && conversion != "r" && conversion != "s" {
				r.unsupported("the format {%s}", field)
			}
			var v value
			if name == "" {
				name = strconv.Itoa(automatic)
				automatic++
			}
			if n, err := strconv.Atoi(name); err == nil && n >= 0 {
				if n >= len(a.positional) {
					fail("IndexError: Replacement index %d out of range for positional args tuple", n)
				}
				v = a.positional[n]
			} else {
				found := false
				for k, known := range a.names {
					if known == name {
						v, found = a.named[k], true
					}
				}
				if !found {
					fail("KeyError: '%s'", name)
				}
			}
			if conversion == "r" {
				b.WriteString(r.repr(v))
			} else {
				printed := r.str(v)
				r.grow(len(printed))
				b.WriteString(printed)
			}
		default:
			r.charge(32)
			b.WriteByte(s[i])
		}
	}
	r.grow(b.Len())
	return b.String()
}
