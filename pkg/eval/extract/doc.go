// Package extract reads answers out of what a model wrote: a letter, a number, one word of a closed set (yes or no), or free text.
//
// A text is read in two steps. First the place where it answers is found ([Final]): what follows the last "answer is", "Answer:",
// "Response:", "####" or \boxed{} before the model continues with a question of its own; a text without such a mark is its own answer. Then
// the [Question]'s form is read there ([Question.Read]). An answer that cannot be read, or that can be read in two ways, is unparsed:
// counted and shown, never guessed. An unparsed answer is wrong.
//
// The rules follow those by which the published outputs of BIG-Bench-Hard were scored (Suzgun et al., arXiv 2210.09261): what follows
// "answer is" without its full stop, else all of the text, compared with the target.
package extract
