{{- /* A product of rows with the matrix of their group, in Triton's IR. product.go fills it in.

A program computes a tile: Rows places of one group by Columns columns. The table says which: expert, first place, the place behind the group's last one, for each tile
of places; tiles that no group needs have no places and walk nothing. Places behind the group's last one read the last one's row: what they compute is never stored.
Columns that are no multiple of a tile are covered by a last tile that overlaps the one before it: both write the same.

A tile of half as many places or fewer, at the end of a group, takes half the rows.

Programs go through Band tiles of places before the next columns, so that the cache holds the rows and the columns that a wave of programs reads. */ -}}

{{- define "types"}}
!xPtr{{.Size}} = tensor<{{.Rows}}x{{.Step}}x!tt.ptr<bf16>>
!xHalf{{.Size}} = tensor<{{.Rows}}x{{.Step}}xbf16>
!xInt{{.Size}} = tensor<{{.Rows}}x{{.Step}}xi32>
!sum{{.Size}} = tensor<{{.Rows}}x{{.Columns}}xf32>
!out{{.Size}} = tensor<{{.Rows}}x{{.StoredColumns}}xf32>
!outHalf{{.Size}} = tensor<{{.Rows}}x{{.StoredColumns}}xbf16>
!outPtr{{.Size}} = tensor<{{.Rows}}x{{.StoredColumns}}x!tt.ptr<bf16>>
!outInt{{.Size}} = tensor<{{.Rows}}x{{.StoredColumns}}xi32>
!outBool{{.Size}} = tensor<{{.Rows}}x{{.StoredColumns}}xi1>
!rowsInt{{.Size}} = tensor<{{.Rows}}xi32>
!rowsPtr{{.Size}} = tensor<{{.Rows}}x!tt.ptr<i32>>
!rowsColumn{{.Size}} = tensor<{{.Rows}}x1xi32>
!rowsBool{{.Size}} = tensor<{{.Rows}}x1xi1>
{{- end -}}

{{- define "rows"}}
      %zero = arith.constant dense<0.0> : !sum{{.Size}}
      // Rows.
      %tileRows = tt.make_range {end = {{.Rows}} : i32, start = 0 : i32} : !rowsInt{{.Size}}
      %firstSplat = tt.splat %first : i32 -> !rowsInt{{.Size}}
      %places = arith.addi %firstSplat, %tileRows : !rowsInt{{.Size}}
      %last = arith.subi %end, %c1 : i32
      %lastSplat = tt.splat %last : i32 -> !rowsInt{{.Size}}
      %placesIn = arith.minsi %places, %lastSplat : !rowsInt{{.Size}}
      {{- if .Indexed}}
      %indexSplat = tt.splat %index : !tt.ptr<i32> -> !rowsPtr{{.Size}}
      %indexAt = tt.addptr %indexSplat, %placesIn : !rowsPtr{{.Size}}, !rowsInt{{.Size}}
      %rows = tt.load %indexAt : !rowsPtr{{.Size}}
      %rowsColumn = tt.expand_dims %rows {axis = 1 : i32} : !rowsInt{{.Size}} -> !rowsColumn{{.Size}}
      {{- else}}
      %rowsColumn = tt.expand_dims %placesIn {axis = 1 : i32} : !rowsInt{{.Size}} -> !rowsColumn{{.Size}}
      {{- end}}
      %inRows = arith.constant dense<{{.In}}> : !rowsColumn{{.Size}}
      %rowsAt = arith.muli %rowsColumn, %inRows : !rowsColumn{{.Size}}
      %rowsSquare = tt.broadcast %rowsAt : !rowsColumn{{.Size}} -> !xInt{{.Size}}
      %insAcross = tt.broadcast %insRow : !insRow -> !xInt{{.Size}}
      %xOffsets = arith.addi %rowsSquare, %insAcross : !xInt{{.Size}}

      %sums = scf.for %k = %c0 to %walked step %step iter_args(%before = %zero) -> (!sum{{.Size}}) : i32 {
        %xStep = tt.addptr %X, %k : !element, i32
        %xSplat = tt.splat %xStep : !element -> !xPtr{{.Size}}
        %xAt = tt.addptr %xSplat, %xOffsets : !xPtr{{.Size}}, !xInt{{.Size}}
        %x = tt.load %xAt : !xPtr{{.Size}}
        {{- if .OutIn}}
        %wStep = tt.addptr %wTile, %k : !element, i32
        {{- else}}
        %kAt = arith.muli %k, %outStride : i32
        %wStep = tt.addptr %wTile, %kAt : !element, i32
        {{- end}}
        %wSplat = tt.splat %wStep : !element -> !wPtr
        %wAt = tt.addptr %wSplat, %wOffsets : !wPtr, !wInt
        %w = tt.load %wAt : !wPtr
        %sum = tt.dot %x, %w, %before : !xHalf{{.Size}} * !wHalf -> !sum{{.Size}}
        scf.yield %sum : !sum{{.Size}}
      }

      {{- if .Biased}}
      %biasWidth = arith.constant {{.Out}} : i32
      %biasGroup = arith.muli %group, %biasWidth : i32
      %biasAt = arith.addi %biasGroup, %column : i32
      %bTile = tt.addptr %B, %biasAt : !element, i32
      %bSplat = tt.splat %bTile : !element -> !columnsPtr
      %bAt = tt.addptr %bSplat, %columns : !columnsPtr, !columnsInt
      %b = tt.load %bAt : !columnsPtr
      %bRow = tt.expand_dims %b {axis = 0 : i32} : !columnsHalf -> !columnsHalfRow
      %bWide = arith.extf %bRow : !columnsHalfRow to tensor<1x{{.Columns}}xf32>
      %bSquare = tt.broadcast %bWide : tensor<1x{{.Columns}}xf32> -> !sum{{.Size}}
      %biased = arith.addf %sums, %bSquare : !sum{{.Size}}
      {{- end}}

      {{- if .Paired}}
      %one = arith.constant dense<1.0> : !out{{.Size}}
      %pairs = tt.reshape {{.Sum}} : !sum{{.Size}} -> tensor<{{.Rows}}x{{.StoredColumns}}x2xf32>
      {{- if .Clamped}}
      %gateAll, %upAll = tt.split %pairs : tensor<{{.Rows}}x{{.StoredColumns}}x2xf32> -> !out{{.Size}}
      %limit = arith.constant dense<{{.Limit}}> : !out{{.Size}}
      %minusLimit = arith.constant dense<{{.MinusLimit}}> : !out{{.Size}}
      %gate = arith.minnumf %gateAll, %limit : !out{{.Size}}
      %upBelow = arith.minnumf %upAll, %limit : !out{{.Size}}
      %upIn = arith.maxnumf %upBelow, %minusLimit : !out{{.Size}}
      %up = arith.addf %upIn, %one : !out{{.Size}}
      {{- else}}
      %gate, %up = tt.split %pairs : tensor<{{.Rows}}x{{.StoredColumns}}x2xf32> -> !out{{.Size}}
      {{- end}}
      %minusAlpha = arith.constant dense<{{.MinusAlphaLog2E}}> : !out{{.Size}}
      %power = arith.mulf %gate, %minusAlpha : !out{{.Size}}
      %e = math.exp2 %power : !out{{.Size}}
      %over = arith.addf %e, %one : !out{{.Size}}
      %swish = arith.divf %gate, %over : !out{{.Size}}
      %result = arith.mulf %swish, %up : !out{{.Size}}
      {{- end}}

      %resultHalf = arith.truncf {{.Result}} : !out{{.Size}} to !outHalf{{.Size}}
      %stored = tt.make_range {end = {{.StoredColumns}} : i32, start = 0 : i32} : !storedInt
      %storedRow = tt.expand_dims %stored {axis = 0 : i32} : !storedInt -> !storedRow
      %storedAcross = tt.broadcast %storedRow : !storedRow -> !outInt{{.Size}}
      %placesColumn = tt.expand_dims %places {axis = 1 : i32} : !rowsInt{{.Size}} -> !rowsColumn{{.Size}}
      %width = arith.constant dense<{{.Width}}> : !rowsColumn{{.Size}}
      %placesAt = arith.muli %placesColumn, %width : !rowsColumn{{.Size}}
      %placesSquare = tt.broadcast %placesAt : !rowsColumn{{.Size}} -> !outInt{{.Size}}
      %outOffsets = arith.addi %placesSquare, %storedAcross : !outInt{{.Size}}
      %oTile = tt.addptr %O, %storedColumn : !element, i32
      %oSplat = tt.splat %oTile : !element -> !outPtr{{.Size}}
      %oAt = tt.addptr %oSplat, %outOffsets : !outPtr{{.Size}}, !outInt{{.Size}}
      %endSplat = tt.splat %end : i32 -> !rowsColumn{{.Size}}
      %there = arith.cmpi slt, %placesColumn, %endSplat : !rowsColumn{{.Size}}
      %thereSquare = tt.broadcast %there : !rowsBool{{.Size}} -> !outBool{{.Size}}
      tt.store %oAt, %resultHalf, %thereSquare : !outPtr{{.Size}}
{{- end -}}

!element = !tt.ptr<bf16>
!wPtr = tensor<{{.Step}}x{{.Columns}}x!tt.ptr<bf16>>
!wHalf = tensor<{{.Step}}x{{.Columns}}xbf16>
!wInt = tensor<{{.Step}}x{{.Columns}}xi{{.OffsetBits}}>
!insInt = tensor<{{.Step}}xi32>
!insRow = tensor<1x{{.Step}}xi32>
!insColumn = tensor<{{.Step}}x1xi32>
!columnsInt = tensor<{{.Columns}}xi32>
!columnsRow = tensor<1x{{.Columns}}xi32>
!columnsHalf = tensor<{{.Columns}}xbf16>
!columnsHalfRow = tensor<1x{{.Columns}}xbf16>
!columnsPtr = tensor<{{.Columns}}x!tt.ptr<bf16>>
!storedInt = tensor<{{.StoredColumns}}xi32>
!storedRow = tensor<1x{{.StoredColumns}}xi32>
{{- template "types" .Whole}}
{{- template "types" .Half}}

module {
  tt.func public @grouped_product(%X: !element {tt.divisibility = 16 : i32}, %table: !tt.ptr<i32> {tt.divisibility = 16 : i32},
      {{- if .Indexed}} %index: !tt.ptr<i32> {tt.divisibility = 16 : i32},{{end}} %W: !element {tt.divisibility = 16 : i32},
      {{- if .Gated}} %U: !element {tt.divisibility = 16 : i32},{{end}}
      {{- if .Biased}} %B: !element {tt.divisibility = 16 : i32},{{end}} %O: !element {tt.divisibility = 16 : i32}) {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %in = arith.constant {{.In}} : i32
    %step = arith.constant {{.Step}} : i32

    // The tile of this program.
    %program = tt.get_program_id x : i32
    %bandPrograms = arith.constant {{.BandPrograms}} : i32
    %bandTiles = arith.constant {{.Band}} : i32
    %tiles = arith.constant {{.Tiles}} : i32
    %band = arith.divsi %program, %bandPrograms : i32
    %inBand = arith.remsi %program, %bandPrograms : i32
    %bandFirst = arith.muli %band, %bandTiles : i32
    %left = arith.subi %tiles, %bandFirst : i32
    %bandSize = arith.minsi %left, %bandTiles : i32
    %tileInBand = arith.remsi %inBand, %bandSize : i32
    %tile = arith.addi %bandFirst, %tileInBand : i32
    %columnTile = arith.divsi %inBand, %bandSize : i32
    %groupAt = tt.addptr %table, %tile : !tt.ptr<i32>, i32
    %group = tt.load %groupAt : !tt.ptr<i32>
    %firstAt = tt.addptr %groupAt, %tiles : !tt.ptr<i32>, i32
    %first = tt.load %firstAt : !tt.ptr<i32>
    %endAt = tt.addptr %firstAt, %tiles : !tt.ptr<i32>, i32
    %end = tt.load %endAt : !tt.ptr<i32>
    %columnsPerTile = arith.constant {{.Columns}} : i32
    %lastColumns = arith.constant {{.LastColumns}} : i32
    %columnEven = arith.muli %columnTile, %columnsPerTile : i32
    %column = arith.minsi %columnEven, %lastColumns : i32
    %storedPerTile = arith.constant {{.StoredColumns}} : i32
    %lastStored = arith.constant {{.LastStored}} : i32
    %storedEven = arith.muli %columnTile, %storedPerTile : i32
    %storedColumn = arith.minsi %storedEven, %lastStored : i32
    %some = arith.cmpi slt, %first, %end : i32
    %walked = arith.select %some, %in, %c0 : i32

    %ins = tt.make_range {end = {{.Step}} : i32, start = 0 : i32} : !insInt
    %insRow = tt.expand_dims %ins {axis = 0 : i32} : !insInt -> !insRow
    %insColumn = tt.expand_dims %ins {axis = 1 : i32} : !insInt -> !insColumn
    // Columns of the group's matrix: wide, for all of them may pass 2^31 elements. Those of two matrices alternate, the second being so many elements behind the first; buffers
    // start at multiples of 16 bytes.
    %columns = tt.make_range {end = {{.Columns}} : i32, start = 0 : i32} : !columnsInt
    %columnsRow = tt.expand_dims %columns {axis = 0 : i32} : !columnsInt -> !columnsRow
    {{- if .Gated}}
    %oneRow = arith.constant dense<1> : !columnsRow
    %inDim = arith.constant dense<{{.In}}> : !columnsRow
    %pair = arith.shrui %columnsRow, %oneRow : !columnsRow
    %odd = arith.andi %columnsRow, %oneRow : !columnsRow
    %pairAt = arith.muli %pair, %inDim : !columnsRow
    %pairAtWide = arith.extsi %pairAt : !columnsRow to tensor<1x{{.Columns}}xi64>
    %oddWide = arith.extsi %odd : !columnsRow to tensor<1x{{.Columns}}xi64>
    %wBytes = tt.ptr_to_int %W : !element -> i64
    %uBytes = tt.ptr_to_int %U : !element -> i64
    %bytes = arith.subi %uBytes, %wBytes : i64
    %c4 = arith.constant 4 : i64
    %c8 = arith.constant 8 : i64
    %eights = arith.shrsi %bytes, %c4 : i64
    %behind = arith.muli %eights, %c8 : i64
    %behindRow = tt.splat %behind : i64 -> tensor<1x{{.Columns}}xi64>
    %oddAt = arith.muli %oddWide, %behindRow : tensor<1x{{.Columns}}xi64>
    %wColumns = arith.addi %pairAtWide, %oddAt : tensor<1x{{.Columns}}xi64>
    %wColumnsDown = tt.broadcast %wColumns : tensor<1x{{.Columns}}xi64> -> !wInt
    %insWide = arith.extsi %insColumn : !insColumn to tensor<{{.Step}}x1xi64>
    %wInRows = tt.broadcast %insWide : tensor<{{.Step}}x1xi64> -> !wInt
    {{- else if .OutIn}}
    %wInRows = tt.broadcast %insColumn : !insColumn -> !wInt
    %inDim = arith.constant dense<{{.In}}> : !columnsRow
    %wColumns = arith.muli %columnsRow, %inDim : !columnsRow
    %wColumnsDown = tt.broadcast %wColumns : !columnsRow -> !wInt
    {{- else}}
    %outDim = arith.constant dense<{{.Out}}> : !insColumn
    %wIns = arith.muli %insColumn, %outDim : !insColumn
    %wInRows = tt.broadcast %wIns : !insColumn -> !wInt
    %wColumnsDown = tt.broadcast %columnsRow : !columnsRow -> !wInt
    {{- end}}
    %wOffsets = arith.addi %wInRows, %wColumnsDown : !wInt
    %groupWide = arith.extsi %group : i32 to i64
    %matrix = arith.constant {{.Matrix}} : i64
    %matrixAt = arith.muli %groupWide, %matrix : i64
    {{- if .Gated}}
    %columnAt = arith.muli %storedColumn, %in : i32
    {{- else if .OutIn}}
    %columnAt = arith.muli %column, %in : i32
    {{- else}}
    %outStride = arith.constant {{.Out}} : i32
    {{- end}}
    %wGroup = tt.addptr %W, %matrixAt : !element, i64
    %wTile = tt.addptr %wGroup, {{.ColumnAt}} : !element, i32

    %count = arith.subi %end, %first : i32
    %half = arith.constant {{.HalfRows}} : i32
    %few = arith.cmpi sle, %count, %half : i32
    scf.if %few {
      {{- template "rows" .Half}}
    } else {
      {{- template "rows" .Whole}}
    }
    tt.return
  }
}
