"""Writes the parquet files of this folder and rows.json, the rows that Python reads from them.

    python make.py        (pyarrow 26.0.1)

Each file is another way in which writers lay out the same kinds of rows. In rows.json a row is its fields by the names that corpus/source gives them:
a text, or a list of texts; a field that is null is not there.
"""

import datetime
import decimal
import json
import os
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

here = os.path.dirname(os.path.abspath(__file__))
expected = {}


def text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime.datetime):
        zone = "Z" if value.tzinfo else ""
        moment = value.replace(tzinfo=None).isoformat()
        return (moment.rstrip("0") if "." in moment else moment) + zone
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def fields(value, prefix=""):
    out = {}
    for name, v in value.items():
        name = prefix + name
        if v is None:
            continue
        if isinstance(v, dict):
            out.update(fields(v, name + "_"))
        elif isinstance(v, list) and v and isinstance(v[0], dict):
            for k in v[0]:
                out[name + "_" + k] = [text(x[k]) for x in v]
        elif isinstance(v, list):
            out[name] = [text(x) for x in v]
        else:
            out[name] = text(v)
    return out


def write(name, rows, schema=None, **options):
    table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(table, os.path.join(here, name + ".parquet"), **options)
    expected[name] = [fields(r) for r in table.to_pylist()]


items = [
    {"question": "2+2?", "options": ["4", "5"], "answer": "A"},
    {"question": "Which?", "options": ["é", "\"b\", c", ""], "answer": "B"},
    {"question": "Many", "options": [], "answer": None},
    {"question": None, "options": None, "answer": "C"},
]
plain = pa.schema([("question", pa.string()), ("options", pa.list_(pa.string())), ("answer", pa.string())])
large = pa.schema([("question", pa.large_string()), ("options", pa.large_list(pa.large_string())), ("answer", pa.dictionary(pa.int32(), pa.string()))])
for codec in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
    write("codec_" + codec, items, plain, compression=codec)
write("large", items, large)
write("view", items, pa.schema([("question", pa.string_view()), ("options", pa.list_(pa.string())), ("answer", pa.string())]))
write("no_dictionary", items, plain, use_dictionary=False)
write("pages_v2", items, plain, data_page_version="2.0")
write("format_1", items, plain, version="1.0")
write("legacy_lists", items, plain, use_compliant_nested_type=False)
write("delta", items, plain, use_dictionary=False, column_encoding={"question": "DELTA_BYTE_ARRAY", "answer": "DELTA_LENGTH_BYTE_ARRAY"})
write("many_groups", items * 50, plain, row_group_size=7)
write("small_pages", items * 50, plain, data_page_size=64, write_batch_size=3)
write("no_rows", [], plain)
write("index_and_bloom", items, plain, write_page_index=True)
write("binary", [{"question": b"caf\xc3\xa9", "options": [b"a", b"b"], "answer": b"A"}], pa.schema([("question", pa.binary()), ("options", pa.list_(pa.binary())), ("answer", pa.binary())]))
write(
    "struct_choices",
    [
        {"question": "q", "choices": {"text": ["a", "b", "c", "d"], "label": ["A", "B", "C", "D"]}, "answerKey": "C"},
        {"question": "r", "choices": {"text": ["x", "y", "z"], "label": ["1", "2", "3"]}, "answerKey": "3"},
    ],
)
write(
    "list_of_structs",
    [{"question": "q", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}], "key": "B"}],
)
D = decimal.Decimal
write(
    "types",
    [
        {
            "i8": -8, "u8": 255, "i16": -300, "u16": 65535, "i32": -70000, "u32": 4294967295, "i64": -(2**62), "u64": 2**64 - 1,
            "flag": True, "money": D("-1.50"), "cents": D("0.05"), "big": D("123456789012345678901234567890.12"), "day": datetime.date(1969, 12, 31),
            "milli": datetime.datetime(2020, 1, 2, 3, 4, 5, 678000, datetime.timezone.utc), "naive": datetime.datetime(1960, 1, 2, 3, 4, 5, 678901),
            "clock": datetime.time(1, 2, 3), "f32": 0.5, "f64": 2.5,
        },
        {"money": D("0.00"), "big": D("-0.01"), "u64": 0, "i8": 7},
    ],
    pa.schema(
        [
            ("i8", pa.int8()), ("u8", pa.uint8()), ("i16", pa.int16()), ("u16", pa.uint16()), ("i32", pa.int32()), ("u32", pa.uint32()), ("i64", pa.int64()),
            ("u64", pa.uint64()), ("flag", pa.bool_()), ("money", pa.decimal128(9, 2)), ("cents", pa.decimal128(18, 2)), ("big", pa.decimal128(38, 2)),
            ("day", pa.date32()), ("milli", pa.timestamp("ms", tz="UTC")), ("naive", pa.timestamp("us")), ("clock", pa.time32("ms")), ("f32", pa.float32()), ("f64", pa.float64()),
        ]
    ),
    store_decimal_as_integer=True,
)
write("decimal_bytes", [{"money": D("-1.50"), "big": D("99999999999999999999.999")}], pa.schema([("money", pa.decimal128(9, 2)), ("big", pa.decimal256(50, 3))]))
write("int96", [{"when": datetime.datetime(1960, 1, 2, 3, 4, 5, 678901)}], pa.schema([("when", pa.timestamp("ns"))]), use_deprecated_int96_timestamps=True)
expected["int96"] = [{"when": "1960-01-02T03:04:05.678901Z"}]  # of no zone, but the type cannot say so
write("map", [{"m": [("a", 1), ("b", 2)], "question": "q"}], pa.schema([("m", pa.map_(pa.string(), pa.int32())), ("question", pa.string())]))
expected["map"] = [{"m_key_value_key": ["a", "b"], "m_key_value_value": ["1", "2"], "question": "q"}]
write("lists_of_lists", [{"question": "q", "v": [[1, 2], [3]]}], pa.schema([("question", pa.string()), ("v", pa.list_(pa.list_(pa.int32())))]))
expected["lists_of_lists"] = [{"question": "q"}]

with open(os.path.join(here, "rows.json"), "w") as f:
    json.dump(expected, f, indent=1, ensure_ascii=False, sort_keys=True)
    f.write("\n")
