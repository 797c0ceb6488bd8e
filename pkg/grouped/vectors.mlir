{{- /* Products of single rows, each with the matrix of its group, in Triton's IR. vectors.go fills it in.

A program computes one place's product with Columns columns of its matrix, or with a part of the inputs: it multiplies them, in float32, with a block of Columns by Step
elements at a time, and adds over inputs when it has seen all. A block lies as its matrix does, columns along its first axis with OutIn and along its second without. Columns
that are no multiple of a block's are covered by a last one that overlaps the one before it: both write the same.

Places come first in the order of programs, so that those of the same group read the same columns at the same time: device memory is read once. */ -}}

!element = !tt.ptr<bf16>
!block = tensor<{{.Block}}xf32>
!blockHalf = tensor<{{.Block}}xbf16>
!blockInt = tensor<{{.Block}}xi32>
!blockPtr = tensor<{{.Block}}x!tt.ptr<bf16>>
!blockBool = tensor<{{.Block}}xi1>
!insInt = tensor<{{.Step}}xi32>
!insLong = tensor<{{.Ins}}xi32>
!insHalf = tensor<{{.Step}}xbf16>
!insPtr = tensor<{{.Step}}x!tt.ptr<bf16>>
!insBool = tensor<{{.Step}}xi1>
!columns = tensor<{{.Columns}}xf32>
!columnsInt = tensor<{{.Columns}}xi32>
!columnsLong = tensor<{{.Outs}}xi32>
!columnsHalf = tensor<{{.Columns}}xbf16>
!columnsPtr = tensor<{{.Columns}}x!tt.ptr<bf16>>
!columnsBool = tensor<{{.Columns}}xi1>
!stored = tensor<{{.StoredColumns}}xf32>
!storedInt = tensor<{{.StoredColumns}}xi32>
!storedType = tensor<{{.StoredColumns}}x{{.Type}}>
!storedPtr = tensor<{{.StoredColumns}}x!tt.ptr<{{.Type}}>>

module {
  tt.func public @vector_product(%X: !element {tt.divisibility = 16 : i32}, %groups: !tt.ptr<i32> {tt.divisibility = 16 : i32}, %W: !element {tt.divisibility = 16 : i32},
      {{- if .Gated}} %U: !element {tt.divisibility = 16 : i32},{{end}}
      {{- if .Biased}} %B: !element {tt.divisibility = 16 : i32},{{end}} %O: !tt.ptr<{{.Type}}> {tt.divisibility = 16 : i32}) {
    %in = arith.constant {{.In}} : i32
    %out = arith.constant {{.Out}} : i32
    %step = arith.constant {{.Step}} : i32

    // The place, columns and inputs of this program.
    %place = tt.get_program_id x : i32
    %columnTile = tt.get_program_id y : i32
    %part = tt.get_program_id z : i32
    %groupAt = tt.addptr %groups, %place : !tt.ptr<i32>, i32
    %group = tt.load %groupAt : !tt.ptr<i32>
    %shared = arith.constant {{.Shared}} : i32
    %row = arith.divsi %place, %shared : i32
    %columnsPerTile = arith.constant {{.Columns}} : i32
    %lastColumns = arith.constant {{.LastColumns}} : i32
    %columnEven = arith.muli %columnTile, %columnsPerTile : i32
    %column = arith.minsi %columnEven, %lastColumns : i32
    %partIns = arith.constant {{.PartIns}} : i32
    %from = arith.muli %part, %partIns : i32
    %toEven = arith.addi %from, %partIns : i32
    %to = arith.minsi %toEven, %in : i32

    // The row, and a block of the matrix.
    %rowAt = arith.muli %row, %in : i32
    %xRow = tt.addptr %X, %rowAt : !element, i32
    %groupWide = arith.extsi %group : i32 to i64
    %matrix = arith.constant {{.Matrix}} : i64
    %matrixAt = arith.muli %groupWide, %matrix : i64
    %ins = tt.make_range {end = {{.Step}} : i32, start = 0 : i32} : !insInt
    %insLong = tt.expand_dims %ins {axis = {{.ColumnAxis}} : i32} : !insInt -> !insLong
    %columns = tt.make_range {end = {{.Columns}} : i32, start = 0 : i32} : !columnsInt
    %columnsLong = tt.expand_dims %columns {axis = {{.InAxis}} : i32} : !columnsInt -> !columnsLong
    {{- if .OutIn}}
    %inDim = arith.constant dense<{{.In}}> : !columnsLong
    %columnsAt = arith.muli %columnsLong, %inDim : !columnsLong
    %columnsBlock = tt.broadcast %columnsAt : !columnsLong -> !blockInt
    %insBlock = tt.broadcast %insLong : !insLong -> !blockInt
    %columnAt = arith.muli %column, %in : i32
    {{- else}}
    %outDim = arith.constant dense<{{.Out}}> : !insLong
    %insAt = arith.muli %insLong, %outDim : !insLong
    %columnsBlock = tt.broadcast %columnsLong : !columnsLong -> !blockInt
    %insBlock = tt.broadcast %insAt : !insLong -> !blockInt
    {{- end}}
    %offsets = arith.addi %columnsBlock, %insBlock : !blockInt
    %wGroup = tt.addptr %W, %matrixAt : !element, i64
    %wColumns = tt.addptr %wGroup, {{if .OutIn}}%columnAt{{else}}%column{{end}} : !element, i32
    {{- if .Gated}}
    %uGroup = tt.addptr %U, %matrixAt : !element, i64
    %uColumns = tt.addptr %uGroup, %columnAt : !element, i32
    {{- end}}
    {{- if .Ragged}}
    %none = arith.constant dense<0.0> : !insHalf
    %noneBlock = arith.constant dense<0.0> : !blockHalf
    %inEnd = arith.constant dense<{{.In}}> : !insInt
    {{- end}}

    %zero = arith.constant dense<0.0> : !block
    %sums{{if .Gated}}:2{{end}} = scf.for %k = %from to %to step %step iter_args(%before = %zero{{if .Gated}}, %uBefore = %zero{{end}}) -> (!block{{if .Gated}}, !block{{end}}) : i32 {
      {{- if .Ragged}}
      %kSplat = tt.splat %k : i32 -> !insInt
      %ks = arith.addi %kSplat, %ins : !insInt
      %inside = arith.cmpi slt, %ks, %inEnd : !insInt
      %insideLong = tt.expand_dims %inside {axis = {{.ColumnAxis}} : i32} : !insBool -> tensor<{{.Ins}}xi1>
      %insideBlock = tt.broadcast %insideLong : tensor<{{.Ins}}xi1> -> !blockBool
      {{- end}}
      %xStep = tt.addptr %xRow, %k : !element, i32
      %xSplat = tt.splat %xStep : !element -> !insPtr
      %xAt = tt.addptr %xSplat, %ins : !insPtr, !insInt
      %x = tt.load %xAt{{if .Ragged}}, %inside, %none{{end}} : !insPtr
      {{- if .OutIn}}
      %wStep = tt.addptr %wColumns, %k : !element, i32
      {{- else}}
      %kAt = arith.muli %k, %out : i32
      %wStep = tt.addptr %wColumns, %kAt : !element, i32
      {{- end}}
      %wSplat = tt.splat %wStep : !element -> !blockPtr
      %wAt = tt.addptr %wSplat, %offsets : !blockPtr, !blockInt
      %w = tt.load %wAt{{if .Ragged}}, %insideBlock, %noneBlock{{end}} : !blockPtr
      {{- if .Gated}}
      %uStep = tt.addptr %uColumns, %k : !element, i32
      %uSplat = tt.splat %uStep : !element -> !blockPtr
      %uAt = tt.addptr %uSplat, %offsets : !blockPtr, !blockInt
      %u = tt.load %uAt{{if .Ragged}}, %insideBlock, %noneBlock{{end}} : !blockPtr
      {{- end}}
      %xLong = tt.expand_dims %x {axis = {{.ColumnAxis}} : i32} : !insHalf -> tensor<{{.Ins}}xbf16>
      %xWide = arith.extf %xLong : tensor<{{.Ins}}xbf16> to tensor<{{.Ins}}xf32>
      %xBlock = tt.broadcast %xWide : tensor<{{.Ins}}xf32> -> !block
      %wWide = arith.extf %w : !blockHalf to !block
      %products = arith.mulf %wWide, %xBlock : !block
      %sum = arith.addf %before, %products : !block
      {{- if .Gated}}
      %uWide = arith.extf %u : !blockHalf to !block
      %uProducts = arith.mulf %uWide, %xBlock : !block
      %uSum = arith.addf %uBefore, %uProducts : !block
      {{- end}}
      scf.yield %sum{{if .Gated}}, %uSum{{end}} : !block{{if .Gated}}, !block{{end}}
    }{{if .Stages}} {tt.num_stages = {{.Stages}} : i32}{{end}}
    %y = "tt.reduce"(%sums{{if .Gated}}#0{{end}}) <{axis = {{.InAxis}} : i32}> ({
    ^bb0(%left: f32, %right: f32):
      %both = arith.addf %left, %right : f32
      tt.reduce.return %both : f32
    }) : (!block) -> !columns

    {{- if .Biased}}
    %biasAt = arith.muli %group, %out : i32
    %biasColumn = arith.addi %biasAt, %column : i32
    %bTile = tt.addptr %B, %biasColumn : !element, i32
    %bSplat = tt.splat %bTile : !element -> !columnsPtr
    %bAt = tt.addptr %bSplat, %columns : !columnsPtr, !columnsInt
    %c0 = arith.constant 0 : i32
    %isFirst = arith.cmpi eq, %part, %c0 : i32
    %first = tt.splat %isFirst : i1 -> !columnsBool
    %noBias = arith.constant dense<0.0> : !columnsHalf
    %b = tt.load %bAt, %first, %noBias : !columnsPtr
    %bWide = arith.extf %b : !columnsHalf to !columns
    %biased = arith.addf %y, %bWide : !columns
    {{- end}}

    {{- if .Gated}}
    %up = "tt.reduce"(%sums#1) <{axis = {{.InAxis}} : i32}> ({
    ^bb0(%left: f32, %right: f32):
      %both = arith.addf %left, %right : f32
      tt.reduce.return %both : f32
    }) : (!block) -> !columns
    {{- end}}
    {{- if .Clamped}}
    %pairs = tt.reshape {{if .Biased}}%biased{{else}}%y{{end}} : !columns -> tensor<{{.StoredColumns}}x2xf32>
    %gateAll, %upAll = tt.split %pairs : tensor<{{.StoredColumns}}x2xf32> -> !stored
    %limit = arith.constant dense<{{.Limit}}> : !stored
    %minusLimit = arith.constant dense<{{.MinusLimit}}> : !stored
    %gate = arith.minnumf %gateAll, %limit : !stored
    %upBelow = arith.minnumf %upAll, %limit : !stored
    %upIn = arith.maxnumf %upBelow, %minusLimit : !stored
    {{- end}}
    {{- if .Paired}}
    %one = arith.constant dense<1.0> : !stored
    {{- if .Clamped}}
    %up = arith.addf %upIn, %one : !stored
    {{- end}}
    %minusAlpha = arith.constant dense<{{.MinusAlphaLog2E}}> : !stored
    %power = arith.mulf {{.Gate}}, %minusAlpha : !stored
    %e = math.exp2 %power : !stored
    %over = arith.addf %e, %one : !stored
    %swish = arith.divf {{.Gate}}, %over : !stored
    %acted = arith.mulf %swish, %up : !stored
    %result = arith.truncf %acted : !stored to !storedType
    {{- end}}

    %stored = tt.make_range {end = {{.StoredColumns}} : i32, start = 0 : i32} : !storedInt
    %parts = arith.constant {{.Parts}} : i32
    %width = arith.constant {{.Width}} : i32
    %storedPerTile = arith.constant {{.StoredColumns}} : i32
    %lastStored = arith.constant {{.LastStored}} : i32
    %storedEven = arith.muli %columnTile, %storedPerTile : i32
    %storedColumn = arith.minsi %storedEven, %lastStored : i32
    %placeParts = arith.muli %place, %parts : i32
    %resultRow = arith.addi %placeParts, %part : i32
    %resultAt = arith.muli %resultRow, %width : i32
    %resultColumn = arith.addi %resultAt, %storedColumn : i32
    %oTile = tt.addptr %O, %resultColumn : !tt.ptr<{{.Type}}>, i32
    %oSplat = tt.splat %oTile : !tt.ptr<{{.Type}}> -> !storedPtr
    %oAt = tt.addptr %oSplat, %stored : !storedPtr, !storedInt
    tt.store %oAt, {{.Result}} : !storedPtr
    tt.return
  }
}
