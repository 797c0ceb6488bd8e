package worker

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
	"github.com/attune-lab/attune/pkg/train"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// chatModel is the embedded model with a chat template.
func chatModel(t *testing.T) string {
	t.Helper()
	dir, embedded := t.TempDir(), filepath.Join(root(t), "testdata", "attune-tiny")
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
		if err := os.Symlink(filepath.Join(embedded, name), filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	template := "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
	if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(template), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestParametersReachThePrompt: every parameter that says how items are asked changes the first prompt, or its tokens, as it says.
func TestParametersReachThePrompt(t *testing.T) {
	piqa := filepath.Join(t.TempDir(), "piqa")
	if err := os.Mkdir(piqa, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"valid.jsonl": `{"goal": "Dry shoes", "sol1": "use paper", "sol2": "use ice"}` + "\n" + `{"goal": "Keep bread", "sol1": "in rain", "sol2": "in a tin"}` + "\n", "valid-labels.lst": "0\n1\n"} {
		if err := os.WriteFile(filepath.Join(piqa, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := chatModel(t)
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	task := func(o client.Options) *eval.Task {
		t.Helper()
		o.Model = dir
		j := &job{Request: &client.Request{Options: o, Dirs: []string{root(t)}}, session: newSession(), out: &events{}}
		found, err := j.readTask()
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	plain := task(client.Options{Items: piqa})
	first := plain.Examples[0]
	if first.Prompt != "Question: Dry shoes\nAnswer:" {
		t.Fatalf("the plain prompt is %q", first.Prompt)
	}
	if e := task(client.Options{Items: piqa, Shots: 1}).Examples[0]; e.Prompt != first.Prompt+" use paper\n\nQuestion: Keep bread\nAnswer:" || e.Row != 1 {
		t.Errorf("with a worked example the first prompt, of row %d, is %q", e.Row, e.Prompt)
	}
	if e := task(client.Options{Items: piqa, Chat: true}).Examples[0]; e.Prompt != "<user>"+first.Prompt+"<assistant>" || e.Choices[0] != "use paper" {
		t.Errorf("through the chat template the first prompt is %q with choices %q", e.Prompt, e.Choices)
	}
	if e := task(client.Options{Items: piqa, Letters: true}).Examples[0]; !strings.Contains(e.Prompt, "A. use paper\nB. use ice\n") || !slices.Equal(e.Choices, []string{" A", " B"}) {
		t.Errorf("by letters the first prompt is %q with choices %q", e.Prompt, e.Choices)
	}
	bare := task(client.Options{Items: piqa, NoBOS: true}).Examples[0]
	with, without := first.Encode(tok, first.Prompt), bare.Encode(tok, bare.Prompt)
	if len(with) != len(without)+1 || !slices.Equal(with[1:], without) {
		t.Errorf("without BOS the tokens are %v, with it %v", without, with)
	}
	own := client.Options{Items: filepath.Join(root(t), "testdata", "items", "columns.csv"), Columns: "question=prompt,options=first second third,answer=label,form=0"}
	if e := task(own).Examples[0]; len(e.Choices) != 3 {
		t.Errorf("one's own columns: %+v", e)
	}
	if e := task(client.Options{Items: "generated:easy", Limit: 3, Seed: 2}); len(e.Examples) != 3 {
		t.Errorf("limit=3 keeps %d items", len(e.Examples))
	}
}

// TestGroupsAreThoseThatAreAskedFor: both maps of STEM, by their one difference.
func TestGroupsAreThoseThatAreAskedFor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mmlu")
	if err := os.MkdirAll(filepath.Join(dir, "test"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"anatomy", "astronomy", "world_religions"} {
		if err := os.WriteFile(filepath.Join(dir, "test", subject+"_test.csv"), []byte("What?,1,2,3,4,B\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for groups, want := range map[string]string{"": "STEM STEM non-STEM", "stem": "STEM STEM non-STEM", "stem-18": "non-STEM STEM non-STEM"} {
		j := &job{Request: &client.Request{Options: client.Options{Items: dir, Groups: groups}}, session: newSession(), out: &events{}}
		task, err := j.readTask()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range task.Examples {
			got = append(got, e.Group)
		}
		if strings.Join(got, " ") != want || j.groups() != eval.GroupsStem && groups != "" {
			t.Errorf("groups=%s: %v under %q, expected %s", groups, got, j.groups(), want)
		}
	}
}

// TestAnAdapterAndATypeAreOtherAnswers: what is stored is told apart by them.
func TestAnAdapterAndATypeAreOtherAnswers(t *testing.T) {
	socket, _ := serve(t, Options{})
	rows := func(change func(*client.Options)) string {
		t.Helper()
		r := request(t, "compare", "rows", nil)
		r.Arms = arms(t)[:1]
		change(&r.Options)
		_, data, last := ask(t, socket, r)
		if last.Error != nil {
			return last.Error.Error()
		}
		return string(data)
	}
	if got := rows(func(o *client.Options) { o.Adapter = "nowhere" }); !strings.Contains(got, `parameter adapter="nowhere"`) {
		t.Errorf("an adapter that is not there: %s", got)
	}
	if got := rows(func(o *client.Options) { o.Chat = true }); !strings.Contains(got, "parameter chat=true") || !strings.Contains(got, "no chat template") {
		t.Errorf("a chat template that is not there: %s", got)
	}
	if got := rows(func(o *client.Options) { o.DType = "bfloat16" }); !strings.Contains(got, `parameter dtype="bfloat16"`) {
		t.Errorf("bfloat16 on the Go backend: %s", got)
	}
	m, err := model.Load(filepath.Join(root(t), "testdata", "attune-tiny"), model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	adapter := t.TempDir()
	if err := m.AttachAdapter(model.Adapter{Rank: 2, Alpha: 4, Targets: []string{"q_proj"}}, 1); err != nil {
		t.Fatal(err)
	}
	if err := train.SaveAdapter(m, adapter, "testdata/attune-tiny"); err != nil {
		t.Fatal(err)
	}
	weights := func(o func(*client.Options)) any {
		t.Helper()
		r := request(t, "about", "", nil)
		o(&r.Options)
		parts, _, last := ask(t, socket, r)
		if last.Error != nil {
			t.Fatal(last.Error)
		}
		return parts[0].Facts["model"]
	}
	if with, without := weights(func(o *client.Options) { o.Adapter = adapter }), weights(func(*client.Options) {}); with == without || with == "" {
		t.Errorf("the weights are %v with an adapter and %v without", with, without)
	}
}

func TestReportAndStatisticsHaveOneWord(t *testing.T) {
	if report.NotShown != string(stats.NotShown) {
		t.Errorf("report says %q, stats %q", report.NotShown, stats.NotShown)
	}
}
