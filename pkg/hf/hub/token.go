package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/report"
)

// hidden stands where the token would have been.
const hidden = "[token hidden]"

// readToken finds the token where the Python tools do: HF_TOKEN, its old name, or the file `hf auth login` writes.
func readToken() string {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if token := cleanToken(os.Getenv(name)); token != "" {
			return token
		}
	}
	if envTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		return ""
	}
	path := os.Getenv("HF_TOKEN_PATH")
	if path == "" {
		home, err := hfHome()
		if err != nil {
			return ""
		}
		path = filepath.Join(home, "token")
	}
	text, err := env.ReadFile(path, maxSmall)
	if err != nil {
		return "" // No login: public models need none.
	}
	return cleanToken(string(text))
}

// cleanToken drops the newlines that copying a token brings along; a header with one would be refused.
func cleanToken(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(s))
}

func envTrue(name string) bool {
	switch strings.ToUpper(os.Getenv(name)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// scrubText returns text without the token, on one line, and without what acts on a terminal: a server's words are in it.
func scrubText(text, token string) string {
	text = report.Clean(text)
	text = strings.NewReplacer("\n", " ", "\t", " ").Replace(text)
	if token == "" {
		return text
	}
	return strings.ReplaceAll(text, token, hidden)
}

// scrub does the same to an error. A scrubbed error keeps the kinds of this package and loses the chain below it, because anything
// in that chain could be printed.
func scrub(err error, token string) error {
	if err == nil || scrubText(err.Error(), token) == err.Error() {
		return err
	}
	clean := &scrubbed{text: scrubText(err.Error(), token)}
	for _, kind := range []error{ErrOffline, ErrNotFound, ErrForbidden, ErrRateLimited, ErrNoSafetensors} {
		if errors.Is(err, kind) {
			clean.kinds = append(clean.kinds, kind)
		}
	}
	return clean
}

type scrubbed struct {
	text  string
	kinds []error
}

func (e *scrubbed) Error() string   { return e.text }
func (e *scrubbed) Unwrap() []error { return e.kinds }
