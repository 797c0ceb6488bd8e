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
// # The interpreter
//
// Templates come with models, from strangers. The interpreter here is a subset of Jinja2 3.1 in the environment of transformers
// (ImmutableSandboxedEnvironment, trim_blocks, lstrip_blocks, loop controls, the generation tag, its own tojson) with two properties that no
// Go engine has and that cannot be added from outside one:
//
//   - Values are Python's: what is printed, compared, divided or joined gives Python's text, and what stops Jinja2 with an error is an error.
//     A statement, filter, test, method or format that is not known is refused with its name and line ([UnsupportedError]). Nothing is
//     approximated. Integers of more than 64 bits are refused.
//   - Steps, bytes and depth are bounded (limits.go), so that any template ends ([LimitError]).
//
// The files follow the way of a template: lexer.go cuts it into text and tags, parse.go and expression.go make statements and expressions of
// them (Jinja2's grammar), render.go and eval.go run those; value.go has the values, print.go and tojson.go their text, filters.go,
// builtins.go and methods.go what templates call. include, import, extends, block and autoescape are refused: a chat template is one file.
package chat
