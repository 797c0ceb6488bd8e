package generate

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus"
)

var generateGraded = sync.OnceValues(func() (*Corpus, error) { return Generate(Options{Grades: corpus.Grades(), HeldOut: 3600}) })

func gradedCorpus(t testing.TB) *Corpus {
	t.Helper()
	c, err := generateGraded()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTwelveDomainsAtThreeGrades(t *testing.T) {
	c := gradedCorpus(t)
	if n := len(Domains()); n != 12 {
		t.Fatalf("%d domains, expected 12", n)
	}
	for _, s := range cardOf(t, c).Splits {
		if len(s.Domains) != 12 {
			t.Errorf("%s has %d domains", s.Name, len(s.Domains))
		}
		for _, d := range s.Domains {
			for _, g := range corpus.Grades() {
				if share := float64(d.Grades[g]) * 36 / float64(s.Items); math.Abs(share-1) > 0.01 {
					t.Errorf("%s: %d items of %s %s among %d", s.Name, d.Grades[g], d.Name, g, s.Items)
				}
			}
		}
	}
}

// TestGradedAnswersAndRationalesAreWhatASolverFinds recomputes of every option whether it is right and why.
func TestGradedAnswersAndRationalesAreWhatASolverFinds(t *testing.T) {
	c := gradedCorpus(t)
	for _, item := range slices.Concat(c.Train, c.HeldOut) {
		solve := gradedSolvers[item.Domain+"/"+string(item.Grade)]
		if solve == nil {
			t.Fatalf("no solver for %s %s", item.Domain, item.Grade)
		}
		if err := checkWith(solve, item); err != nil {
			t.Fatalf("%s: %v\n%s", item.ID, err, item.Text())
		}
		if err := item.Validate(); err != nil || len(item.Options) != 4 || item.RepeatedOption() >= 0 {
			t.Fatalf("%s: options %q, %v: expected four different ones", item.ID, item.Options, err)
		}
	}
}

func TestNoGradedItemIsTwiceOrInBothSplits(t *testing.T) {
	c := gradedCorpus(t)
	met := make(map[corpus.Fingerprint]string)
	for _, items := range [][]corpus.Item{c.Train, c.HeldOut, mustGenerate(t, Options{Seed: 1, Grades: corpus.Grades(), Train: 4000, HeldOut: -1}).Train, defaultCorpus(t).Train} {
		here := make(map[corpus.Fingerprint]bool)
		for _, item := range items {
			print := item.Fingerprint()
			if here[print] {
				t.Fatalf("%s is twice in one split:\n%s", item.ID, item.Text())
			}
			here[print] = true
			// Another seed, and the ungraded corpus, may train on the same items but not on held-out ones.
			if before, again := met[print]; again && strings.Contains(before, "/heldout/") != strings.Contains(item.ID, "/heldout/") {
				t.Fatalf("%s is also %s:\n%s", item.ID, before, item.Text())
			}
			met[print] = item.ID
		}
	}
}

// TestGradedKeyFollowsFromQuestionAndOptions, and no question with its options is of two grades.
func TestGradedKeyFollowsFromQuestionAndOptions(t *testing.T) {
	for _, d := range Domains() {
		keys, grades := make(map[corpus.Fingerprint]string), make(map[corpus.Fingerprint]corpus.Grade)
		r := rand.New(rand.NewPCG(1, 2))
		for _, g := range corpus.Grades() {
			for range 10_000 {
				draft := d.(Graded).DrawGraded(r, g)
				item := corpus.Item{Question: draft.Question, Options: []string{draft.Right.Text, draft.Wrong[0].Text, draft.Wrong[1].Text, draft.Wrong[2].Text}}
				print := item.Fingerprint()
				if key, met := keys[print]; met && (key != draft.Key || grades[print] != g) {
					t.Fatalf("%s: %q has the keys %q and %q, the grades %s and %s", d.Name(), draft.Question, key, draft.Key, grades[print], g)
				}
				keys[print], grades[print] = draft.Key, g
			}
		}
	}
}

func TestGradedItemsDoNotDependOnWhatElseIsMade(t *testing.T) {
	all := mustGenerate(t, Options{Seed: 3, Train: 720, HeldOut: -1, Grades: corpus.Grades()})
	alone := mustGenerate(t, Options{Seed: 3, Train: 20, HeldOut: -1, Domains: []string{"units"}, Grades: []corpus.Grade{corpus.Hard}})
	var among []corpus.Item
	for _, item := range all.Train {
		if item.Domain == "units" && item.Grade == corpus.Hard {
			among = append(among, item)
		}
	}
	if !reflect.DeepEqual(alone.Train, among) {
		t.Error("a domain and grade alone differ from the same among others")
	}
}

// The golden hash is that of linux/amd64; the same on any machine is what it tests.
func TestGoldenGradedContentHash(t *testing.T) {
	const want = "47eab49481ef3669e44d249749f1fc78cd0ce12123c1f825a7d44124df19a94b"
	got := cardOf(t, mustGenerate(t, Options{Train: 3600, HeldOut: 360, Grades: corpus.Grades()})).ContentHash
	if *update {
		t.Logf("%q", got)
	} else if got != want {
		t.Errorf("content hash\n found    %s\n expected %s", got, want)
	}
}

func TestUnknownGradesAreNamed(t *testing.T) {
	for _, grades := range [][]corpus.Grade{{"tricky"}, {corpus.Easy, corpus.Easy}} {
		if _, err := Generate(Options{Grades: grades}); err == nil || !strings.Contains(err.Error(), string(grades[0])) {
			t.Errorf("%v: error %v", grades, err)
		}
	}
}

// TestGradedDomainsAreLarge: each has enough distinct items at each grade for a corpus of 100,000.
func TestGradedDomainsAreLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 120,000 items")
	}
	if _, err := Generate(Options{Train: 120_000, HeldOut: 8_000, Grades: corpus.Grades()}); err != nil {
		t.Error(err)
	}
}
