// Package export writes sets of items.
//
// A [Set] is items in named splits. [Set.Write] writes JSON lines with a card as JSON and as Markdown, [Set.WriteHub] the folder that the Hugging Face hub has a
// data set as: JSON lines or parquet, and README.md with its YAML head (https://huggingface.co/docs/hub/datasets-cards). Equal items give equal bytes;
// the card holds their SHA-256. corpus/source reads back what is written.
package export
