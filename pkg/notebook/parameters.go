package notebook

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
)

// Tags of the cells that hold parameters, papermill's convention.
const (
	ParametersTag = "parameters"
	InjectedTag   = "injected-parameters"
)

// Kind is the type of a parameter.
type Kind string

// The kinds of constants that a parameter can be.
const (
	String Kind = "string"
	Int    Kind = "int"
	Float  Kind = "float"
	Bool   Kind = "bool"
)

// Parameter is a constant of the cell tagged `parameters`.
type Parameter struct {
	Name    string
	Kind    Kind
	Type    string // the declared Go type, "" when the constant is untyped
	Default any    // string, int64, float64 or bool
	Help    string // the comment behind the constant, else the one above it

	block int // constants declared in the same const ( ... ) have the same number
}

// Parameters returns the constants of the notebook's cell tagged `parameters`, in order; none when no cell has the tag.
func (nb *Notebook) Parameters() ([]Parameter, error) {
	index, err := nb.parametersCell()
	if err != nil || index < 0 {
		return nil, err
	}
	parameters, err := parseParameters(nb.Cells[index].Source)
	if err != nil {
		return nil, fmt.Errorf("%s, the cell tagged %q (cell %d): %w", nb.Path, ParametersTag, index+1, err)
	}
	return parameters, nil
}

// parametersCell is the index of the cell tagged `parameters`, -1 when there is none.
func (nb *Notebook) parametersCell() (int, error) {
	found := -1
	for i, cell := range nb.Cells {
		if cell.Type != Code || !cell.HasTag(ParametersTag) {
			continue
		}
		if found >= 0 {
			return -1, fmt.Errorf("%s: cells %d and %d are both tagged %q: keep one", nb.Path, found+1, i+1, ParametersTag)
		}
		found = i
	}
	return found, nil
}

// parseParameters evaluates the constants of a cell. The type checker does the arithmetic, so that `1 << 20` and
// `60 * 60` are parameters like any other.
func parseParameters(source string) ([]Parameter, error) {
	const header = "package p;" // on the first line, so that line numbers are the cell's
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "line", header+WithoutMagics(source), parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("not valid Go: %w", err)
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	if _, err := (&types.Config{}).Check("p", files, []*ast.File{file}, info); err != nil {
		return nil, fmt.Errorf("%w; parameters are constants: a string, a number, true or false", err)
	}
	var parameters []Parameter
	for block, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			return nil, fmt.Errorf("line %d: found a declaration that is not a constant; put it into a cell of its own", files.Position(decl.Pos()).Line)
		}
		for _, spec := range gen.Specs {
			spec := spec.(*ast.ValueSpec)
			for _, name := range spec.Names {
				if name.Name == "_" {
					continue
				}
				parameter, err := newParameter(info.Defs[name].(*types.Const))
				if err != nil {
					return nil, fmt.Errorf("line %d: %w", files.Position(name.Pos()).Line, err)
				}
				parameter.Help, parameter.block = help(spec, gen), block
				parameters = append(parameters, parameter)
			}
		}
	}
	return parameters, nil
}

func newParameter(c *types.Const) (Parameter, error) {
	p := Parameter{Name: c.Name()}
	basic, ok := c.Type().Underlying().(*types.Basic)
	if !ok {
		return p, fmt.Errorf("constant %s has the type %s; expected a string, an integer, a float or a bool", c.Name(), c.Type())
	}
	if basic.Info()&types.IsUntyped == 0 {
		p.Type = basic.Name()
	}
	exact := true
	switch {
	case basic.Info()&types.IsString != 0:
		p.Kind, p.Default = String, constant.StringVal(c.Val())
	case basic.Info()&types.IsBoolean != 0:
		p.Kind, p.Default = Bool, constant.BoolVal(c.Val())
	case basic.Info()&types.IsInteger != 0:
		p.Kind = Int
		p.Default, exact = constant.Int64Val(constant.ToInt(c.Val()))
	case basic.Info()&types.IsFloat != 0:
		value, _ := constant.Float64Val(c.Val())
		p.Kind, p.Default = Float, value
	default:
		return p, fmt.Errorf("constant %s has the type %s; expected a string, an integer, a float or a bool", c.Name(), basic)
	}
	if !exact {
		return p, fmt.Errorf("constant %s = %s does not fit into 64 bits", c.Name(), c.Val())
	}
	return p, nil
}

// help is the comment behind a constant, else the one above it.
func help(spec *ast.ValueSpec, gen *ast.GenDecl) string {
	for _, group := range []*ast.CommentGroup{spec.Comment, spec.Doc} {
		if text := strings.Join(strings.Fields(group.Text()), " "); text != "" {
			return text
		}
	}
	if !gen.Lparen.IsValid() { // a single const: its comment belongs to it
		return strings.Join(strings.Fields(gen.Doc.Text()), " ")
	}
	return ""
}
