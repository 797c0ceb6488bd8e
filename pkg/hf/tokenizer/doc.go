// Package tokenizer turns text into the token ids a published model was trained on, and back, from the
// tokenizer.json that comes with the model.
//
// # Why it is written here
//
// A wrong id is a wrong experiment that no error reports. No Go library was found that gives the published ids for the layouts of the
// models people use, so parity with published ids is the specification of this package and its tests hold it: GPT-2's
// 47 published strings, SmolLM2 over all of PIQA, a Llama-2 layout against its model's own output, and generated texts in 57 layouts
// (testdata/differential.py).
// What a file asks for and this package does not do is refused by [Load] with its name; nothing is approximated.
//
// # The pipeline
//
// The steps and their names are those of Hugging Face's tokenizers (https://huggingface.co/docs/tokenizers/pipeline):
//
//	text -> added tokens -> normalizer -> pre-tokenizer -> model -> post-processor -> ids -> decoder -> text
//
//	models           BPE (byte level; or SentencePiece style with byte fallback), Unigram
//	normalizers      NFC NFD NFKC NFKD Lowercase Strip StripAccents Nmt Prepend Replace ByteLevel Precompiled Sequence
//	pre-tokenizers   ByteLevel Split Digits Punctuation Whitespace WhitespaceSplit CharDelimiterSplit BertPreTokenizer Metaspace Sequence
//	post-processors  TemplateProcessing BertProcessing RobertaProcessing ByteLevel Sequence
//	decoders         ByteLevel Metaspace Replace ByteFallback Fuse Strip Sequence
//
// BPE (Sennrich et al. 2016, arXiv 1508.07909) joins, again and again, the adjacent pair of lowest merge rank; Unigram (Kudo 2018,
// arXiv 1804.10959) takes the segmentation with the largest sum of piece scores (Viterbi). The patterns of Split are regular
// expressions with lookahead, which Go's regexp lacks; the subset that published tokenizers use is
// compiled by a small matcher of this package (pattern.go says why it is not a library).
//
// What a character is - a letter, a mark, punctuation - differs between Go, Oniguruma and the crates of Hugging Face's library by the version
// of Unicode; unicode.go holds the differences.
//
// # Offsets
//
// [Token] holds byte offsets into the text as it was given, through normalizers, prepended marks and byte fallback. Where the
// text was not changed the tokens tile it exactly, byte by byte, even inside a character. Where a normalizer
// replaced a stretch of text as one (e + combining accent by é), every token of the replacement has the offsets of the whole stretch. The
// trim_offsets of tokenizer.json, which hides the leading space from the offsets and changes no id, is not applied.
//
// # What is left to the caller
//
// The truncation and padding of a tokenizer.json are the habits of one training script and are ignored: nothing is cut or padded.
// clean_up_tokenization_spaces (a lossy polish of decoded English) is ignored too: decoding gives back what was encoded.
// As in Hugging Face's library, text that spells a special token becomes that token.
//
// [TrainBPE] trains a byte-level BPE and [Tokenizer.Save] writes a directory that transformers opens.
package tokenizer
