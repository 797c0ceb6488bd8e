{{- /* Sums over a layer's attention that never form it, in Triton's IR: what each key receives and, of whole heads, what a survey measures. statistics.go fills it in.

A program takes Keys keys of one head and walks the queries that see them in tiles of Queries: near ones first, where the causal mask and the local window cut, then
those behind, which all see the keys, and the last, which is no whole tile, by itself. A probability is exp2 of a score less its row's log-sum-exp, both in units of log2. Keys behind the last token read the last one's,
and no query sees them; the log-sum-exp of queries behind the last token, and of padding, is so large that their probabilities are 0. */ -}}

{{- define "score"}}
      {{- /* of .From, products of the layer (or of its source, "0") -> units of log2 */ -}}
      {{- if .Form.Softcap}}
      %doubled{{.Of}} = arith.mulf %products{{.Of}}, %factor{{.Of}} : !square
      %power{{.Of}} = tt.elementwise_inline_asm "ex2.approx.ftz.f32 $0, $1;" {constraints = "=f,f", packed_element = 1 : i32, pure = true} %doubled{{.Of}} : !square -> !square
      %powerOne{{.Of}} = arith.addf %power{{.Of}}, %oneSquare : !square
      %twoOver{{.Of}} = arith.divf %twoSquare, %powerOne{{.Of}} : !square
      %tanh{{.Of}} = arith.subf %oneSquare, %twoOver{{.Of}} : !square
      %scaled{{.Of}} = arith.mulf %tanh{{.Of}}, %cap{{.Of}} : !square
      {{- else}}
      %scaled{{.Of}} = arith.mulf %products{{.Of}}, %factor{{.Of}} : !square
      {{- end}}
      %lseHere{{.Of}} = tt.addptr %lseHead{{.Of}}, %queries : !queryPtr, !queryInt
      %lse{{.Of}} = tt.load %lseHere{{.Of}} : !queryPtr
      %lseRow{{.Of}} = tt.expand_dims %lse{{.Of}} {axis = 0 : i32} : !queryVector -> !queryRow
      %lseSquare{{.Of}} = tt.broadcast %lseRow{{.Of}} : !queryRow -> !square
      %log{{.Of}} = arith.subf %scaled{{.Of}}, %lseSquare{{.Of}} : !square
{{- end -}}

{{- define "add"}}
      %{{.}}Here = "tt.reduce"(%{{.}}Square) <{axis = 1 : i32}> ({
      ^bb0(%left: f32, %right: f32):
        %both = arith.addf %left, %right : f32
        tt.reduce.return %both : f32
      }) : (!square) -> !keyVector
      %{{.}} = arith.addf %{{.}}Before, %{{.}}Here : !keyVector
{{- end -}}

{{- define "tile"}}
      %first = tt.splat %query : i32 -> !queryInt
      %queries = arith.addi %first, %tileQueries : !queryInt
      {{- if .Whole}}
      %queryAt = arith.muli %query, %queryStep : i32
      %queryAtDown = tt.splat %queryAt : i32 -> !queriesInt
      %queryOffsets = arith.addi %queryAtDown, %tileDown : !queriesInt
      {{- else}}
      %queriesIn = arith.minsi %queries, %lastQueries : !queryInt
      %queriesInRow = tt.expand_dims %queriesIn {axis = 0 : i32} : !queryInt -> !queryRowInt
      %queriesAt = arith.muli %queriesInRow, %queryStride : !queryRowInt
      %queriesAtSquare = tt.broadcast %queriesAt : !queryRowInt -> !queriesInt
      %queryOffsets = arith.addi %queriesAtSquare, %dimsDown : !queriesInt
      {{- end}}
      {{- if or .Near .Masked}}
      %queriesRow = tt.expand_dims %queries {axis = 0 : i32} : !queryInt -> !queryRowInt
      %queriesSquare = tt.broadcast %queriesRow : !queryRowInt -> !squareInt
      %distance = arith.subi %queriesSquare, %keysSquare : !squareInt
      {{- end}}
      %qAt = tt.addptr %qHead, %queryOffsets : !queriesPtr, !queriesInt
      %q = tt.load %qAt : !queriesPtr
      %products = tt.dot %k, %q, %zeroSquare : !keysHalf * !queriesHalf -> !square
      {{- template "score" .Layer}}
      {{- if .Near}}
      %behind = arith.cmpi sge, %distance, %zeroInt : !squareInt
      {{- end}}
      {{- if .HasWindow}}
      %within = arith.cmpi slt, %distance, %windowSquare : !squareInt
      {{- end}}
      {{- if and .Near .HasWindow}}
      %visible = arith.andi %behind, %within : !squareBool
      {{- end}}
      {{- if or .Near .HasWindow}}
      %logs = arith.select {{if not .HasWindow}}%behind{{else if .Near}}%visible{{else}}%within{{end}}, %log, %unseen : !squareBool, !square
      {{- end}}
      %columnsSquare = tt.elementwise_inline_asm "ex2.approx.ftz.f32 $0, $1;" {constraints = "=f,f", packed_element = 1 : i32, pure = true} {{.Logs}} : !square -> !square
      {{- template "add" "columns"}}
      {{- if .Cells}}
      %cell = "tt.reduce"(%columnsHere) <{axis = 0 : i32}> ({
      ^bb0(%left: f32, %right: f32):
        %both = arith.addf %left, %right : f32
        tt.reduce.return %both : f32
      }) : (!keyVector) -> f32
      %queryTile = arith.divsi %query, %queriesPerTile : i32
      %cellRow = arith.muli %queryTile, %keyTiles : i32
      %cellOffset = arith.addi %cellRow, %keyTile : i32
      %cellAt = tt.addptr %cellsHead, %cellOffset : !number, i32
      tt.store %cellAt, %cell : !number
      {{- end}}
      {{- if .Rows}}
      {{- if .HasSinks}}
      %shareHere = tt.addptr %shareHead, %queries : !queryPtr, !queryInt
      %share = tt.load %shareHere : !queryPtr
      %shareRow = tt.expand_dims %share {axis = 0 : i32} : !queryVector -> !queryRow
      %shareSquare = tt.broadcast %shareRow : !queryRow -> !square
      %ownLogs = arith.subf {{.Logs}}, %shareSquare : !square
      %own = tt.elementwise_inline_asm "ex2.approx.ftz.f32 $0, $1;" {constraints = "=f,f", packed_element = 1 : i32, pure = true} %ownLogs : !square -> !square
      %entropySquare = arith.mulf %own, %ownLogs : !square
      {{- template "add" "entropy"}}
      %away = arith.sitofp %distance : !squareInt to !square
      %distancesSquare = arith.mulf %own, %away : !square
      {{- template "add" "distances"}}
      {{- else}}
      %entropySquare = arith.mulf %columnsSquare, {{.Logs}} : !square
      {{- template "add" "entropy"}}
      {{- end}}
      {{- if .Near}}
      %isLocal = arith.cmpi slt, %distance, %localSquareInt : !squareInt
      %localSquare = arith.select %isLocal, %columnsSquare, %zeroSquare : !squareBool, !square
      {{- template "add" "local"}}
      {{- end}}
      {{- end}}
      {{- if .Marks}}
      %passes = arith.cmpf ogt, {{.Logs}}, %logTau : !square
      {{- if .Near}}
      %off = arith.cmpi sgt, %distance, %zeroInt : !squareInt
      %marks = arith.andi %passes, %off : !squareBool
      {{- end}}
      %markedSquare = arith.select {{.Marked}}, %oneSquare, %zeroSquare : !squareBool, !square
      {{- template "add" "marked"}}
      {{- if .Sourced}}
      %q0At = tt.addptr %q0Head, %queryOffsets : !queriesPtr, !queriesInt
      %q0 = tt.load %q0At : !queriesPtr
      %products0 = tt.dot %k0, %q0, %zeroSquare : !keysHalf * !queriesHalf -> !square
      {{- template "score" .Source}}
      {{- if .SourceHasWindow}}
      %within0 = arith.cmpi slt, %distance, %window0Square : !squareInt
      %logs0 = arith.select %within0, %log0, %unseen : !squareBool, !square
      {{- end}}
      %passes0 = arith.cmpf ogt, %log{{if .SourceHasWindow}}s{{end}}0, %logTau : !square
      %shares = arith.andi {{.Marked}}, %passes0 : !squareBool
      %sharedSquare = arith.select %shares, %oneSquare, %zeroSquare : !squareBool, !square
      {{- template "add" "shared"}}
      {{- end}}
      {{- end}}
      scf.yield {{.Yields}} : {{.SumTypes}}
{{- end -}}

!square = tensor<{{.Keys}}x{{.Queries}}xf32>
!squareInt = tensor<{{.Keys}}x{{.Queries}}xi32>
!squareBool = tensor<{{.Keys}}x{{.Queries}}xi1>
!keysPtr = tensor<{{.Keys}}x{{.Dim}}x!tt.ptr<{{.Type}}>>
!keysHalf = tensor<{{.Keys}}x{{.Dim}}x{{.Type}}>
!keysInt = tensor<{{.Keys}}x{{.Dim}}xi32>
!queriesPtr = tensor<{{.Dim}}x{{.Queries}}x!tt.ptr<{{.Type}}>>
!queriesHalf = tensor<{{.Dim}}x{{.Queries}}x{{.Type}}>
!queriesInt = tensor<{{.Dim}}x{{.Queries}}xi32>
!keyVector = tensor<{{.Keys}}xf32>
!keyInt = tensor<{{.Keys}}xi32>
!keyPtr = tensor<{{.Keys}}x!tt.ptr<f32>>
!keyColumnInt = tensor<{{.Keys}}x1xi32>
!queryVector = tensor<{{.Queries}}xf32>
!queryInt = tensor<{{.Queries}}xi32>
!queryPtr = tensor<{{.Queries}}x!tt.ptr<f32>>
!queryRow = tensor<1x{{.Queries}}xf32>
!queryRowInt = tensor<1x{{.Queries}}xi32>
!dims = tensor<{{.Dim}}xi32>
!dimsRow = tensor<1x{{.Dim}}xi32>
!dimsColumn = tensor<{{.Dim}}x1xi32>
!element = !tt.ptr<{{.Type}}>
!number = !tt.ptr<f32>

module {
  tt.func public @statistics(%Q: !element {tt.divisibility = 16 : i32}, %K: !element {tt.divisibility = 16 : i32}, %L: !number {tt.divisibility = 16 : i32}
      {{- if .HasSinks}}, %S: !number {tt.divisibility = 16 : i32}{{end}}
      {{- if .Sourced}}, %Q0: !element {tt.divisibility = 16 : i32}, %K0: !element {tt.divisibility = 16 : i32}, %L0: !number {tt.divisibility = 16 : i32}{{end}}
      {{- range .Sums}}, %to_{{.}}: !number {tt.divisibility = 16 : i32}{{end}}
      {{- if .Cells}}, %to_cells: !number {tt.divisibility = 16 : i32}{{end}}) {
    %c0 = arith.constant 0 : i32
    %keysPerProgram = arith.constant {{.Keys}} : i32
    %queriesPerTile = arith.constant {{.Queries}} : i32
    %end = arith.constant {{.PaddedTokens}} : i32
    %queryStride = arith.constant dense<{{.QueryStride}}> : !queryRowInt
    %keyStride = arith.constant dense<{{.KeyStride}}> : !keyColumnInt
    %lastQueries = arith.constant dense<{{.Last}}> : !queryInt
    %lastKeys = arith.constant dense<{{.Last}}> : !keyInt
    %zeroSquare = arith.constant dense<0.0> : !square
    %oneSquare = arith.constant dense<1.0> : !square
    %twoSquare = arith.constant dense<2.0> : !square
    %zeroInt = arith.constant dense<0> : !squareInt
    %unseen = arith.constant dense<-1.0e30> : !square
    %nothing = arith.constant dense<0.0> : !keyVector
    %factor = arith.constant dense<{{.Form.Factor}}> : !square
    {{- if .Form.Softcap}}
    %cap = arith.constant dense<{{.Form.Cap}}> : !square
    {{- end}}
    {{- if .Sourced}}
    %factor0 = arith.constant dense<{{.SourceForm.Factor}}> : !square
    {{- if .SourceForm.Softcap}}
    %cap0 = arith.constant dense<{{.SourceForm.Cap}}> : !square
    {{- end}}
    {{- end}}
    {{- if .HasWindow}}
    %windowSquare = arith.constant dense<{{.Form.Window}}> : !squareInt
    {{- end}}
    {{- if .SourceHasWindow}}
    %window0Square = arith.constant dense<{{.SourceForm.Window}}> : !squareInt
    {{- end}}
    {{- if .Rows}}
    %localSquareInt = arith.constant dense<{{.Local}}> : !squareInt
    {{- end}}
    {{- if .Marks}}
    %logTau = arith.constant dense<{{.LogTau}}> : !square
    {{- end}}

    // The first keys, which most queries see, come first, so that short programs fill the end.
    %keyTile = tt.get_program_id x : i32
    %head = tt.get_program_id y : i32
    %batch = tt.get_program_id z : i32
    %keyTiles = tt.get_num_programs x : i32
    %key = arith.muli %keyTile, %keysPerProgram : i32

    %tileKeys = tt.make_range {end = {{.Keys}} : i32, start = 0 : i32} : !keyInt
    %tileQueries = tt.make_range {end = {{.Queries}} : i32, start = 0 : i32} : !queryInt
    %dims = tt.make_range {end = {{.Dim}} : i32, start = 0 : i32} : !dims
    %keySplat = tt.splat %key : i32 -> !keyInt
    %keys = arith.addi %keySplat, %tileKeys : !keyInt
    %keysIn = arith.minsi %keys, %lastKeys : !keyInt
    %keysColumn = tt.expand_dims %keys {axis = 1 : i32} : !keyInt -> !keyColumnInt
    %keysInColumn = tt.expand_dims %keysIn {axis = 1 : i32} : !keyInt -> !keyColumnInt
    %keysSquare = tt.broadcast %keysColumn : !keyColumnInt -> !squareInt
    %dimsRow = tt.expand_dims %dims {axis = 0 : i32} : !dims -> !dimsRow
    %dimsColumn = tt.expand_dims %dims {axis = 1 : i32} : !dims -> !dimsColumn
    %dimsAcross = tt.broadcast %dimsRow : !dimsRow -> !keysInt
    %dimsDown = tt.broadcast %dimsColumn : !dimsColumn -> !queriesInt
    %queryStep = arith.constant {{.QueryStride}} : i32
    %tileQueriesRow = tt.expand_dims %tileQueries {axis = 0 : i32} : !queryInt -> !queryRowInt
    %tileQueriesAt = arith.muli %tileQueriesRow, %queryStride : !queryRowInt
    %tileQueriesSquare = tt.broadcast %tileQueriesAt : !queryRowInt -> !queriesInt
    %tileDown = arith.addi %tileQueriesSquare, %dimsDown : !queriesInt

    // Offsets of heads in [batch, tokens, heads, dim]: wide, for a whole batch may pass 2^31 elements.
    %batchWide = arith.extsi %batch : i32 to i64
    %headWide = arith.extsi %head : i32 to i64
    %queryBatch = arith.constant {{.QueryBatch}} : i64
    %keyBatch = arith.constant {{.KeyBatch}} : i64
    %dimWide = arith.constant {{.Dim}} : i64
    %group = arith.constant {{.Group}} : i64
    %keyHead = arith.divsi %headWide, %group : i64
    %queryAtBatch = arith.muli %batchWide, %queryBatch : i64
    %queryAtHead = arith.muli %headWide, %dimWide : i64
    %queryFirst = arith.addi %queryAtBatch, %queryAtHead : i64
    %keyAtBatch = arith.muli %batchWide, %keyBatch : i64
    %keyAtHead = arith.muli %keyHead, %dimWide : i64
    %keyAt = arith.addi %keyAtBatch, %keyAtHead : i64

    %keysInAt = arith.muli %keysInColumn, %keyStride : !keyColumnInt
    %keysInSquare = tt.broadcast %keysInAt : !keyColumnInt -> !keysInt
    %keyOffsets = arith.addi %keysInSquare, %dimsAcross : !keysInt
    %kHeadAt = tt.addptr %K, %keyAt : !element, i64
    %kHead = tt.splat %kHeadAt : !element -> !keysPtr
    %kAt = tt.addptr %kHead, %keyOffsets : !keysPtr, !keysInt
    %k = tt.load %kAt : !keysPtr
    %qHeadAt = tt.addptr %Q, %queryFirst : !element, i64
    %qHead = tt.splat %qHeadAt : !element -> !queriesPtr

    // Of [batch, heads, ...].
    %headsWide = arith.constant {{.Heads}} : i64
    %batchHeads = arith.muli %batchWide, %headsWide : i64
    %batchHead = arith.addi %batchHeads, %headWide : i64
    %padded = arith.constant {{.PaddedTokens}} : i64
    %paddedAt = arith.muli %batchHead, %padded : i64
    %lHead = tt.addptr %L, %paddedAt : !number, i64
    %lseHead = tt.splat %lHead : !number -> !queryPtr
    {{- if .HasSinks}}
    %sHead = tt.addptr %S, %paddedAt : !number, i64
    %shareHead = tt.splat %sHead : !number -> !queryPtr
    {{- end}}
    {{- if .Sourced}}
    %k0HeadAt = tt.addptr %K0, %keyAt : !element, i64
    %k0Head = tt.splat %k0HeadAt : !element -> !keysPtr
    %k0At = tt.addptr %k0Head, %keyOffsets : !keysPtr, !keysInt
    %k0 = tt.load %k0At : !keysPtr
    %q0HeadAt = tt.addptr %Q0, %queryFirst : !element, i64
    %q0Head = tt.splat %q0HeadAt : !element -> !queriesPtr
    %l0Head = tt.addptr %L0, %paddedAt : !number, i64
    %lseHead0 = tt.splat %l0Head : !number -> !queryPtr
    {{- end}}
    %keyTilesWide = arith.extsi %keyTiles : i32 to i64
    %tilesAt = arith.muli %batchHead, %keyTilesWide : i64
    {{- if .Cells}}
    %queryTiles = arith.constant {{.QueryTiles}} : i64
    %cellsAt = arith.muli %tilesAt, %queryTiles : i64
    %cellsHead = tt.addptr %to_cells, %cellsAt : !number, i64
    {{- end}}

    %nearKeys = arith.constant {{.NearKeys}} : i32
    %nearAll = arith.addi %key, %nearKeys : i32
    %nearEnd = arith.minsi %nearAll, %end : i32
    {{- if .HasWindow}}
    %farKeys = arith.constant {{.FarKeys}} : i32
    %farAll = arith.addi %key, %farKeys : i32
    %farEnd = arith.minsi %farAll, %end : i32
    {{- end}}
    %near:{{.NumSums}} = scf.for %query = %key to %nearEnd step %queriesPerTile iter_args({{range $i, $n := .Sums}}{{if $i}}, {{end}}%{{$n}}Before = %nothing{{end}}) -> ({{.SumTypes}}) : i32 {
      {{- template "tile" .AsNear}}
    }
    {{- if .Tail}}
    %wholeTiles = arith.constant {{.WholeTokens}} : i32
    {{- if .HasWindow}}
    %wholeEnd = arith.minsi %farEnd, %wholeTiles : i32
    {{- end}}
    {{- end}}
    %far:{{.NumSums}} = scf.for %query = %nearEnd to {{if and .Tail .HasWindow}}%wholeEnd{{else if .Tail}}%wholeTiles{{else if .HasWindow}}%farEnd{{else}}%end{{end}} step %queriesPerTile iter_args({{range $i, $n := .Sums}}{{if $i}}, {{end}}%{{$n}}Before = %near#{{$i}}{{end}}) -> ({{.SumTypes}}) : i32 {
      {{- template "tile" .AsFar}}
    }
    {{- if .Tail}}
    %tailStart = arith.maxsi %nearEnd, %wholeTiles : i32
    %tail:{{.NumSums}} = scf.for %query = %tailStart to {{if .HasWindow}}%farEnd{{else}}%end{{end}} step %queriesPerTile iter_args({{range $i, $n := .Sums}}{{if $i}}, {{end}}%{{$n}}Before = %far#{{$i}}{{end}}) -> ({{.SumTypes}}) : i32 {
      {{- template "tile" .AsTail}}
    }
    {{- end}}

    %tokens = arith.constant dense<{{.Tokens}}> : !keyInt
    %stored = arith.cmpi slt, %keys, %tokens : !keyInt
    %tokensWide = arith.constant {{.Tokens}} : i64
    %columnsAt = arith.muli %batchHead, %tokensWide : i64
    %columnsHead = tt.addptr %to_columns, %columnsAt : !number, i64
    %columnsSplat = tt.splat %columnsHead : !number -> !keyPtr
    %columnsKeys = tt.addptr %columnsSplat, %keys : !keyPtr, !keyInt
    tt.store %columnsKeys, %{{if $.Tail}}tail{{else}}far{{end}}#0, %stored : !keyPtr
    %tileWide = arith.extsi %keyTile : i32 to i64
    %tileAt = arith.addi %tilesAt, %tileWide : i64
    {{- range $i, $n := .Sums}}{{if $i}}
    %{{$n}}Sum = "tt.reduce"(%{{if $.Tail}}tail{{else}}far{{end}}#{{$i}}) <{axis = 0 : i32}> ({
    ^bb0(%left: f32, %right: f32):
      %both = arith.addf %left, %right : f32
      tt.reduce.return %both : f32
    }) : (!keyVector) -> f32
    %{{$n}}At = tt.addptr %to_{{$n}}, %tileAt : !number, i64
    tt.store %{{$n}}At, %{{$n}}Sum : !number
    {{- end}}{{end}}
    tt.return
  }
}
