package tokenizer_test

import (
	"fmt"
	"log"
	"slices"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// Train a tokenizer on a few lines, then see what it makes of a text and where each token lies in it.
func Example() {
	corpus := []string{"the cat sat on the mat", "the hat of the cat", "a cat, a hat, a mat"}
	tok, err := tokenizer.TrainBPE(slices.Values(corpus), tokenizer.TrainOptions{VocabSize: 268})
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range tok.Tokens("the cat’s", true) {
		fmt.Printf("%3d %-6q bytes %d-%d\n", token.ID, tok.Piece(token.ID), token.Start, token.End)
	}
	// A stream gives out whole characters only: ’ is three bytes, here three tokens.
	stream := tok.NewStream()
	for _, id := range tok.Encode("cat’s") {
		fmt.Printf("%q ", stream.Push(id))
	}
	// Output:
	//   0 "<s>"  bytes 0-0
	// 262 "the"  bytes 0-3
	// 264 "Ġcat" bytes 3-7
	// 230 "â"    bytes 7-8
	// 132 "Ģ"    bytes 8-9
	// 157 "Ļ"    bytes 9-10
	// 119 "s"    bytes 10-11
	// "" "c" "at" "" "" "’" "s"
}
