// Package chat renders a conversation into the text an instruction-tuned model was trained on, by the chat template that comes with the model.
//
// A chat template is a Jinja program in tokenizer_config.json or chat_template.jinja. transformers renders it with trim_blocks and lstrip_blocks
// set, and with messages, tools, documents, add_generation_prompt and the special tokens as variables
// (https://huggingface.co/docs/transformers/chat_templating); so does this package, and a space that
// differs is a different prompt, which is why it is checked against the output of Jinja2 itself: the published formats of Llama 2, Llama 3.1,
// Qwen2.5, Mistral v0.1 and v0.3, Gemma 2, SmolLM2, SmolLM3, Phi-3 and ChatML, and a list of language constructs (testdata).
//
// The text holds the special tokens the model expects, its first among them: encode it with Tokenizer.EncodePlain, which adds none.
//
// # The engine and what stands around it
//
// Programs are run by github.com/ardanlabs/jinja, an engine in Go made for chat templates. Where it departs from Jinja2 the difference would not be
// reported but rendered, so this package stands around it:
//
//   - Whitespace control, comments, raw blocks and the dropping of the last newline are done here, by Jinja2's rules; the engine gets tags only.
//   - tojson, range, strftime_now and printing are given to the engine from here: keys in the order of the JSON, as json.dumps writes them.
//   - What a program uses is looked through before it runs. A statement, filter, test, method, function or operator that is not
//     known to do what it does in Jinja2 is refused with its name and line ([UnsupportedError]). Nothing is approximated.
//   - Printing a list, a dictionary or a fraction, whose Python form is not reproduced, is refused when it happens.
//
// What remains rests on values, which cannot be looked through beforehand. Where Jinja2 stops with an error at a message that lacks
// what the template asks for (an attribute of an undefined value, text plus nothing), the engine goes on with empty text; [Message] always has a
// role and a content, which is what templates ask for. A comparison of true with 1 and the remainder of a negative number differ
// from Python's. The tests list all three.
package chat
