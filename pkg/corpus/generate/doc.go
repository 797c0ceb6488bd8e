// Package generate makes structured multiple-choice items from a seed.
//
// [Generate] makes as many items as asked from twelve small domains, half of them STEM. A domain is a value with one
// method that draws a question; facts are stated in the question or come from small fixed tables, so that a model of
// a million parameters can learn them from scratch in minutes, and so that every answer is well defined.
//
// With [Options.Grades] each domain draws at three grades, easy, medium and hard: roughly one step, two steps, and two steps with something in
// the way ([Graded]; each domain says what its grades are). A wrong option is then the result of a mistake, and the analysis names it: another
// operation, a step too many, the feeling of the other person. There are at least 480,000 distinct training items. Without grades the
// generator makes the items of its first edition, ten domains without grades, byte for byte: models were trained on them
// and are evaluated on their held-out split.
//
// Item i of (domain, grade, split) is a pure function of (seed, domain, grade, split, i): its random stream is PCG seeded with the
// SHA-256 of those. It does not depend on the machine, on the number of cores or on how many items are made.
//
// The two splits are disjoint by construction, for every pair of seeds: each draw names the combination it tests
// (operands, stated facts, word and options; see [Draft.Key]), a fixed hash puts one combination in [heldOutOneIn] into
// the held-out split, and a draw that belongs to the other split is drawn again. So held-out items are new
// combinations and not merely new orders of the options.
package generate
