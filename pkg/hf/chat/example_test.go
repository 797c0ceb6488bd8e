package chat_test

import (
	"errors"
	"fmt"

	"github.com/attune-lab/attune/pkg/hf/chat"
)

func ExampleTemplate_Render() {
	// Of a model's directory, chat.Load reads the template and the special tokens.
	template, err := chat.New(`{% for message in messages %}
{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\n' }}
{%- endif %}`, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := template.Render([]chat.Message{{Role: "user", Content: "Which planet is largest?"}}, chat.Options{AddGenerationPrompt: true})
	fmt.Printf("%q %v\n", text, err)

	// What is not known to do what it does in Jinja2 is refused with its name, never approximated.
	_, err = chat.New("Today is {{ day | weekday }}", nil)
	var unsupported *chat.UnsupportedError
	fmt.Println(errors.As(err, &unsupported), unsupported.Construct)
	// Output:
	// "<|im_start|>user\nWhich planet is largest?<|im_end|>\n<|im_start|>assistant\n" <nil>
	// true the filter weekday
}
