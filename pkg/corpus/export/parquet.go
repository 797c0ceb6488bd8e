package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/env"
)

// parquetRecord is [record] as columns.
type parquetRecord struct {
	ID       string   `parquet:"id"`
	Domain   string   `parquet:"domain,dict"`
	STEM     bool     `parquet:"stem"`
	Question string   `parquet:"question"`
	Options  []string `parquet:"options,list"`
	Answer   string   `parquet:"answer,dict"`
	Analysis string   `parquet:"analysis"`
	Source   string   `parquet:"source"`
	Grade    string   `parquet:"grade,dict"`
	Passage  string   `parquet:"passage"`
}

// WriteParquet writes items as a parquet file (Zstandard) with the columns id, domain, stem, question, options, answer, analysis, source, grade, passage.
func WriteParquet(w io.Writer, items []corpus.Item) error {
	writer := parquet.NewGenericWriter[parquetRecord](w, parquet.Compression(&parquet.Zstd))
	const at = 1024 // rows that are handed over at once
	rows := make([]parquetRecord, 0, at)
	for i, it := range items {
		if err := it.Validate(); err != nil {
			return fmt.Errorf("corpus: item %s: %w", it.ID, err)
		}
		rows = append(rows, parquetRecord{it.ID, it.Domain, it.STEM, it.Question, it.Options, corpus.Letter(it.Answer), it.Analysis, it.Source, string(it.Grade), it.Passage})
		if len(rows) == at || i == len(items)-1 {
			if _, err := writer.Write(rows); err != nil {
				return fmt.Errorf("corpus: writing parquet: %w", err)
			}
			rows = rows[:0]
		}
	}
	if err := writer.Close(); err != nil {
		return fmt.Errorf("corpus: writing parquet: %w", err)
	}
	return nil
}

// WriteHub writes the splits and a README.md into dir, as the hub has data sets: dir can be uploaded, or read with Python's
// datasets.load_dataset(dir) and [Rows]. Splits without items are left out.
func (s Set) WriteHub(dir string, o HubOptions) error {
	if o.Format == "" {
		o.Format = JSONL
	}
	write, known := map[Format]func(io.Writer, []corpus.Item) error{JSONL: WriteJSONL, Parquet: WriteParquet}[o.Format]
	if !known {
		return fmt.Errorf("corpus: format %q: expected %q or %q", o.Format, JSONL, Parquet)
	}
	if o.Template == nil {
		o.Template = corpus.ItemTemplate
	}
	if err := o.Mask.Check(o.Template); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	var files []hubFile
	described, err := s.Card()
	if err != nil {
		return err
	}
	for i, split := range s.Splits {
		if len(split.Items) == 0 {
			continue
		}
		texts := make([]string, len(split.Items))
		for k, it := range split.Items {
			text, err := o.Template.Render(it.Row())
			if err != nil {
				return fmt.Errorf("corpus: item %s: %w", it.ID, err)
			}
			texts[k] = text.Text
		}
		file := hubFile{split: described.Splits[i], items: split.Items, path: split.Name + "." + string(o.Format), lengths: []lengths{measure("words", texts, countWords)}}
		if o.Tokens != nil {
			file.lengths = append(file.lengths, measure("tokens", texts, o.Tokens))
		}
		var content bytes.Buffer
		if err := write(&content, split.Items); err != nil {
			return err
		}
		sum := sha256.Sum256(content.Bytes())
		file.bytes, file.hash = content.Len(), hex.EncodeToString(sum[:])
		if err := env.WriteBytes(filepath.Join(dir, file.path), 0o644, content.Bytes()); err != nil {
			return fmt.Errorf("corpus: %w", err)
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return fmt.Errorf("corpus: there are no items to export")
	}
	if err := env.WriteBytes(filepath.Join(dir, "README.md"), 0o644, []byte(hubCard(described, files, o))); err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	return nil
}
