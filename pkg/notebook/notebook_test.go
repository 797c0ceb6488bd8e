package notebook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testdata/jupyter.ipynb was written by nbformat 5.5 (Python), with attachments, all kinds of outputs, unknown metadata and text that
// encoders disagree about.
func TestNotebookSavedByJupyterComesBackByteForByte(t *testing.T) {
	before, err := os.ReadFile("testdata/jupyter.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	nb, err := Parse(before)
	if err != nil {
		t.Fatal(err)
	}
	after, err := nb.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if string(after) != string(before) {
		t.Errorf("written\n%s\ncame back as\n%s", before, after)
	}
}

func TestUnreadableNotebookSaysWhatToDo(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", " \n", "the file is empty"},
		{"truncated", "{\n \"cells\": [\n", "line 3: the file ends in the middle of the notebook"},
		{"merge conflict", "{\n<<<<<<< HEAD\n", "line 2, column 1: not JSON"},
		{"merge conflict from the first line on", "<<<<<<< HEAD\n{}", "a merge conflict: resolve it"},
		{"bracket too many", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}]`, "text follows"},
		{"web page", "\n<!DOCTYPE html><html>", "it is a web page"},
		{"pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"},
		{"UTF-16, big endian", "\xfe\xff\x00{", "UTF-16"},
		{"Latin-1", "{\n\"a\": \"caf\xe9\"}", "line 2: byte 0xe9 at position 11 is not UTF-8"},
		{"lone surrogate", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {"x": "\\\ud83d\ud83d\ude00 \udc00"}, "cells": []}`, `found \ud83d, half`},
		{"lone second half", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {"x": "\ud83d\ude00 \udc00"}, "cells": []}`, `found \udc00, half`},
		{"negative minor version", `{"nbformat": 4, "nbformat_minor": -1, "metadata": {}, "cells": []}`, "nbformat_minor -1"},
		{"list", "[]", "expected an object"},
		{"other JSON", `{"a": 1}`, `found nothing for "nbformat"`},
		{"old", `{"nbformat": 3, "nbformat_minor": 0}`, "found nbformat 3, expected 4"},
		{"no cells", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}`, `found nothing for "cells"`},
		{"cell is text", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": ["x"]}`, `cell 1: found "x"`},
		{"no source", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}`, `cell 1: found nothing for "source"`},
		{"number in source", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": [1]}]}`, `found a list for "source"`},
		{"two notebooks", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []} {}`, "text follows"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.ipynb")
			if err := os.WriteFile(path, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("found the error %v, expected the path and %q", err, test.want)
			}
		})
	}
	if _, err := Read("nowhere.ipynb"); err == nil || !strings.Contains(err.Error(), "nowhere.ipynb does not exist") {
		t.Errorf("a missing file gives %v", err)
	}
}

func TestMissingCellIDsAreGeneratedTheSameEveryTime(t *testing.T) {
	const text = `{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [
		{"cell_type": "code", "source": "x", "metadata": {}, "outputs": [], "execution_count": null},
		{"cell_type": "code", "source": "x", "metadata": {}, "outputs": [], "execution_count": null, "id": "not valid!"},
		{"cell_type": "markdown", "source": "y", "metadata": {}, "id": "kept"},
		{"cell_type": "markdown", "source": "y", "metadata": {}, "id": "kept"}]}`
	first, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, cell := range first.Cells {
		if cell.ID != second.Cells[i].ID || !validID.MatchString(cell.ID) || seen[cell.ID] {
			t.Errorf("cell %d has the ids %q and %q", i+1, cell.ID, second.Cells[i].ID)
		}
		seen[cell.ID] = true
	}
	if first.Cells[2].ID != "kept" {
		t.Errorf("a valid id became %q", first.Cells[2].ID)
	}
	data, err := first.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"nbformat_minor": 5`) {
		t.Error("ids need nbformat 4.5, and the file does not say so")
	}
}

func TestWriteLeavesTheEarlierFileWhenItFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.ipynb")
	nb := code("good")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	nb.Metadata = map[string]any{"bad": func() {}}
	if err := nb.Write(path); err == nil {
		t.Error("a function was written as JSON")
	}
	back, err := Read(path)
	if err != nil || back.Cells[0].Source != "good" {
		t.Errorf("the earlier file reads as %v, %v", back, err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("%d files are left, expected the notebook only", len(files))
	}
}

func TestHeadingIsThatOfTheMarkdownAbove(t *testing.T) {
	nb := code("first := 1", "%%\n\ns.Finish()")
	nb.Cells = append(nb.Cells,
		&Cell{Type: Markdown, Source: "# Title\ntext\n## Sinks by layer\n```sh\n# no heading\n```\n#tag"},
		&Cell{Type: Code, Source: "x"},
		&Cell{Type: Markdown, Source: "only text"},
		&Cell{Type: Code, Source: "y"})
	for index, want := range map[int]string{0: "first := 1", 1: "s.Finish()", 3: "Sinks by layer", 5: "Sinks by layer"} {
		if got := nb.Heading(index); got != want {
			t.Errorf("cell %d is headed %q, expected %q", index+1, got, want)
		}
	}
}

// code makes a notebook of code cells.
func code(sources ...string) *Notebook {
	nb := &Notebook{Path: "test.ipynb"}
	for _, source := range sources {
		nb.Cells = append(nb.Cells, &Cell{Type: Code, Source: source})
	}
	return nb
}
