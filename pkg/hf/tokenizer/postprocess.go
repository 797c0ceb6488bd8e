package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// template is what a post-processor puts around the ids of a text.
type template struct {
	before, after []int
	found         bool // a TemplateProcessing was there
}

const postProcessors = "TemplateProcessing BertProcessing RobertaProcessing ByteLevel Sequence"

// parsePostProcessor reads a post-processor into the template. ByteLevel changes offsets only and adds nothing.
func (t *template) parsePostProcessor(raw json.RawMessage, depth int) error {
	name, err := typeOf(raw)
	if err != nil || name == "" {
		return err
	}
	switch name {
	case "ByteLevel":
		_, err = parseByteLevel(raw)
	case "TemplateProcessing":
		err = t.parseTemplate(raw)
	case "BertProcessing", "RobertaProcessing":
		err = t.parsePair(raw)
	case "Sequence":
		var spec struct {
			Type       string
			Processors []json.RawMessage
		}
		if err = strict(raw, &spec); err != nil {
			break
		}
		if depth == maxDepth {
			err = fmt.Errorf("found more than %d inside each other", maxDepth)
			break
		}
		for _, part := range spec.Processors {
			if err = t.parsePostProcessor(part, depth+1); err != nil {
				break
			}
		}
	default:
		return notSupported("post-processor", name, postProcessors)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// parsePair reads the older forms, which put one token before a text (cls) and one behind (sep). What else they say is of offsets.
func (t *template) parsePair(raw json.RawMessage) error {
	var spec struct {
		Type           string
		Sep, Cls       tokenAndID
		TrimOffsets    bool `json:"trim_offsets"`
		AddPrefixSpace bool `json:"add_prefix_space"`
	}
	if err := strict(raw, &spec); err != nil {
		return err
	}
	if t.found {
		return errors.New("a second template is not supported")
	}
	t.found = true
	t.before, t.after = []int{spec.Cls.id}, []int{spec.Sep.id}
	return nil
}

// tokenAndID is ["<s>", 0].
type tokenAndID struct{ id int }

func (p *tokenAndID) UnmarshalJSON(raw []byte) error {
	var pair []json.RawMessage
	var token string
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &token) != nil || json.Unmarshal(pair[1], &p.id) != nil {
		return errors.New(`expected ["token", id]`)
	}
	return nil
}

// templateItem is one element of a template: a special token or the sequence, A for a single text.
type templateItem struct {
	SpecialToken *templateID
	Sequence     *templateID
}

type templateID struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

func (t *template) parseTemplate(raw json.RawMessage) error {
	var spec struct {
		Type          string
		Single, Pair  []templateItem
		SpecialTokens map[string]struct {
			ID     string `json:"id"`
			IDs    []int  `json:"ids"`
			Tokens []string
		} `json:"special_tokens"`
	}
	if err := strict(raw, &spec); err != nil {
		return err
	}
	if t.found {
		return errors.New("a second template is not supported")
	}
	t.found = true
	seen := false
	for _, it := range spec.Single {
		switch {
		case it.Sequence != nil && it.SpecialToken == nil:
			if seen || it.Sequence.ID != "A" {
				return errors.New("single: expected the sequence A exactly once")
			}
			seen = true
		case it.SpecialToken != nil && it.Sequence == nil:
			token, ok := spec.SpecialTokens[it.SpecialToken.ID]
			if !ok {
				return fmt.Errorf("single: token %q is not among its special_tokens", it.SpecialToken.ID)
			}
			if seen {
				t.after = append(t.after, token.IDs...)
			} else {
				t.before = append(t.before, token.IDs...)
			}
		default:
			return errors.New("single: expected a SpecialToken or a Sequence")
		}
	}
	if !seen {
		return errors.New("single: expected the sequence A exactly once")
	}
	return nil
}
