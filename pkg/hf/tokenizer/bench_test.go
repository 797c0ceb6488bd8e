package tokenizer_test

import (
	"strings"
	"testing"
)

func BenchmarkEncode(b *testing.B) {
	stories := read(b, shared(b, "text", "tinystories_lower.txt"))[:1<<20]
	texts := map[string]string{"stories": stories, "piqa": strings.Join(piqaTexts(b), "\n"), "cyrillic": strings.Repeat("нещо на Български, кънтри рок ", 10000)}
	for _, layout := range [][]string{{"tokenizers", "gpt2"}, {"tokenizers", "smollm2"}, {"models", "stories260k"}} {
		tok := load(b, shared(b, layout...))
		for _, name := range []string{"stories", "piqa", "cyrillic"} {
			text := texts[name]
			b.Run(layout[1]+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					tok.EncodePlain(text)
				}
			})
		}
	}
}

// BenchmarkEncodeLongWord encodes what no pre-tokenizer cuts: the merges alone.
func BenchmarkEncodeLongWord(b *testing.B) {
	tok := load(b, shared(b, "tokenizers", "gpt2"))
	text := strings.Repeat("abcdefghijklmnopqrstuvwxyz", 4000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.EncodePlain(text)
	}
}

func BenchmarkDecode(b *testing.B) {
	tok := load(b, shared(b, "tokenizers", "smollm2"))
	text := strings.Join(piqaTexts(b), "\n")
	ids := tok.EncodePlain(text)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.Decode(ids)
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := shared(b, "tokenizers", "gpt2")
	for b.Loop() {
		load(b, dir)
	}
}
