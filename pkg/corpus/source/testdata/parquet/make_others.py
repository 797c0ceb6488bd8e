"""Writes files of the same rows by DuckDB, Polars and fastparquet, and rows_others.json, the rows.

    python make_others.py        (duckdb 2.0.1, polars 2.1.0, fastparquet 2026.9.0)
"""

import json
import os

import duckdb
import fastparquet
import pandas
import polars

here = os.path.dirname(os.path.abspath(__file__))
rows = [
    {"question": "2+2?", "options": ["4", "5"], "answer": 0, "note": None, "score": 1.5},
    {"question": "Which é?", "options": ["a", "b", "c"], "answer": 2, "note": "x", "score": -0.25},
    {"question": "Empty", "options": [], "answer": 1, "note": "", "score": 1e300},
] * 5
expected = {}


def text(v):
    return [text(x) for x in v] if isinstance(v, list) else ("1e+300" if v == 1e300 else str(v))


def note(name, rows):
    expected[name] = [{k: text(v) for k, v in r.items() if v is not None} for r in rows]


frame = polars.DataFrame(rows)
frame.write_parquet(os.path.join(here, "polars.parquet"))
note("polars", rows)
frame.with_columns(choices=polars.struct(text=polars.col("options"), label=polars.col("options"))).drop("options").write_parquet(os.path.join(here, "polars_struct.parquet"), compression="snappy", use_pyarrow=False)
note("polars_struct", [{**{k: v for k, v in r.items() if k != "options"}, "choices_text": r["options"], "choices_label": r["options"]} for r in rows])

table = pandas.DataFrame(rows)
duck = duckdb.connect()
duck.execute("create table t (question varchar, options varchar[], answer integer, note varchar, score double, price decimal(9,2), day date, moment timestamp, big hugeint)")
for r in rows:
    duck.execute("insert into t values (?, ?, ?, ?, ?, '12.30', '2020-02-29', '2020-01-02 03:04:05.678', 7)", [r["question"], r["options"], r["answer"], r["note"], r["score"]])
for codec in ["snappy", "zstd", "gzip", "uncompressed", "brotli", "lz4_raw"]:
    name = "duckdb_" + codec
    duck.execute(f"copy t to '{os.path.join(here, name)}.parquet' (format parquet, codec '{codec}')")
    note(name, [{**r, "price": "12.30", "day": "2020-02-29", "moment": "2020-01-02T03:04:05.678", "big": 7.0} for r in rows])
    for r in expected[name]:
        r["big"] = "7"  # a hugeint is written as a double
name = "duckdb_v2"
duck.execute(f"copy t to '{os.path.join(here, name)}.parquet' (format parquet, parquet_version 'v2')")
expected[name] = expected["duckdb_zstd"]

flat = table[["question", "answer", "note", "score"]]
for codec in ["SNAPPY", "GZIP", None]:
    name = "fastparquet_" + (codec or "none").lower()
    fastparquet.write(os.path.join(here, name + ".parquet"), flat, compression=codec)
    note(name, [{k: v for k, v in r.items() if k != "options"} for r in rows])

with open(os.path.join(here, "rows_others.json"), "w") as f:
    json.dump(expected, f, indent=1, ensure_ascii=False, sort_keys=True)
    f.write("\n")
