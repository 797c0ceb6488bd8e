"""Renders the templates and constructs of this folder with Jinja2, set up as transformers sets it up, into golden.json.

    python3 regenerate.py        (needs jinja2; the committed file was written with 3.1.6)
"""
import datetime
import json
import pathlib

import jinja2
import jinja2.ext
import jinja2.sandbox

here = pathlib.Path(__file__).parent
NOW = datetime.datetime(2024, 7, 26, 9, 5)  # The tests pass the same time.


class Generation(jinja2.ext.Extension):
    """transformers marks the assistant's words with this tag; the text is that of the block."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception
env.globals["strftime_now"] = NOW.strftime


def render(source, variables):
    try:
        return {"text": env.from_string(source).render(**{"tools": None, "documents": None, "add_generation_prompt": False, **variables})}
    except Exception as e:  # Any error of the reference is a golden too.
        return {"error": f"{type(e).__name__}: {e}"}


if __name__ == "__main__":
    inputs = json.loads((here / "inputs.json").read_text())
    golden = {"conversations": {}, "constructs": []}
    for name, c in inputs["conversations"].items():
        source = (here / f"{c['template']}.jinja").read_text()
        golden["conversations"][name] = render(source, {"messages": c["messages"], **c["variables"]})
    for source in inputs["constructs"]:
        golden["constructs"].append(render(source, inputs["shared"]))
    (here / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")
