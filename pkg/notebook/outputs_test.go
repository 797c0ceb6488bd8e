package notebook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// published is a message of the IOPub channel.
type published struct {
	kind    string
	content json.RawMessage
}

func publish(kind string, content map[string]any) published {
	data, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return published{kind, data}
}

func TestOutputsAreCollectedAsJupyterDoes(t *testing.T) {
	c, first, second := NewCollector(), &Cell{}, &Cell{}
	stream := func(name, text string) published {
		return publish("stream", map[string]any{"name": name, "text": text})
	}
	html := func(kind, id, text string) published {
		return publish(kind, map[string]any{"data": map[string]any{"text/html": text}, "metadata": map[string]any{}, "transient": map[string]any{"display_id": id}})
	}
	for _, step := range []struct {
		cell *Cell
		msg  published
	}{
		{first, stream("stdout", "a")},
		{first, stream("stdout", "b\n")},
		{first, stream("stderr", "c\n")},
		{first, stream("stdout", "d\n")},
		{first, html("display_data", "bar", "begun")},
		{first, stream("stdout", "e\n")},
		{second, stream("stdout", "gone")},
		{second, publish("clear_output", map[string]any{"wait": true})},
		{second, html("display_data", "bar", "again")},
		{second, html("update_display_data", "bar", "done\nat last")},
		{second, publish("execute_result", map[string]any{"data": map[string]any{"image/png": "AAAA\n"}, "execution_count": 7})},
		{second, publish("error", map[string]any{"ename": "E", "evalue": "v", "traceback": []string{"t"}})},
		{second, publish("status", map[string]any{"execution_state": "idle"})},
	} {
		if err := c.Add(step.cell, step.msg.kind, step.msg.content); err != nil {
			t.Fatal(err)
		}
	}
	c.Flush(first)
	c.Flush(second)
	bundle := Output{"output_type": "display_data", "data": map[string]any{"text/html": []any{"done\n", "at last"}}, "metadata": map[string]any{}}
	want := []Output{
		{"output_type": "stream", "name": "stdout", "text": []any{"ab\n"}},
		{"output_type": "stream", "name": "stderr", "text": []any{"c\n"}},
		{"output_type": "stream", "name": "stdout", "text": []any{"d\n"}},
		bundle,
		{"output_type": "stream", "name": "stdout", "text": []any{"e\n"}},
	}
	if !reflect.DeepEqual(first.Outputs, want) {
		t.Errorf("the first cell has\n%v\nexpected\n%v", first.Outputs, want)
	}
	want = []Output{
		bundle,
		{"output_type": "execute_result", "data": map[string]any{"image/png": "AAAA\n"}, "metadata": map[string]any{}, "execution_count": 7},
		{"output_type": "error", "ename": "E", "evalue": "v", "traceback": []any{"t"}},
	}
	if !reflect.DeepEqual(second.Outputs, want) {
		t.Errorf("the second cell has\n%v\nexpected\n%v", second.Outputs, want)
	}
}

func TestScrubHidesTheMachine(t *testing.T) {
	home := filepath.Join(t.TempDir(), "ann")
	root := filepath.Join(home, "code", "attune")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	run := filepath.Join(root, "runs", "sinks", "20260101T000000Z")
	nb := code("x")
	nb.Cells[0].Outputs = []Output{
		{"output_type": "stream", "name": "stdout", "text": []any{
			root + "/pkg/a.go and " + home + "/notes\n",
			home + "\n", root + ".\n", home + "a/x " + root + "-2 " + root + ".git\n",
			"/tmp/attune-kernel-123/gonb_0a1b2c3d/main.go:3:1: bad\n",
			"path=" + run + "/work/a.json,dir:" + run + ";" + run + "2\n",
		}},
		{"output_type": "display_data", "data": map[string]any{"text/html": "<a href=\"" + root + "/x\">", "image/png": home}},
		{"output_type": "error", "evalue": "in " + root, "traceback": []any{"(" + home + ")"}},
	}
	nb.Scrub(map[string]string{root: ".", run: "RUN"})
	want := []Output{
		{"output_type": "stream", "name": "stdout", "text": []any{
			"./pkg/a.go and ~/notes\n", "~\n", "..\n", home + "a/x ~/code/attune-2 ~/code/attune.git\n", "gonb/main.go:3:1: bad\n",
			"path=RUN/work/a.json,dir:RUN;./runs/sinks/20260101T000000Z2\n",
		}},
		{"output_type": "display_data", "data": map[string]any{"text/html": "<a href=\"./x\">", "image/png": home}},
		{"output_type": "error", "evalue": "in .", "traceback": []any{"(~)"}},
	}
	if !reflect.DeepEqual(nb.Cells[0].Outputs, want) {
		t.Errorf("found\n%v\nexpected\n%v", nb.Cells[0].Outputs, want)
	}
}
