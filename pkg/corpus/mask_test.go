package corpus

import (
	"reflect"
	"strings"
	"testing"
)

func sampleText(t testing.TB) Text {
	t.Helper()
	text, err := ItemTemplate.Render(sampleItem().Row())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// byteOffsets makes each byte a token: what gets a weight is then seen byte by byte.
func byteOffsets(text string) [][2]int {
	offsets := make([][2]int, len(text))
	for i := range offsets {
		offsets[i] = [2]int{i, i + 1}
	}
	return offsets
}

func TestMaskCoversExactlyTheChosenSections(t *testing.T) {
	text := sampleText(t)
	for name, test := range map[string]struct {
		mask Mask
		want map[float32]string // the bytes of each weight, in order
	}{
		"response": {Mask{Sections: []string{"Response"}}, map[float32]string{
			1: " B\n",
			0: "Question: What is 1 plus 1?\nOptions:\nA. 3\nB. 2\nAnalysis: A is wrong: 3 is 1 too many. B is right: 1 plus 1 is 2.\nResponse:"}},
		"with heading": {Mask{Sections: []string{"Response"}, Headings: true}, map[float32]string{
			1: "Response: B\n",
			0: "Question: What is 1 plus 1?\nOptions:\nA. 3\nB. 2\nAnalysis: A is wrong: 3 is 1 too many. B is right: 1 plus 1 is 2.\n"}},
		"two, weighed": {Mask{Sections: []string{"Analysis", "Response"}, Weights: map[string]float32{"Analysis": 0.25}}, map[float32]string{
			0.25: " A is wrong: 3 is 1 too many. B is right: 1 plus 1 is 2.\n", 1: " B\n",
			0: "Question: What is 1 plus 1?\nOptions:\nA. 3\nB. 2\nAnalysis:Response:"}},
		"all": {Mask{}, map[float32]string{1: text.Text}},
	} {
		if err := test.mask.Check(ItemTemplate); err != nil {
			t.Fatal(err)
		}
		weights, err := test.mask.TokenWeights(text, byteOffsets(text.Text))
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[float32]string)
		for i, w := range weights {
			got[w] += text.Text[i : i+1]
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: weights\n%v\nexpected\n%v", name, got, test.want)
		}
	}
}

func TestTokensThatReachAcrossAreNotTrainedOn(t *testing.T) {
	text := sampleText(t)
	n := len(text.Text)
	colon := strings.Index(text.Text, "Response:") + len("Response")
	offsets := [][2]int{{0, 0}, {0, colon}, {colon, colon + 2}, {colon + 2, colon + 2}, {colon + 2, n}, {n, n}}
	weights, err := Mask{Sections: []string{"Response"}}.TokenWeights(text, offsets)
	if err != nil {
		t.Fatal(err)
	}
	// BOS, the rest, ": ", a token of nothing, "B\n", EOS.
	if want := []float32{0, 0, 0, 0, 1, 1}; !reflect.DeepEqual(weights, want) {
		t.Errorf("weights %v, expected %v", weights, want)
	}
	if _, err := (Mask{}).TokenWeights(text, [][2]int{{0, n + 1}}); err == nil {
		t.Error("offsets beyond the text were accepted")
	}
}

func TestMaskNamesUnknownSections(t *testing.T) {
	for _, m := range []Mask{{Sections: []string{"Reply"}}, {Weights: map[string]float32{"Reply": 1}}, {Sections: []string{"Response"}, Weights: map[string]float32{"Options": 1}}, {Weights: map[string]float32{"Options": -1}}} {
		if err := m.Check(ItemTemplate); err == nil {
			t.Errorf("%+v was accepted", m)
		}
	}
}

func TestHTMLShowsTheTextEscaped(t *testing.T) {
	item := sampleItem()
	item.Question = `<script>alert("1 & 2")</script>`
	text, err := ItemTemplate.Render(item.Row())
	if err != nil {
		t.Fatal(err)
	}
	page := HTML(text, Mask{Sections: []string{"Response"}})
	if strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;alert(&#34;1 &amp; 2&#34;)") {
		t.Errorf("the text is not escaped:\n%s", page)
	}
	if !strings.Contains(page, `title="Response, weight 1"> B`+"\n</b>") {
		t.Errorf("the response is not marked:\n%s", page)
	}
}
