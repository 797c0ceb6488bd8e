package source

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// allFields are the texts and lists of a row.
func allFields(row corpus.Row) map[string]any {
	all := make(map[string]any)
	for name, text := range row.Text {
		all[name] = text
	}
	for name, list := range row.Lists {
		values := make([]any, len(list))
		for i, text := range list {
			values[i] = text
		}
		all[name] = values
	}
	return all
}

// TestParquetOfOtherWriters compares with what Python reads; testdata/parquet/make.py and make_others.py wrote the files, with pyarrow, DuckDB, Polars and fastparquet.
func TestParquetOfOtherWriters(t *testing.T) {
	expected := make(map[string][]map[string]any)
	for _, name := range []string{"rows.json", "rows_others.json"} {
		text, err := os.ReadFile(filepath.Join("testdata/parquet", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &expected); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range expected {
		rows, err := Rows(filepath.Join("testdata/parquet", name+".parquet"))
		if err != nil {
			t.Fatal(err)
		}
		var got []map[string]any
		for row, err := range rows {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			got = append(got, allFields(row))
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d rows, expected %d", name, len(got), len(want))
			continue
		}
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("%s, row %d:\n%v\nexpected\n%v", name, i+1, got[i], want[i])
			}
		}
	}
}

func TestParquetItemsOfStructs(t *testing.T) {
	set, err := Open(t.Context(), "testdata/parquet/struct_choices.parquet", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if set.Kind != KindARC || set.Items[0].Answer != 2 || set.Items[1].Answer != 2 || set.Items[1].Options[2] != "z" {
		t.Errorf("%s %+v", set.Kind, set.Items)
	}
	set, err = Open(t.Context(), "testdata/parquet/list_of_structs.parquet", Options{Columns: "options=choices_text,labels=choices_label,answer=key"})
	if err != nil {
		t.Fatal(err)
	}
	if set.Items[0].Answer != 1 {
		t.Errorf("%+v", set.Items)
	}
	if _, err = Open(t.Context(), "testdata/parquet/lists_of_lists.parquet", Options{Columns: "options=v"}); err == nil || !strings.Contains(err.Error(), `"v" is a list of lists`) {
		t.Errorf("error %v, expected one that names the field", err)
	}
}

func TestParquetOfTheCases(t *testing.T) {
	path := filepath.Join(cases, "parquet-odd", "a.parquet")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the cases are not beside this checkout: %v", err)
	}
	want := []map[string]any{
		{"id": "1", "question": "q1", "choices_text": []any{"x", "y"}, "choices_label": []any{"A", "B"}, "answer": "1", "score": "NaN", "when": "1970-01-01T00:00:00Z", "raw": "ok", "flag": "false"},
		nil,
		{"id": "3", "question": "", "choices_text": []any{"only"}, "choices_label": []any{"A"}, "answer": "0", "score": "0", "when": "0001-01-01T00:00:00Z", "raw": "z", "flag": "true"},
	}
	rows, err := Rows(path)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for row, err := range rows {
		switch {
		case i == 1:
			if err == nil || !strings.Contains(err.Error(), "a.parquet:2:") || !strings.Contains(err.Error(), `"raw"`) || strings.Contains(err.Error(), "\ufffd") {
				t.Errorf("row 2: error %v, expected one that names raw", err)
			}
		case err != nil:
			t.Error(err)
		case !reflect.DeepEqual(allFields(row), want[i]):
			t.Errorf("row %d is %v, expected %v", i+1, allFields(row), want[i])
		}
		i++
	}
	if i != 3 {
		t.Errorf("%d rows, expected 3", i)
	}
	path = filepath.Join(cases, "parquet-odd", "nullopt.parquet")
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "nullopt.parquet:1:") || !strings.Contains(err.Error(), `"options": entry 2 is null`) {
		t.Errorf("error %v, expected one that names row 1 and options", err)
	}
	set, err := Open(t.Context(), path, Options{OnBad: SetAside})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Items) != 1 || !reflect.DeepEqual(set.Items[0].Options, []string{"a", "b"}) || set.Items[0].Answer != 0 || len(set.Report.Bad) != 1 {
		t.Errorf("%+v, report %s", set.Items, set.Report)
	}
}

func readRowsOf(path string) error {
	rows, err := Rows(path)
	if err != nil {
		return err
	}
	for _, err := range rows {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestLyingParquetIsRefusedBeforeAllocating: files whose sizes do not fit into them.
func TestLyingParquetIsRefusedBeforeAllocating(t *testing.T) {
	good, err := os.ReadFile("testdata/parquet/codec_snappy.parquet")
	if err != nil {
		t.Fatal(err)
	}
	footer := int(binary.LittleEndian.Uint32(good[len(good)-8:]))
	changed := func(at int, with ...byte) string {
		b := bytes.Clone(good)
		if at < 0 {
			at += len(b)
		}
		copy(b[at:], with)
		return string(b)
	}
	tests := map[string]struct{ content, want string }{
		"footer of 2 GB in 112 bytes": {"PAR1" + strings.Repeat("\x00", 100) + "\xff\xff\xff\x7fPAR1", "footer is said to have 2147483647 bytes"},
		"footer longer than the file": {changed(-8, 0xff, 0xff), "footer is said to have"},
		"footer of nothing":           {changed(-8, 0, 0, 0, 0), "footer"},
		"list of 2^31 entries":        {changed(len(good)-8-footer, 0x15, 0x04, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07), "list of"},
		"encrypted":                   {changed(-1, 'E'), "encrypted"},
		"cut off":                     {string(good[:len(good)/2]), "cut off"},
		"short":                       {"PAR1", "4 bytes"},
		"another file":                {strings.Repeat("x", 100), "PAR1"},
	}
	for name, test := range tests {
		path := writeFile(t, "x.parquet", test.content)
		var err error
		if bytes := testlimit.Allocated(func() { err = readRowsOf(path) }); bytes > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, bytes)
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, expected one with %q", name, err, test.want)
		}
	}
}

// TestDamagedParquetIsAnError changes every byte of a file in turn.
func TestDamagedParquetIsAnError(t *testing.T) {
	good, err := os.ReadFile("testdata/parquet/codec_zstd.parquet")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range good {
		for _, with := range []byte{0xff, good[i] ^ 0x10} {
			b := bytes.Clone(good)
			b[i] = with
			path := filepath.Join(dir, "x.parquet")
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			if n := testlimit.Allocated(func() { readRowsOf(path) }); n > 64<<20 {
				t.Fatalf("byte %d as %#x: %d bytes were allocated", i, with, n)
			}
		}
	}
}

func TestParquetOfTooManyColumnsIsRefused(t *testing.T) {
	group := parquet.Group{}
	for i := range maxParquetColumns + 1 {
		group[fmt.Sprintf("c%d", i)] = parquet.Leaf(parquet.Int32Type)
	}
	path := filepath.Join(t.TempDir(), "wide.parquet")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := parquet.NewWriter(file, parquet.NewSchema("wide", group)).Close(); err != nil {
		t.Fatal(err)
	}
	if err := readRowsOf(path); err == nil || !strings.Contains(err.Error(), "10001 columns") {
		t.Errorf("error %v, expected one that counts the columns", err)
	}
}
