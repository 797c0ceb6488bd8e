package notebook

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

const plainCell = "x := 1\nx"

// TestNotebooksOfOtherTools reads the shared cases, each with what its README says of it.
func TestNotebooksOfOtherTools(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "cases")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("needs %s, which is absent", folder)
	}
	one := []string{plainCell}
	expected := map[string]struct {
		cells  []string // their sources
		err    []string // parts of the error, where it is refused
		within []string // what is there after writing
		not    []string // and what is not
	}{
		"plain":      {cells: one},
		"bigint":     {cells: one, within: []string{"123456789012345678901234567890", "1e-7", "1.1"}},
		"bom":        {cells: one, not: []string{"\ufeff"}},
		"dupids":     {cells: []string{plainCell, plainCell}, within: []string{`"id": "aa"`}},
		"floatcount": {cells: one, within: []string{`"execution_count": 3,`}},
		"heading":    {cells: []string{"Title", plainCell}},
		"latin1":     {err: []string{"not UTF-8", "0xe9", "97"}},
		"minor7":     {cells: one, within: []string{`"nbformat_minor": 7`}},
		"nan":        {err: []string{"line 1", "column 125", "'N'"}},
		"nometa":     {err: []string{`"metadata"`}},
		"nominor":    {err: []string{`"nbformat_minor"`}},
		"nosource":   {err: []string{"cell 1", `"source"`}},
		"nullsource": {err: []string{"cell 1", `"source"`}},
		"utf16":      {err: []string{"UTF-16"}},
		"v3":         {err: []string{"nbformat 3", "convert"}},
	}
	files, err := filepath.Glob(filepath.Join(folder, "notebook*", "*.ipynb"))
	if err != nil || len(files) < len(expected) {
		t.Fatalf("found %d notebooks in %s, %v", len(files), folder, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".ipynb")
		t.Run(filepath.Base(filepath.Dir(file))+"/"+name, func(t *testing.T) {
			want, known := expected[name]
			if !known {
				t.Fatalf("the table does not name %s", file)
			}
			nb, err := Read(file)
			if want.err != nil {
				for _, part := range want.err {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("found the error %v, expected %q in it", err, part)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := sources(nb); !slices.Equal(got, want.cells) {
				t.Errorf("found the cells %q, expected %q", got, want.cells)
			}
			written, err := nb.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range want.within {
				if !strings.Contains(string(written), part) {
					t.Errorf("written without %q:\n%s", part, written)
				}
			}
			for _, part := range want.not {
				if strings.Contains(string(written), part) {
					t.Errorf("written with %q:\n%s", part, written)
				}
			}
			again, err := Parse(written)
			if err != nil {
				t.Fatal(err)
			}
			if got := sources(again); !slices.Equal(got, want.cells) {
				t.Errorf("read again: %q", got)
			}
			ids := map[string]bool{}
			for _, cell := range again.Cells {
				if ids[cell.ID] || cell.ID == "" {
					t.Errorf("the id %q is given twice", cell.ID)
				}
				ids[cell.ID] = true
			}
		})
	}
}

func sources(nb *Notebook) (all []string) {
	for _, cell := range nb.Cells {
		all = append(all, cell.Source)
	}
	return all
}

// TestOddButValidNotebooksAreKept has what tools besides Jupyter write, and what must come back.
func TestOddButValidNotebooksAreKept(t *testing.T) {
	for name, test := range map[string]struct{ text, within string }{
		"attachment of a raw cell":    {`{"cell_type":"raw","metadata":{"format":"text/html"},"source":"<b>","attachments":{"a.png":{"image/png":"AAAA"}}}`, `"a.png": {`},
		"unknown cell type":           {`{"cell_type":"widget","metadata":{},"source":"x"}`, `"cell_type": "widget"`},
		"id that is not text":         {`{"cell_type":"raw","id":7,"metadata":{},"source":"x"}`, `"source": [`},
		"null for metadata and lists": {`{"cell_type":"code","metadata":null,"source":"x","outputs":null,"execution_count":null}`, `"outputs": []`},
		"no metadata of the cell":     {`{"cell_type":"markdown","source":["x"]}`, `"metadata": {}`},
		"unknown field":               {`{"cell_type":"markdown","metadata":{},"source":"x","zed":{"deep":[1,[2.50]]}}`, "2.50"},
		"count as a text":             {`{"cell_type":"code","metadata":{},"source":"x","outputs":[],"execution_count":"3"}`, `"execution_count": null`},
		"tags that are no list":       {`{"cell_type":"code","metadata":{"tags":"parameters"},"source":"x","outputs":[]}`, `"tags": "parameters"`},
		"Windows' line ends":          {`{"cell_type":"markdown","metadata":{},"source":["a\r\n","b\r\n"]}`, `"a\r\n",`},
		"characters beyond 16 bits":   {`{"cell_type":"markdown","metadata":{},"source":"\ud83d\ude00"}`, "\U0001F600"},
	} {
		nb, err := Parse([]byte(`{"nbformat":4,"nbformat_minor":2,"metadata":{"kernelspec":null,"x":[]},"cells":[` + test.text + `]}`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		written, err := nb.Bytes()
		if err != nil || !strings.Contains(string(written), test.within) || !strings.Contains(string(written), `"kernelspec": null`) {
			t.Errorf("%s: %v, written as\n%s", name, err, written)
		}
		if nb.Language() != "" || nb.Cells[0].HasTag("parameters") {
			t.Errorf("%s: language %q, tags %v", name, nb.Language(), nb.Cells[0].Tags())
		}
	}
}

// FuzzParse: whatever is read is written, and read again as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[]}`,
		`{"nbformat":4,"nbformat_minor":5,"metadata":{"a":[1,2.5e3,null,true,"\u00e9\ud83d\ude00"]},"cells":[{"cell_type":"code","id":"a","metadata":{"tags":["parameters"]},"source":["const (\n","\tn = 3 // items\n",")"],"outputs":[{"output_type":"stream","name":"stdout","text":["x\n"]}],"execution_count":3}]}`,
		`{"nbformat":4,"nbformat_minor":0,"metadata":{},"cells":[{"cell_type":"markdown","source":"# T","attachments":{}},{"cell_type":"code","source":"%%\nimport \"fmt\"","outputs":null}]}`,
		"\ufeff{}", `{"nbformat":3}`, "[", "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		testlimit.Run(t, len(data), func() { checkWrittenAsRead(t, data) })
	})
}

// checkWrittenAsRead reads a notebook and, where it can be read, writes it twice.
func checkWrittenAsRead(t *testing.T, data []byte) {
	nb, err := Parse(data)
	if err != nil {
		return
	}
	nb.Imports()
	nb.Parameters()
	for i := range nb.Cells {
		nb.Heading(i)
	}
	written, err := nb.Bytes()
	if err != nil {
		t.Fatalf("read but not written: %v", err)
	}
	again, err := Parse(written)
	if err != nil {
		t.Fatalf("written but not read: %v\n%s", err, written)
	}
	twice, err := again.Bytes()
	if err != nil || string(twice) != string(written) {
		t.Fatalf("written again, %v:\n%s\nafter\n%s", err, twice, written)
	}
}
