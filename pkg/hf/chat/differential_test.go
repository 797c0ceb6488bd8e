package chat

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGeneratedConversationsEqualJinja2 renders 200 generated conversations with each template of testdata, and of the folder that
// ATTUNE_CHAT_TEMPLATES names (testdata/conversations.py writes what Jinja2 makes of them).
func TestGeneratedConversationsEqualJinja2(t *testing.T) {
	var conversations []struct {
		Messages  json.RawMessage
		Variables map[string]json.RawMessage
	}
	readTestdata(t, "conversations.json.gz", &conversations)
	folders := []string{"testdata"}
	if folder := os.Getenv("ATTUNE_CHAT_TEMPLATES"); folder != "" {
		folders = append(folders, folder)
	}
	for _, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, "differential.json"))
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]string
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		for name, sums := range want {
			t.Run(name, func(t *testing.T) {
				source, err := os.ReadFile(filepath.Join(folder, name+".jinja"))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := New(string(source), nil); sums == "error" || err != nil {
					if sums != "error" || err == nil {
						t.Errorf("New: %v; Jinja2: %.40s", err, sums)
					}
					return
				}
				refused := 0
				for i, sum := range strings.Fields(sums) {
					c := conversations[i]
					got, err := renderJSON(string(source), c.Messages, c.Variables)
					var unsupported *UnsupportedError
					switch {
					case errors.As(err, &unsupported) && sum != "error":
						refused++
						t.Logf("conversation %d: %v", i, err)
					case (err != nil) != (sum == "error"):
						t.Errorf("conversation %d: %v, %q; Jinja2: %s", i, err, got, sum)
					case err == nil && fmt.Sprintf("%x", sha256.Sum256([]byte(got)))[:12] != sum:
						t.Errorf("conversation %d differs: %q", i, got)
					}
				}
				if refused > 0 {
					t.Errorf("%d conversations are refused", refused)
				}
			})
		}
	}
}

// TestGeneratedConstructsEqualJinja2 renders generated expressions and statements: those of testdata, or of the file that
// ATTUNE_CHAT_CONSTRUCTS names (testdata/constructs.py writes more of them).
func TestGeneratedConstructsEqualJinja2(t *testing.T) {
	path := cmp.Or(os.Getenv("ATTUNE_CHAT_CONSTRUCTS"), filepath.Join("testdata", "constructs.json.gz"))
	var constructs struct {
		Context map[string]json.RawMessage
		Cases   []struct {
			Src   string
			Text  *string
			Error string
		}
	}
	readPacked(t, path, &constructs)
	refused := map[string]int{}
	for _, c := range constructs.Cases {
		got, err := renderJSON(c.Src, []byte("[]"), constructs.Context)
		var unsupported *UnsupportedError
		switch {
		case errors.As(err, &unsupported):
			refused[unsupported.Construct]++
		case c.Text == nil && err == nil:
			t.Errorf("%s rendered %q, Jinja2: %s", c.Src, got, c.Error)
		case c.Text != nil && err != nil:
			t.Errorf("%s: %v, Jinja2: %q", c.Src, err, *c.Text)
		case c.Text != nil && got != *c.Text:
			t.Errorf("%s\n got  %q\n want %q", c.Src, got, *c.Text)
		}
	}
	t.Logf("%d constructs, refused by name: %v", len(constructs.Cases), refused)
}
