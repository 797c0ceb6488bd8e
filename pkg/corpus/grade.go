package corpus

// Grade says how hard an item is meant to be.
type Grade string

// The grades of the generator. What they mean is told at each domain: roughly one step, two steps, and two steps with something in the way.
const (
	Easy   Grade = "easy"
	Medium Grade = "medium"
	Hard   Grade = "hard"
)

// Grades lists them from easy to hard.
func Grades() []Grade { return []Grade{Easy, Medium, Hard} }
