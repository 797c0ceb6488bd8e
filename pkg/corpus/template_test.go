package corpus

import (
	"errors"
	"strings"
	"testing"
)

func TestItemTemplateIsTheItemsText(t *testing.T) {
	bare := sampleItem()
	bare.Analysis = ""
	items := []Item{sampleItem(), bare, twoLines()}
	for _, item := range items {
		text, err := ItemTemplate.Render(item.Row())
		if err != nil {
			t.Fatal(err)
		}
		if text.Text != item.Text() || text.ID != item.ID {
			t.Fatalf("rendered %q as\n%s\nexpected\n%s", text.ID, text.Text, item.Text())
		}
	}
}

func TestSpansTileTheText(t *testing.T) {
	for _, item := range []Item{sampleItem(), twoLines()} {
		text, err := ItemTemplate.Render(item.Row())
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, s := range text.Spans {
			if s.Start != at || s.Body < s.Start || s.End < s.Body {
				t.Fatalf("span %+v does not begin at %d", s, at)
			}
			if heading := text.Text[s.Start:s.Body]; heading != s.Section+":" {
				t.Fatalf("the heading of %s is %q", s.Section, heading)
			}
			at = s.End
		}
		if at != len(text.Text) {
			t.Fatalf("the spans end at %d, the text at %d", at, len(text.Text))
		}
	}
}

func TestOwnSections(t *testing.T) {
	template, err := ParseTemplate("@setting: In {where}, {{always}}.\nMore of it.\nClaim-1: {claim}\n@note?: {note}\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(template.Sections(), " ") + " / " + strings.Join(template.Fields(), " "); got != "setting Claim-1 note / where claim note" {
		t.Errorf("sections and fields %q", got)
	}
	text, err := template.Render(Row{Text: map[string]string{"where": "Rome", "claim": "it rains"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "@setting: In Rome, {always}.\nMore of it.\nClaim-1: it rains\n"; text.Text != want {
		t.Errorf("rendered %q, expected %q", text.Text, want)
	}
}

func TestTemplateHashIsOfItsSource(t *testing.T) {
	if ItemTemplate.Hash() == mustTemplate("Question: {question}\n").Hash() || len(ItemTemplate.Hash()) != 64 || ItemTemplate.Hash() != mustTemplate(ItemTemplate.String()).Hash() {
		t.Error("the hash does not identify the source")
	}
}

func TestWrongTemplatesAreRefusedWithTheirLine(t *testing.T) {
	for source, want := range map[string]string{
		"":                                         "no field",
		"{question}":                               "line 1",
		"Question: {question":                      "never closes",
		"Question: question}":                      "}}",
		"Question: {two words}":                    "{two words}",
		"Question: {q}\nQuestion: {r}":             "line 2",
		"Question: {q}\nResponse:\n":               `"Response" is empty`,
		"Question: {q}\nResponse?: yes\n":          `"Response" is optional`,
		"Question: fixed":                          "no field",
		"Question: {q}\nResponse: \xff{r}":         "UTF-8",
		"Question: {q}\nA text {r\nResponse: {s}x": "line 2",
	} {
		if _, err := ParseTemplate(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, expected one with %q", source, err, want)
		}
	}
}

func TestRenderRefusesWhatIsMissingOrWouldOpenASection(t *testing.T) {
	item := sampleItem()
	for name, test := range map[string]struct {
		change func(Row)
		fault  ErrorKind
		want   string
	}{
		"missing":   {func(r Row) { delete(r.Text, "question") }, MissingField, `"question" is missing`},
		"empty":     {func(r Row) { r.Text["question"] = " " }, MissingField, `"question" is empty`},
		"a heading": {func(r Row) { r.Text["question"] = "What?\nResponse: A" }, WrongSection, `"Response:"`},
	} {
		row := item.Row()
		test.change(row)
		_, err := ItemTemplate.Render(row)
		if bad, ok := errors.AsType[*RowError](err); !ok || bad.Kind != test.fault || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, expected a %s with %q", name, err, test.fault, test.want)
		}
	}
}
