package corpus

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// calendar counts days of the week from one visit to another.
type calendar struct{}

func (calendar) Name() string { return "calendar" }
func (calendar) STEM() bool   { return false }

var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// Draw is the easy grade.
func (c calendar) Draw(r *rand.Rand) Draft { return c.DrawGraded(r, Easy) }

// DrawGraded: easy, up to six days on; medium, more than a week on; hard, some days on and then some back, with the day between among the options.
func (calendar) DrawGraded(r *rand.Rand, g Grade) Draft {
	week := len(weekdays)
	first := r.IntN(week)
	who := sample(r, names, 3)
	came := weekdays[first]
	on, back := 1+r.IntN(week-1), 0
	last := who[1]
	question := func(on int) string {
		return fmt.Sprintf("%s came on %s. %s came %s after %s.", who[0], came, who[1], days(on), who[0])
	}
	var text, reason string
	switch g {
	case Medium:
		rest := on
		weeks := 1 + r.IntN(3)
		on += week * weeks
		text = question(on)
		reason = fmt.Sprintf("%d days are %s and %s, and ", on, plural(weeks, "week"), days(rest))
	case Hard:
		back = 1 + r.IntN(week-1)
		if back == on {
			back = on%(week-1) + 1
		}
		last = who[2]
		text = question(on) + fmt.Sprintf(" %s came %s before %s.", last, days(back), who[1])
		net, way := on-back, "on"
		if net < 0 {
			net, way = -net, "back"
		}
		reason = fmt.Sprintf("%d on and %d back is %d %s, and ", on, back, net, way)
	default:
		text = question(on)
	}
	right := (first + on - back + week) % week
	middle := (first + on) % week
	is := func(day int) string {
		switch {
		case day == first:
			return weekdays[day] + " is the day " + who[0] + " came"
		case g == Hard && day == middle:
			return weekdays[day] + " is the day " + who[1] + " came"
		}
		return weekdays[day] + " is " + days((day-first+week)%week) + " after " + came
	}
	d := Draft{
		Question: text + " On which day did " + last + " come?",
		Right:    Choice{weekdays[right], reason + weekdays[right] + " is " + days((right-first+week)%week) + " after " + came},
	}
	options := []int{right}
	if g == Hard {
		options = append(options, middle)
	}
	offered := make([]string, 0, 4)
	for len(options) < 4 {
		if day := r.IntN(week); !contains(options, day) {
			options = append(options, day)
		}
	}
	for i, day := range options[1:] {
		d.Wrong[i] = Choice{weekdays[day], is(day)}
		offered = append(offered, weekdays[day])
	}
	// Whoever came: the days decide. The options count so that there are enough combinations to hold some out.
	d.Key = came + " " + strconv.Itoa(on) + " " + strconv.Itoa(back) + setKey(offered)
	return d
}

func days(n int) string { return plural(n, "day") }

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}
