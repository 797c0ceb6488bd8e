package customcall_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/customcall"
	"github.com/attune-lab/attune/pkg/env"
)

// dumpDir is set in the process that the test starts: XLA reads its flags once.
const dumpDir = "ATTUNE_TEST_DUMP"

// TestEachDeviceComputesItsPieces: sums over the columns that a device has, twice, with the same constants inside and outside; nothing is brought together.
func TestEachDeviceComputesItsPieces(t *testing.T) {
	if env.FindCPUPlugin() == "" {
		t.Skip("needs XLA's plugin for processors, which is not found: go run ./recipes plugin cpu")
	}
	dir := os.Getenv(dumpDir)
	if dir == "" {
		dir = t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^TestEachDeviceComputesItsPieces$")
		cmd.Env = append(os.Environ(), dumpDir+"="+dir, env.XLAFlags+"=--xla_dump_to="+dir+" --xla_dump_hlo_as_text")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*after_optimizations.txt"))
		if err != nil || len(files) == 0 {
			t.Skip("no graph was compiled: a build without cgo") // the process has skipped
		}
		for _, file := range files {
			hlo, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if found := regexp.MustCompile(`all-(gather|reduce|to-all)\(`).FindString(string(hlo)); found != "" {
				t.Errorf("%s: %s", filepath.Base(file), found)
			}
		}
		return
	}
	b, err := backend.OpenDevices("xla:cpu", 2)
	if err != nil {
		t.Skip(err)
	}
	mesh, err := distributed.NewDeviceMesh([]int{2}, []string{"model"})
	if err != nil {
		t.Fatal(err)
	}
	g := NewGraph(b, "pieces")
	if err := g.SetAutoSharding(mesh); err != nil {
		t.Fatal(err)
	}
	columns := &distributed.ShardingSpec{Mesh: mesh, Axes: []distributed.AxisSpec{nil, {"model"}}}
	x := ShardedParameter(g, "x", shapes.Make(dtypes.Float32, 2, 4), columns)
	for range 2 {
		x = MulScalar(x, 3)
		x = customcall.PerDevice([]customcall.Operand{{Node: x, Axis: 1}, {Node: Const(g, []float32{10, 20}), Axis: customcall.Whole}}, []int{1, 0},
			func(pieces []*Node) []*Node {
				x, y := pieces[0], pieces[1]
				x.AssertDims(2, 2)
				y.AssertDims(2)
				sum := ReduceAndKeep(MulScalar(x, 3), ReduceSum, 1) // of the device's own columns
				return []*Node{Add(BroadcastToDims(sum, 2, 2), InsertAxes(y, -1)), y}
			})[0]
		x = MulScalar(x, 0.5)
	}
	if err := g.CompileWithSharding([]*Node{x}, []*distributed.ShardingSpec{columns}); err != nil {
		t.Fatal(err)
	}
	out := g.Run(tensors.FromValue([][]float32{{1, 2}, {5, 6}}), tensors.FromValue([][]float32{{3, 4}, {7, 8}}))
	// The first row: (1+2) * 3 * 3 + 10, halved, is 18.5, and (18.5+18.5) * 3 * 3 + 10, halved, 171.5. The second has 20 in place of 10.
	for i, want := range [][]float32{{171.5, 171.5, 545.5, 545.5}, {333.5, 333.5, 707.5, 707.5}} {
		if got := tensors.MustCopyFlatData[float32](out[i]); !slices.Equal(got, want) {
			t.Errorf("device %d has %v, expected %v", i, got, want)
		}
	}
}
