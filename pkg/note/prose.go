package note

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"net/url"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// markdown renders CommonMark with tables. goldmark by itself drops raw HTML and lets <javascript:...> through as a
// link; textual decides about both.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.Table, extension.Strikethrough),
	goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(textual{}, 1))),
)

// textual shows raw HTML as the text it is - prose about models is full of <s> and <|end|> - and an image as its
// description, because the page loads nothing. Links lead to the web, to mail or within the page; any other is text.
type textual struct{}

func (textual) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindRawHTML, func(w util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			segments := n.(*ast.RawHTML).Segments
			for i := range segments.Len() {
				at := segments.At(i)
				w.WriteString(html.EscapeString(string(at.Value(src))))
			}
		}
		return ast.WalkSkipChildren, nil
	})
	reg.Register(ast.KindHTMLBlock, func(w util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		block := n.(*ast.HTMLBlock)
		if !entering {
			if block.HasClosure() {
				w.WriteString(html.EscapeString(string(block.ClosureLine.Value(src))))
			}
			w.WriteString("</p>\n")
			return ast.WalkContinue, nil
		}
		w.WriteString("<p>")
		for i := range block.Lines().Len() {
			at := block.Lines().At(i)
			w.WriteString(html.EscapeString(string(at.Value(src))))
		}
		return ast.WalkContinue, nil
	})
	reg.Register(ast.KindImage, func(w util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		return ast.WalkContinue, nil // its children are the description
	})
	reg.Register(ast.KindLink, func(w util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		link := n.(*ast.Link)
		if harmless(string(link.Destination)) {
			anchor(w, string(link.Destination), entering)
		}
		return ast.WalkContinue, nil
	})
	reg.Register(ast.KindAutoLink, func(w util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		link := n.(*ast.AutoLink)
		to := string(link.URL(src))
		if link.AutoLinkType == ast.AutoLinkEmail {
			to = "mailto:" + strings.TrimPrefix(to, "mailto:")
		}
		ok := harmless(to)
		if ok {
			anchor(w, to, true)
		}
		w.WriteString(html.EscapeString(string(link.Label(src))))
		if ok {
			anchor(w, to, false)
		}
		return ast.WalkContinue, nil
	})
}

func anchor(w util.BufWriter, to string, open bool) {
	if !open {
		w.WriteString("</a>")
		return
	}
	fmt.Fprintf(w, `<a href="%s" rel="noopener noreferrer">`, html.EscapeString(string(util.URLEscape([]byte(to), true))))
}

// harmless reports whether a link leads to the web, to mail or within the page. What a browser would strip from a
// scheme (blanks, control characters, entities) makes it none of these.
func harmless(to string) bool {
	u, err := url.Parse(string(util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences([]byte(to))))))
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https", "mailto":
		return true
	case "":
		return u.Host == "" && strings.HasPrefix(to, "#")
	}
	return false
}

func renderProse(source string) (template.HTML, error) {
	var b bytes.Buffer
	if err := markdown.Convert([]byte(source), &b); err != nil {
		return "", fmt.Errorf("note: prose: %w", err)
	}
	return template.HTML(b.String()), nil // safe: goldmark escapes text, textual the rest
}
