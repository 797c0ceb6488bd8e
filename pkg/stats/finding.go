package stats

import (
	"fmt"
	"strings"
)

// Word is what a comparison shows, by rule.
type Word string

// The words of [Paired.Word].
const (
	Better      Word = "better"
	Worse       Word = "worse"
	Equivalent  Word = "equivalent within" // followed by the margin
	BetterUnder Word = "better, but by less than"
	WorseUnder  Word = "worse, but by less than"
	NotShown    Word = "not shown"
	TooFew      Word = "too few items to show anything"
	Untested    Word = "" // outside the family
)

// Judge gives the word of a comparison by a fixed rule, in this order:
//
//	no family                                         [Untested]
//	no difference reaches 80 % power                  [TooFew]
//	Adjusted < Alpha, both one-sided tests reject     [BetterUnder], [WorseUnder]
//	Adjusted < Alpha                                  [Better], [Worse]
//	both one-sided tests reject                       [Equivalent]
//	else                                              [NotShown]
//
// The one-sided tests are those at the margin and the family's level: CIOneSided lies within it. A margin of 0 or less takes [Margin].
// "Not shown" is not "shown to be nothing".
func (p Paired) Judge(margin float64) Word {
	if margin <= 0 {
		margin = Margin
	}
	shown, small := p.Adjusted < Alpha, p.CIOneSided.Within(margin)
	switch {
	case p.Family == 0:
		return Untested
	case p.Detectable == 0 && !shown:
		return TooFew
	case shown && small && p.Difference > 0:
		return BetterUnder
	case shown && small:
		return WorseUnder
	case shown && p.Difference > 0:
		return Better
	case shown:
		return Worse
	case small:
		return Equivalent
	}
	return NotShown
}

// Word is [Paired.Judge] written out, with its margin where it has one: "equivalent within 1 point".
func (p Paired) Word(margin float64) string {
	if margin <= 0 {
		margin = Margin
	}
	switch word := p.Judge(margin); word {
	case Equivalent, BetterUnder, WorseUnder:
		return string(word) + " " + plural(strings.TrimSuffix(fmt.Sprintf("%.1f", 100*margin), ".0"), "point")
	default:
		return string(word)
	}
}

// Finding is the comparison in one sentence: difference, interval at 95 % and at the family's level, flips, p and corrected p, what
// could have been shown, and the word that follows from them.
func (p Paired) Finding(arm, reference string, margin float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s against %s: %s points (95 %% interval %s", arm, reference, signed(p.Difference), span(p.CI95))
	if p.Family > 1 {
		fmt.Fprintf(&b, "; %s for all %d comparisons together", span(p.CIFamily), p.Family)
	}
	fmt.Fprintf(&b, "), %s gained and %d lost of %d", plural(fmt.Sprint(p.Gained), "item"), p.Lost, p.N)
	if c := p.Clustered; c != nil && c.Decides {
		fmt.Fprintf(&b, " in %d clusters (design effect %.2f)", c.Clusters, c.DesignEffect)
	}
	if p.Family == 0 {
		return b.String() + "."
	}
	fmt.Fprintf(&b, ", p = %.3g", p.P)
	if p.Family > 1 {
		fmt.Fprintf(&b, ", %.3g after Holm's correction", p.Adjusted)
	}
	if p.Detectable > 0 {
		fmt.Fprintf(&b, "; %s could have shown %.1f points with %.0f %% power", plural(fmt.Sprint(p.N), "item"), 100*p.Detectable, 100*Power)
	} else {
		fmt.Fprintf(&b, "; no difference could have been shown with %s", plural(fmt.Sprint(p.N), "item"))
	}
	fmt.Fprintf(&b, ": %s.", p.Word(margin))
	return b.String()
}

// plural is "1 item" or "2 items".
func plural(number, noun string) string {
	if number == "1" {
		return number + " " + noun
	}
	return number + " " + noun + "s"
}

// signed is a difference in points.
func signed(x float64) string { return fmt.Sprintf("%+.1f", 100*x) }

func span(i Interval) string { return signed(i.Low) + " to " + signed(i.High) }
