package note

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// demo finishes a note with everything that is hard to show: long hashes and names, wide and long tables, large pictures, attention of three arms.
func demo(t *testing.T) (dir string) {
	t.Helper()
	root, dir := repository(t)
	write(t, filepath.Join(root, "recipes", "demo.ipynb"), `{"cells":[],"metadata":{"attune":{"title":"Quickstart",`+
		`"answers":"Where does a model's attention sink, what does emulating its first layer do to it, and does accuracy change?"}},"nbformat":4,"nbformat_minor":5}`)
	hash := strings.Repeat("0123456789abcdef", 4)
	r := open(t, map[string]any{"model": "hf:HuggingFaceTB/SmolLM2-135M-Instruct@" + hash[:40], "items": "generated:medium", "limit": 200, "seed": 1,
		"prompt": "Question: " + strings.Repeat("who is the mother of whom? ", 8)})
	arms := []string{"baseline", "released", "literal"}
	defined := &report.Part{Facts: map[string]any{"dtype": "float32", "model": "sha256:" + hash, "spec.released": hash + " layer 0 at tau 0.01, alpha 0.5", "device": "Go backend, 2 cores"}}
	for _, name := range arms {
		defined.Arms = append(defined.Arms, report.Arm{Name: name, Words: "Deeper layers emulate the first one's pattern in the form " + name + ": entries that it marks are multiplied by 1 + alpha.",
			Definition: json.RawMessage(`{"name":"` + name + `","tau":0.01,"alpha":0.5,"layers":[1,2,3,4],"hash":"` + hash + `"}`)})
	}
	defined.Samples = []report.Sample{{Title: "One item as the model sees it", Text: "Question: Ada is the mother of Ben.\nOptions:\nA. aunt\nB. sister\n" + strings.Repeat("unbreakable", 40)}}
	must(t, r.Section("What is asked of what", defined))

	layers, heads := 12, 16
	map2 := make([][]float64, layers)
	heat := &report.Table{Title: "Mean attention by layer and head", Columns: []string{"layer"}}
	for h := range heads {
		heat.Columns = append(heat.Columns, fmt.Sprintf("head %d", h))
	}
	for l := range map2 {
		row := []any{l}
		for h := range heads {
			map2[l] = append(map2[l], math.Abs(math.Sin(float64(3*l+h))))
			row = append(row, map2[l][h])
		}
		heat.Rows = append(heat.Rows, row)
	}
	text := strings.SplitAfter("Question: Ada is the mother of Ben. Ben is the father of Cora. What is Ada to Cora?\nOptions:\nA. aunt\nB. sister\nC. grandmother\nD. mother\nResponse:", " ")
	must(t, r.Section("Where attention sinks", &report.Part{
		Method:  "Received attention of a key is the mean attention of the queries that can see it; a head has a sink on the first position if that exceeds 0.3.",
		Finding: "52.1 % of heads sink on the first position (95 % interval 50.8 to 53.4 %).",
		Figures: []report.Figure{{Name: "sink-map", Title: "Attention received by position 0", Caption: "attune-tiny, every layer and head, post-softmax, mean over 200 texts of 64 tokens",
			Chart: plot.Heatmap{Values: map2, Title: "Attention received by position 0", XLabel: "head", YLabel: "layer", ZLabel: "mean attention", Min: 0, Max: 1, Annotate: true}, Table: heat}},
		Attention: []report.Attention{attentionOf("question", text, 5, 8, arms...)},
	}))

	comparison := report.Table{Name: "comparison", Title: "Every arm against the baseline, acc: share of items whose right answer has the highest log-likelihood", Columns: []string{"items", "arm", "n", "accuracy", "difference", "95 % interval", "gained / lost", "p", "p (Holm)", "detectable", "word"}}
	subjects := report.Table{Name: "subjects", Title: "By subject", Columns: []string{"subject", "n", "accuracy"}}
	compared := &report.Part{Answers: true, Method: "Every arm answers the same items; an item counts as right if its answer has the highest log-likelihood. Differences are paired; their intervals invert the score test (Tango 1998), p is corrected by Holm over all tests made.",
		Finding: "released against baseline: -0.5 points (95 % interval -4.1 to +3.0), no difference shown; 200 items find one of 5.2 points with 80 % power."}
	for i, arm := range arms {
		for _, group := range []string{"all", "STEM", "not STEM"} {
			comparison.Rows = append(comparison.Rows, []any{group, arm, 200, 0.5 + 0.01*float64(i), -0.005, "-0.041 to +0.030", "12 / 13", 0.84, 1, 0.052, "no difference shown"})
			ci := stats.Interval{Low: 0.43, High: 0.57}
			compared.Numbers = append(compared.Numbers, report.Number{Name: "acc/" + group + "/" + arm, Value: 0.5 + 0.01*float64(i), Unit: "accuracy", N: 200, CI95: &ci, Tolerance: 1e-3})
		}
	}
	for i := range 57 {
		subjects.Rows = append(subjects.Rows, []any{fmt.Sprintf("high_school_subject_%d", i), 100 + i, 0.25 + float64(i)/100})
	}
	compared.Tables = []report.Table{comparison, subjects}
	compared.Figures = []report.Figure{{Name: "accuracy", Title: "Accuracy of every arm", Caption: "95 % Wilson intervals; the comparison itself is paired",
		Chart: plot.Bars{Groups: []string{"all", "STEM"}, Series: []plot.BarSeries{{Name: "baseline", Values: []float64{0.5, 0.4}}, {Name: "released", Values: []float64{0.49, 0.41}}}, YLabel: "accuracy"}}}
	must(t, r.Section("Does it help?", compared))
	must(t, r.Finish())
	return dir
}

// measure finds, in the page as it is laid out, what breaks the rules for reading: it returns one line for each.
const measure = `(function(print) {
  const out = [], width = document.documentElement.clientWidth, name = e => e.tagName.toLowerCase() + (e.className ? "." + e.className : "") + " " + JSON.stringify((e.textContent || e.alt || "").slice(0, 40));
  if (document.scrollingElement.scrollWidth > width) out.push("the page scrolls sideways: " + document.scrollingElement.scrollWidth + " in " + width);
  const color = s => {
    let m = s.match(/^rgba?\((.*)\)$/), c;
    if (m) { c = m[1].split(/[ ,\/]+/).map(Number); return [c[0] / 255, c[1] / 255, c[2] / 255, c[3] === undefined ? 1 : c[3]]; }
    m = s.match(/^color\(srgb (.*)\)$/);
    if (m) { c = m[1].split(/[ \/]+/).map(Number); return [c[0], c[1], c[2], c[3] === undefined ? 1 : c[3]]; }
    return [0, 0, 0, 0];
  };
  const under = e => {
    let layers = [];
    for (; e; e = e.parentElement) layers.push(color(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((b, c) => [0, 1, 2].map(i => b[i] * (1 - c[3]) + c[i] * c[3]), [1, 1, 1]);
  };
  const light = c => { const l = c.slice(0, 3).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
  for (const e of document.body.querySelectorAll("*")) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (e.closest("script,option") || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || box.width === 0) continue;
    const scroller = e.parentElement.closest(".scroll,.frame,.prose table");
    const inFrame = scroller && !print && getComputedStyle(scroller).overflowX === "auto";
    if (!inFrame && (box.right > width + 0.5 || box.left < -0.5)) out.push("cut at the page's edge: " + name(e) + " " + box.left + " to " + box.right + " of " + width);
    if (/hidden|clip/.test(style.overflowX) && e.scrollWidth > e.clientWidth + 1) out.push("cut in its box: " + name(e));
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own && !e.matches("select")) continue;
    if (parseFloat(style.fontSize) < 12) out.push("text of " + style.fontSize + ": " + name(e));
    const a = light(color(style.color)), b = light(under(e)), contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) out.push("contrast " + contrast.toFixed(1) + ": " + name(e));
  }
  if (print) for (const d of document.querySelectorAll("details:not(.hash) > :not(summary), .hash > code"))
    if (!d.checkVisibility({ contentVisibilityAuto: true }) || d.getBoundingClientRect().height === 0) if (!d.closest(".attention")) out.push("folded in print: " + name(d));
  return out;
})`

// browser starts a headless Chromium; a test is skipped where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium here: the note's layout is not measured")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(60*time.Second))
	ctx, cancelAll := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {})) // events that are newer than the library
	ctx, cancelTime := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(func() { cancelTime(); cancel(); cancelAll() })
	return ctx
}

// watch records what a page must not do: errors on the console, and requests to anything but itself.
func watch(ctx context.Context) func() []string {
	var mu sync.Mutex
	var seen []string
	add := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf(format, args...))
	}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, "data:") && !(strings.HasPrefix(u, "file:") && strings.HasSuffix(u, "/note.html")) {
				add("request to %s", u)
			}
		case *runtime.EventExceptionThrown:
			add("exception: %s", e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			add("console.%s", e.Type)
		case *log.EventEntryAdded:
			add("%s: %s", e.Entry.Level, e.Entry.Text)
		}
	})
	return func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), seen...) }
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// keep writes a picture into the folder that ATTUNE_NOTE_SAMPLES names, to look at.
func keep(t *testing.T, name string, content []byte) {
	if dir := os.Getenv("ATTUNE_NOTE_SAMPLES"); dir != "" {
		must(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
}

func TestANoteReadsOnPhonesOnScreensAndOnPaper(t *testing.T) {
	ctx := browser(t)
	dir := demo(t)
	if info, err := os.Stat(filepath.Join(dir, "note.html")); err != nil || info.Size() > 3_000_000 {
		t.Errorf("note.html: %v, %v; want at most 3 MB", info.Size(), err)
	}
	if samples := os.Getenv("ATTUNE_NOTE_SAMPLES"); samples != "" {
		keep(t, "note.md", []byte(read(t, dir, "note.md")))
		keep(t, "note.html", []byte(read(t, dir, "note.html")))
	}
	problems := watch(ctx)
	do(t, ctx, network.Enable(), log.Enable(), runtime.Enable())
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 768, 1280, 680} { // the last one is A4 between the page's margins
			name := fmt.Sprintf("%s, %d px", scheme, width)
			media, print := "screen", width == 680
			if print {
				media, name = "print", scheme+", print"
			}
			var found []string
			do(t, ctx,
				emulation.SetDeviceMetricsOverride(width, 900, 1, width == 360),
				emulation.SetEmulatedMedia().WithMedia(media).WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.Navigate("file://"+filepath.ToSlash(dir)+"/note.html"), chromedp.WaitVisible(".look .token"),
				chromedp.Evaluate(fmt.Sprintf("%s(%v)", measure, print), &found))
			for _, f := range found {
				t.Errorf("%s: %s", name, f)
			}
			if !print { // folded content, too
				do(t, ctx, chromedp.Evaluate(`document.querySelectorAll("details").forEach(d => d.open = true)`, nil), chromedp.Evaluate(measure+"(false)", &found))
				for _, f := range found {
					t.Errorf("%s, unfolded: %s", name, f)
				}
				do(t, ctx, chromedp.Evaluate(`document.querySelectorAll("details").forEach(d => d.open = false)`, nil))
			}
			if os.Getenv("ATTUNE_NOTE_SAMPLES") != "" {
				var shot []byte
				do(t, ctx, chromedp.FullScreenshot(&shot, 100))
				keep(t, fmt.Sprintf("note-%s-%d.png", scheme, width), shot)
			}
		}
	}
	do(t, ctx, emulation.SetEmulatedMedia().WithMedia(""), chromedp.ActionFunc(func(ctx context.Context) error {
		pdf, _, err := page.PrintToPDF().WithPaperWidth(8.27).WithPaperHeight(11.69).WithPreferCSSPageSize(true).Do(ctx)
		if err == nil && !strings.HasPrefix(string(pdf), "%PDF") {
			err = fmt.Errorf("no PDF: %.20q", pdf)
		}
		keep(t, "note.pdf", pdf)
		return err
	}))
	for _, p := range problems() {
		t.Error(p)
	}
}

func TestAttentionIsReadByKeyboard(t *testing.T) {
	ctx := browser(t)
	dir := demo(t)
	problems := watch(ctx)
	say := func() (text string) {
		t.Helper()
		do(t, ctx, chromedp.Text(".panel .say", &text))
		return text
	}
	press := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			do(t, ctx, chromedp.KeyEvent(k))
		}
	}
	focused := func() (class string) {
		t.Helper()
		do(t, ctx, chromedp.Evaluate(`document.activeElement.className || document.activeElement.tagName`, &class))
		return class
	}
	do(t, ctx, network.Enable(), log.Enable(), runtime.Enable(), emulation.SetDeviceMetricsOverride(1280, 900, 1, false),
		chromedp.Navigate("file://"+filepath.ToSlash(dir)+"/note.html"), chromedp.WaitVisible(".look .token"))
	if got := say(); !strings.Contains(got, " → ") || !strings.Contains(got, " % · ") {
		t.Errorf("at first the view says %q", got)
	}
	for i := 0; focused() != "SELECT"; i++ {
		if i > 40 {
			t.Fatal("no Tab leads to the view's layers")
		}
		press(kb.Tab)
	}
	before := say()
	press(kb.ArrowDown)
	if say() == before {
		t.Error("another layer says the same")
	}
	press(kb.Tab)
	before = say()
	press(kb.ArrowDown)
	if say() == before {
		t.Error("a head says what the mean says")
	}
	press(kb.Tab, kb.Tab)
	if !strings.HasPrefix(focused(), "token") {
		t.Fatalf("Tab leads from the controls to %q, want a token", focused())
	}
	if got := say(); !strings.HasPrefix(got, "0 Question:· → 0 Question:· ") {
		t.Errorf("the first token says %q", got)
	}
	press(kb.Tab, kb.ArrowRight)
	if got := say(); !strings.HasPrefix(got, "2 is· → ") {
		t.Errorf("Tab and an arrow lead to %q", got)
	}
	press(kb.End)
	var chosen int
	do(t, ctx, chromedp.Evaluate(`document.querySelectorAll(".panel:nth-child(3) .token.chosen").length`, &chosen))
	if chosen != 1 {
		t.Errorf("%d tokens are chosen in the third arm, want the same one", chosen)
	}
	for _, p := range problems() {
		t.Error(p)
	}

	do(t, ctx, emulation.SetScriptExecutionDisabled(true), chromedp.Reload(), chromedp.WaitVisible("figure.attention summary"))
	var rows int
	var look bool
	do(t, ctx, chromedp.Evaluate(`document.querySelectorAll("figure.attention table tbody tr").length`, &rows), chromedp.Evaluate(`document.querySelector(".look").hidden`, &look))
	if rows != 3*5*22 || !look {
		t.Errorf("without script the table has %d rows, and the view is hidden: %v", rows, look)
	}
}
