// Package values says what the parameters of the recipes may be, so that a wrong value is refused before a kernel or a worker is started.
//
// [Check] knows each parameter by its name, or by its recipe and name where recipes mean different things by one. What it cannot know without a model or a
// data set is left to the worker: a layer that the model lacks, a column that the file lacks. A parameter of a notebook of one's own that has the name of
// a recipe's is checked like it, any other only for being text. Nothing here links GoMLX: the runner imports it.
package values
