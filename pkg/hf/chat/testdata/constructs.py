"""Writes constructs.json.gz: generated expressions and statements with what Jinja2 makes of them.

    python3 constructs.py [N [FILE [SEED]]]     (default: 600, constructs.json.gz)

Needs jinja2, as regenerate.py.
"""
import copy
import gzip
import json
import random
import re
import sys

from regenerate import env

CONTEXT = {
    "s": "Hello, World", "e": "", "u": "naïve 日本 'q' \"d\" <b>&", "w": "  a b\tc\n\n d  ", "l": [3, 1, 2, 1], "t": ["b", "A", "c", "a"], "d": {"b": 1, "a": [1, 2.5, None, True], "items": "x"}, "z": [],
    "i": 7, "j": -3, "f": 2.5, "n": None, "y": True, "o": False, "m": [{"role": "user", "content": "Hi", "k": 2}, {"role": "assistant", "content": "x y", "k": 1}, {"role": "user", "content": "", "k": 2}],
}
NAMES = list(CONTEXT) + ["nope"]
STRINGS = ["'a'", "'l'", "', '", "''", "' '", "'\\n'", "'o'", "'role'", "'é'", "'%s|%s'", "'x y'", "'-'", "'A1'", "'12'", "' 3.7 '", "'1e3'"]
TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true", "false", "odd", "even", "divisibleby 3", "in [1, 'a']", "eq 1", "ne none", "gt 1",
         "lower", "upper", "callable", "sameas true", "escaped"]
FILTERS = ["trim", "length", "upper", "lower", "capitalize", "title", "first", "last", "list", "join(', ')", "join", "string", "int", "float", "abs", "round", "round(1)", "round(2, 'floor')", "sort", "sort(reverse=true)",
           "unique|list", "reverse|list", "reverse", "sum", "max", "min", "default('D')", "default('D', true)", "d", "replace('a', 'bb')", "replace('l', 'L', 1)", "tojson", "tojson(indent=2)", "tojson(sort_keys=true)", "tojson(ensure_ascii=true)",
           "e", "safe", "indent", "indent(2, true)", "items|list", "map('upper')|list", "map(attribute='role')|list", "map(attribute='content')|join('+')", "selectattr('role', 'equalto', 'user')|list",
           "rejectattr('k', 'gt', 1)|list", "select|list", "reject('none')|list", "select('string')|list", "map('string')|join", "groupby('role')|list", "groupby('k')|map('last')|map('length')|list", "dictsort", "dictsort(by='value')",
           "batch(2)|list", "batch(2, 'f')|map('list')|list", "slice(2)|list", "center(9)", "wordcount", "truncate(6)", "truncate(8, true, '!', 0)", "format('p', 1)", "attr('role')", "count", "sort(attribute='k')|map(attribute='content')|list",
           "sum(attribute='k')", "map('default', 'q')|list", "forceescape", "trim('Hd')", "escape|length", "map(attribute='zz', default='q')|list", "unique(attribute='role')|list|length"]
METHODS = ["strip()", "lstrip()", "rstrip('d')", "split()", "split(',')", "split('l', 1)", "rsplit('l', 1)", "rsplit(none, 1)", "split(none, 1)", "splitlines()", "upper()", "lower()", "title()", "capitalize()", "swapcase()", "startswith('H')",
           "endswith(('d', 'x'))", "find('o')", "rfind('o')", "index('l')", "count('l')", "replace('l', '')", "replace('l', 'LL', 1)", "isdigit()", "isalpha()", "isspace()", "isupper()", "islower()", "istitle()", "isalnum()", "zfill(15)", "center(16, '*')",
           "ljust(14)", "rjust(14, '.')", "partition(',')", "rpartition('o')", "removeprefix('He')", "removesuffix('ld')", "join(t)", "join(['a', 'b'])", "format(1, 2)", "get('a')", "get('zz', 5)", "keys()|list", "values()|list", "items()|list", "keys()", "items()", "copy()",
           "index(1)", "count(1)", "append(1)", "update({})", "nope()", "__class__", "real", "casefold()"]


def expression(r, depth=0):
    if depth > 3 or r.random() < 0.2:
        return r.choice([r.choice(NAMES), r.choice(NAMES), r.choice(STRINGS), str(r.choice([0, 1, 2, 3, 10, -1, 2.0, 0.5, 1e16, 1e-5])), r.choice(["true", "none", "False"])])
    e = lambda: expression(r, depth + 1)
    return r.choice([
        lambda: f"{e()} {r.choice(['+', '-', '*', '/', '//', '%', '~', '~', '+', '==', '!=', '<', '>=', 'in', 'not in', 'and', 'or'])} {e()}",
        lambda: f"({e()})|{r.choice(FILTERS)}",
        lambda: f"{r.choice(NAMES)}|{r.choice(FILTERS)}",
        lambda: f"{r.choice(NAMES)}|{r.choice(FILTERS)}|{r.choice(FILTERS)}",
        lambda: f"({e()}).{r.choice(METHODS)}",
        lambda: f"{r.choice('suwe')}.{r.choice(METHODS)}",
        lambda: f"{r.choice(NAMES)}.{r.choice(METHODS)}",
        lambda: f"{e()} is {r.choice(['', 'not '])}{r.choice(TESTS)}",
        lambda: f"({e()})[{e()}]",
        lambda: f"{r.choice('sultm')}[{r.choice(['', '1', '-2', '10'])}:{r.choice(['', '2', '-1', '99'])}{r.choice(['', ':2', ':-1'])}]",
        lambda: f"[{e()}, {e()}]",
        lambda: f"({e()}, {e()})",
        lambda: f"{{'k': {e()}, {r.choice(STRINGS)}: {e()}}}",
        lambda: f"({e()} if {e()} else {e()})",
        lambda: f"({e()} if {e()})",
        lambda: f"not {e()}",
        lambda: f"-{e()}",
        lambda: f"{r.choice(STRINGS)} % {e()}",
        lambda: f"range({r.randint(-2, 5)}, {r.randint(-2, 6)}{r.choice(['', ', 2', ', -1'])}){r.choice(['', '|list', '[1]', '[1:]|list'])}",
        lambda: f"m[{r.choice(['0', '1', '-1', '5'])}].{r.choice(['role', 'content', 'k', 'zz', 'zz.y', 'items'])}",
    ])()


def source(r):
    e = lambda: expression(r, 1)
    out = "{{ %s }}" % e()
    return r.choice([
        lambda: out, lambda: out, lambda: out, lambda: out,
        lambda: "{%% for x in %s %%}%s{{ x }}{{ loop.%s }}{%% else %%}none{%% endfor %%}" % (e(), r.choice(["", "{% if loop.index > 2 %}{% break %}{% endif %}", "{% if x == 1 %}{% continue %}{% endif %}"]), r.choice(["index", "last", "length", "revindex", "previtem", "nextitem", "depth", "cycle('a', 'b')", "changed(x)"])),
        lambda: "{%% for a, b in %s %%}{{ a }}={{ b }};{%% endfor %%}" % e(),
        lambda: "{%% for x in %s if %s %%}{{ loop.index }}{{ x }}{{ loop.last }}{%% endfor %%}" % (r.choice(["m", "l", "t", "s", "d", "range(5)"]), r.choice(["x", "x is string", "x is odd", "loop", "x != 1", "x.role == 'user'"])),
        lambda: "{%% set v = %s %%}{{ v }}{{ v|length }}{{ v is string }}" % e(),
        lambda: "{%% set v %%}%s{%% endset %%}[{{ v }}]" % out,
        lambda: "{%% set v|%s %%}%s{%% endset %%}[{{ v }}]" % (r.choice(FILTERS), out),
        lambda: "{%% filter %s %%}%s{%% endfilter %%}" % (r.choice(FILTERS), out),
        lambda: "{%% macro f(a, b=%s) %%}<{{ a }}{{ b }}{{ varargs }}{{ kwargs }}>{%% endmacro %%}{{ f(%s) }}{{ f(%s, c=%s) }}" % (e(), e(), e(), e()),
        lambda: "{%% macro f(a, b=2) %%}<{{ a }}{{ b }}>{%% endmacro %%}{{ f(%s) }}{{ f(b=%s) }}" % (r.choice(["", "1", "1, 2", "1, 2, 3", "a=4", "*l", "**d"]), e()),
        lambda: "{%% macro f(a) %%}[{{ caller(a) }}]{%% endmacro %%}{%% call(x) f(%s) %%}{{ x }}%s{%% endcall %%}" % (e(), out),
        lambda: "{%% set ns = namespace(a=%s) %%}{%% for x in l %%}{%% set ns.a = ns.a ~ x %%}{%% set q = x %%}{%% endfor %%}{{ ns.a }}{{ q }}" % e(),
        lambda: "{%% with a = %s, b = 2 %%}{{ a }}{{ b }}{%% endwith %%}{{ a }}" % e(),
        lambda: "{%% if %s %%}A{%% elif %s %%}B{%% else %%}C{%% endif %%}" % (e(), e()),
        lambda: "{%% generation %%}%s{%% set q = 1 %%}{%% endgeneration %%}{{ q }}" % out,
        lambda: "a \n %s\n  %s \n %s b\n\n" % (r.choice(["{%- if y %}", "{% if y -%}", "{%+ if y %}", "{% if y +%}", "{%- if y -%}"]), r.choice([out, "{{- 1 }}", "{{ 1 -}}", "{# c #}", "{#- c -#}", "  x"]), r.choice(["{% endif %}", "{%- endif -%}", "{%+ endif +%}"])),
        lambda: "{%% for x in [m, l] recursive %%}{{ loop.depth }}{%% if x is iterable and x is not string and x is not mapping %%}({{ loop(x) }}){%% else %%}{{ x }}{%% endif %%}{%% endfor %%}",
    ])()


def render(src):
    try:
        text = env.from_string(src).render(**copy.deepcopy(CONTEXT))
    except Exception as e:
        return {"src": src, "error": f"{type(e).__name__}: {e}"[:160]}
    return None if re.search(r"0x[0-9a-f]{6,}|<generator|<function|<built-in|<bound method", text) else {"src": src, "text": text}


n = int(sys.argv[1]) if len(sys.argv) > 1 else 600
r = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
cases, errors = [], 0
while len(cases) < n:
    case = render(source(r))
    if case is None or len(case.get("text", "")) > 400 or "error" in case and errors > n // 4:
        continue
    errors += "error" in case
    cases.append(case)
text = '{"context": %s,\n"cases": [\n' % json.dumps(CONTEXT, ensure_ascii=False) + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]}\n"
with open(sys.argv[2] if len(sys.argv) > 2 else "constructs.json.gz", "wb") as f:
    f.write(gzip.compress(text.encode(), 9, mtime=0))
