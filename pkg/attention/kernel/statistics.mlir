{{- /* Sums over a layer's attention that never form it, in Triton's IR: what each key receives and, of whole heads, what a survey measures. statistics.go fills it in.

A program takes Keys keys of one head and walks the queries that see them in tiles of Queries: near ones first, where the causal mask and the local window cut, then
those behind, which all see the keys, and the last, which is no whole tile, by itself. Near tiles are walked once more for their marks: all at once would take more registers than the many tiles behind need. A probability is exp2 of a score less its row's log-sum-exp, both in units of log2. Keys behind the last token read the last one's,
and no query sees them; queries behind the last token read the last one's, and their log-sum-exp is so large, as that of padding is, that their probabilities are 0.

Queries are the rows of a tile, so that a thread needs the log-sum-exps of two. Nothing is moved between threads on the way: a thread adds up the entries that the tensor cores gave it, those of a
key by themselves (!folded) and those of a statistic altogether (!part). */ -}}

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
      %lseColumn{{.Of}} = tt.expand_dims %lse{{.Of}} {axis = 1 : i32} : !queryVector -> !queryColumn
      %lseSquare{{.Of}} = tt.broadcast %lseColumn{{.Of}} : !queryColumn -> !square
      %log{{.Of}} = arith.subf %scaled{{.Of}}, %lseSquare{{.Of}} : !square
{{- end -}}

{{- define "rowValue"}}
{{/* .Name of the tile's queries, float32 [tokens]; .Behind stands for queries that are not there */}}      %{{.Name}}Here = tt.addptr %{{.Name}}Head, %queries : !queryPtr, !queryInt
      %{{.Name}}Raw = tt.load %{{.Name}}Here{{if not .Whole}}, %there, %{{.Behind}}{{end}} : !queryPtr
      %{{.Name}} = arith.mulf %{{.Name}}Raw, %log2e : !queryVector
{{- end -}}

{{- define "plus"}} ({
      ^bb0(%left: f32, %right: f32):
        %both = arith.addf %left, %right : f32
        tt.reduce.return %both : f32
      })
{{- end -}}

{{- define "before"}}
      {{- /* the query that is . behind each key, counted from the tile's first */}}
      %{{.}}Ends = arith.addi %keysFromQuery, %{{.}}Keys : !keyInt
      %{{.}}EndRow = tt.expand_dims %{{.}}Ends {axis = 0 : i32} : !keyInt -> !keyRowInt
      %{{.}}EndSquare = tt.broadcast %{{.}}EndRow : !keyRowInt -> !squareInt
{{- end -}}

{{- define "add"}}
      %{{.}}Parts = tt.reshape %{{.}}Square : !square -> !parts
      %{{.}}Pairs = "tt.reduce"(%{{.}}Parts) <{axis = 5 : i32}>{{template "plus"}} : (!parts) -> !partsOfPairs
      %{{.}}Rows = "tt.reduce"(%{{.}}Pairs) <{axis = 3 : i32}>{{template "plus"}} : (!partsOfPairs) -> !partsOfKeys
      %{{.}}Here = "tt.reduce"(%{{.}}Rows) <{axis = 1 : i32}>{{template "plus"}} : (!partsOfKeys) -> !part
      %{{.}} = arith.addf %{{.}}Before, %{{.}}Here : !part
{{- end -}}

{{- define "tile"}}
      %first = tt.splat %query : i32 -> !queryInt
      %queries = arith.addi %first, %tileQueries : !queryInt
      {{- if .Whole}}
      %queryAt = arith.muli %query, %queryStep : i32
      %queryAtSquare = tt.splat %queryAt : i32 -> !queriesInt
      %queryOffsets = arith.addi %queryAtSquare, %tileAcross : !queriesInt
      {{- else}}
      %there = arith.cmpi slt, %queries, %tokensQuery : !queryInt
      %queriesIn = arith.minsi %queries, %lastQueries : !queryInt
      %queriesInColumn = tt.expand_dims %queriesIn {axis = 1 : i32} : !queryInt -> !queryColumnInt
      %queriesAt = arith.muli %queriesInColumn, %queryStride : !queryColumnInt
      %queriesAtSquare = tt.broadcast %queriesAt : !queryColumnInt -> !queriesInt
      %queryOffsets = arith.addi %queriesAtSquare, %queryDims : !queriesInt
      {{- end}}
      {{- template "rowValue" .RowValue "lse"}}
      {{- if .HasSinks}}{{template "rowValue" .RowValue "share"}}{{end}}
      {{- if .Sourced}}{{template "rowValue" .RowValue "lse0"}}{{end}}
      {{- if or .Near .Masked}}
      %keyFromQuery = arith.subi %key, %query : i32
      %keysFrom = tt.splat %keyFromQuery : i32 -> !keyInt
      %keysFromQuery = arith.addi %keysFrom, %tileKeys : !keyInt
      %keysFromRow = tt.expand_dims %keysFromQuery {axis = 0 : i32} : !keyInt -> !keyRowInt
      %keysFromSquare = tt.broadcast %keysFromRow : !keyRowInt -> !squareInt
      {{- end}}
      %qAt = tt.addptr %qHead, %queryOffsets : !queriesPtr, !queriesInt
      %q = tt.load %qAt : !queriesPtr
      %products = tt.dot %q, %k, %zeroSquare : !queriesHalf * !keysHalf -> !square
      {{- template "score" .Layer}}
      {{- if .Near}}
      %behind = arith.cmpi sge, %tileQueriesSquare, %keysFromSquare : !squareInt
      {{- end}}
      {{- if .HasWindow}}
{{template "before" "window"}}
      %within = arith.cmpi slt, %tileQueriesSquare, %windowEndSquare : !squareInt
      {{- end}}
      {{- if and .Near .HasWindow}}
      %visible = arith.andi %behind, %within : !squareBool
      {{- end}}
      {{- if or .Near .HasWindow}}
      %logs = arith.select {{if not .HasWindow}}%behind{{else if .Near}}%visible{{else}}%within{{end}}, %log, %unseen : !squareBool, !square
      {{- end}}
      {{- if .Columns}}
      %columnsSquare = tt.elementwise_inline_asm "ex2.approx.ftz.f32 $0, $1;" {constraints = "=f,f", packed_element = 1 : i32, pure = true} {{.Logs}} : !square -> !square
      %columnsPairs = tt.reshape %columnsSquare : !square -> !foldable
      %columnsHere = "tt.reduce"(%columnsPairs) <{axis = 1 : i32}>{{template "plus"}} : (!foldable) -> !folded
      %columns = arith.addf %columnsBefore, %columnsHere : !folded
      {{- if .Cells}}
      %cellParts = tt.reshape %columnsHere : !folded -> !cellParts
      %cellPairs = "tt.reduce"(%cellParts) <{axis = 4 : i32}>{{template "plus"}} : (!cellParts) -> !cellPartsOfPairs
      %cellPart = "tt.reduce"(%cellPairs) <{axis = 2 : i32}>{{template "plus"}} : (!cellPartsOfPairs) -> !part
      %cellFlat = tt.reshape %cellPart : !part -> !partFlat
      %cell = "tt.reduce"(%cellFlat) <{axis = 0 : i32}>{{template "plus"}} : (!partFlat) -> f32
      %queryTile = arith.divsi %query, %queriesPerTile : i32
      %cellRow = arith.muli %queryTile, %keyTiles : i32
      %cellOffset = arith.addi %cellRow, %keyTile : i32
      %cellAt = tt.addptr %cellsHead, %cellOffset : !number, i32
      tt.store %cellAt, %cell : !number
      {{- end}}
      {{- if .Rows}}
      {{- if .HasSinks}}
      %shareColumn = tt.expand_dims %share {axis = 1 : i32} : !queryVector -> !queryColumn
      %shareSquare = tt.broadcast %shareColumn : !queryColumn -> !square
      %ownLogs = arith.subf {{.Logs}}, %shareSquare : !square
      %own = tt.elementwise_inline_asm "ex2.approx.ftz.f32 $0, $1;" {constraints = "=f,f", packed_element = 1 : i32, pure = true} %ownLogs : !square -> !square
      %entropySquare = arith.mulf %own, %ownLogs : !square
      {{- template "add" "entropy"}}
      %distance = arith.subi %tileQueriesSquare, %keysFromSquare : !squareInt
      %away = arith.sitofp %distance : !squareInt to !square
      %distancesSquare = arith.mulf %own, %away : !square
      {{- template "add" "distances"}}
      {{- else}}
      %entropySquare = arith.mulf %columnsSquare, {{.Logs}} : !square
      {{- template "add" "entropy"}}
      {{- end}}
      {{- if .Near}}
{{template "before" "local"}}
      %isLocal = arith.cmpi slt, %tileQueriesSquare, %localEndSquare : !squareInt
      %localSquare = arith.select %isLocal, %columnsSquare, %zeroSquare : !squareBool, !square
      {{- template "add" "local"}}
      {{- end}}
      {{- end}}
      {{- end}}
      {{- if .Marks}}
      %passes = arith.cmpf ogt, {{.Logs}}, %logTau : !square
      {{- if .Near}}
      %off = arith.cmpi sgt, %tileQueriesSquare, %keysFromSquare : !squareInt
      %marks = arith.andi %passes, %off : !squareBool
      {{- end}}
      %markedSquare = arith.select {{.Marked}}, %oneSquare, %zeroSquare : !squareBool, !square
      {{- template "add" "marked"}}
      {{- if .Sourced}}
      %q0At = tt.addptr %q0Head, %queryOffsets : !queriesPtr, !queriesInt
      %q0 = tt.load %q0At : !queriesPtr
      %products0 = tt.dot %q0, %k0, %zeroSquare : !queriesHalf * !keysHalf -> !square
      {{- template "score" .Source}}
      {{- if .SourceHasWindow}}
{{template "before" "window0"}}
      %within0 = arith.cmpi slt, %tileQueriesSquare, %window0EndSquare : !squareInt
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

!square = tensor<{{.Queries}}x{{.Keys}}xf32>
!squareInt = tensor<{{.Queries}}x{{.Keys}}xi32>
!squareBool = tensor<{{.Queries}}x{{.Keys}}xi1>
!foldable = tensor<{{.Strips}}x2x8x{{.Keys}}xf32>
!folded = tensor<{{.Strips}}x8x{{.Keys}}xf32>
!foldedOnce = tensor<8x{{.Keys}}xf32>
!parts = tensor<{{.Strips}}x2x8x{{.KeyStrips}}x4x2xf32>
!partsOfPairs = tensor<{{.Strips}}x2x8x{{.KeyStrips}}x4xf32>
!partsOfKeys = tensor<{{.Strips}}x2x8x4xf32>
!part = tensor<{{.Strips}}x8x4xf32>
!partFlat = tensor<{{.Threads}}xf32>
!cellParts = tensor<{{.Strips}}x8x{{.KeyStrips}}x4x2xf32>
!cellPartsOfPairs = tensor<{{.Strips}}x8x{{.KeyStrips}}x4xf32>
!keysPtr = tensor<{{.Dim}}x{{.Keys}}x!tt.ptr<{{.Type}}>>
!keysHalf = tensor<{{.Dim}}x{{.Keys}}x{{.Type}}>
!keysInt = tensor<{{.Dim}}x{{.Keys}}xi32>
!queriesPtr = tensor<{{.Queries}}x{{.Dim}}x!tt.ptr<{{.Type}}>>
!queriesHalf = tensor<{{.Queries}}x{{.Dim}}x{{.Type}}>
!queriesInt = tensor<{{.Queries}}x{{.Dim}}xi32>
!keyVector = tensor<{{.Keys}}xf32>
!keyInt = tensor<{{.Keys}}xi32>
!keyPtr = tensor<{{.Keys}}x!tt.ptr<f32>>
!keyRowInt = tensor<1x{{.Keys}}xi32>
!queryVector = tensor<{{.Queries}}xf32>
!queryInt = tensor<{{.Queries}}xi32>
!queryPtr = tensor<{{.Queries}}x!tt.ptr<f32>>
!queryColumn = tensor<{{.Queries}}x1xf32>
!queryColumnInt = tensor<{{.Queries}}x1xi32>
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
    %keysPerProgram = arith.constant {{.Keys}} : i32
    %queriesPerTile = arith.constant {{.Queries}} : i32
    %end = arith.constant {{.PaddedTokens}} : i32
    %queryStep = arith.constant {{.QueryStride}} : i32
    %queryStride = arith.constant dense<{{.QueryStride}}> : !queryColumnInt
    %keyStride = arith.constant dense<{{.KeyStride}}> : !keyRowInt
    %lastQueries = arith.constant dense<{{.Last}}> : !queryInt
    %tokensQuery = arith.constant dense<{{.Tokens}}> : !queryInt
    %lastKeys = arith.constant dense<{{.Last}}> : !keyInt
    %zeroSquare = arith.constant dense<0.0> : !square
    %oneSquare = arith.constant dense<1.0> : !square
    %twoSquare = arith.constant dense<2.0> : !square
    %unseen = arith.constant dense<-1.0e30> : !square
    %log2e = arith.constant dense<{{.Log2e}}> : !queryVector
    %huge = arith.constant dense<1.0e30> : !queryVector
    %noShare = arith.constant dense<0.0> : !queryVector
    %noColumns = arith.constant dense<0.0> : !folded
    %nothing = arith.constant dense<0.0> : !part
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
    %windowKeys = arith.constant dense<{{.Form.Window}}> : !keyInt
    {{- end}}
    {{- if .SourceHasWindow}}
    %window0Keys = arith.constant dense<{{.SourceForm.Window}}> : !keyInt
    {{- end}}
    {{- if .Rows}}
    %localKeys = arith.constant dense<{{.Local}}> : !keyInt
    {{- end}}
    {{- if .Marks}}
    %logTau = arith.constant dense<{{.LogTau}}> : !square
    {{- end}}

    // The first keys of all heads, which most queries see, come first, so that short programs fill the end.
    %head = tt.get_program_id x : i32
    %keyTile = tt.get_program_id y : i32
    %batch = tt.get_program_id z : i32
    %keyTiles = tt.get_num_programs y : i32
    %key = arith.muli %keyTile, %keysPerProgram : i32

    %tileKeys = tt.make_range {end = {{.Keys}} : i32, start = 0 : i32} : !keyInt
    %tileQueries = tt.make_range {end = {{.Queries}} : i32, start = 0 : i32} : !queryInt
    %dims = tt.make_range {end = {{.Dim}} : i32, start = 0 : i32} : !dims
    %keySplat = tt.splat %key : i32 -> !keyInt
    %keys = arith.addi %keySplat, %tileKeys : !keyInt
    %keysIn = arith.minsi %keys, %lastKeys : !keyInt
    %keysInRow = tt.expand_dims %keysIn {axis = 0 : i32} : !keyInt -> !keyRowInt
    %dimsRow = tt.expand_dims %dims {axis = 0 : i32} : !dims -> !dimsRow
    %dimsColumn = tt.expand_dims %dims {axis = 1 : i32} : !dims -> !dimsColumn
    %keyDims = tt.broadcast %dimsColumn : !dimsColumn -> !keysInt
    %queryDims = tt.broadcast %dimsRow : !dimsRow -> !queriesInt
    %tileQueriesColumn = tt.expand_dims %tileQueries {axis = 1 : i32} : !queryInt -> !queryColumnInt
    %tileQueriesSquare = tt.broadcast %tileQueriesColumn : !queryColumnInt -> !squareInt
    %tileQueriesAt = arith.muli %tileQueriesColumn, %queryStride : !queryColumnInt
    %tileQueriesAcross = tt.broadcast %tileQueriesAt : !queryColumnInt -> !queriesInt
    %tileAcross = arith.addi %tileQueriesAcross, %queryDims : !queriesInt

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

    %keysInAt = arith.muli %keysInRow, %keyStride : !keyRowInt
    %keysInSquare = tt.broadcast %keysInAt : !keyRowInt -> !keysInt
    %keyOffsets = arith.addi %keysInSquare, %keyDims : !keysInt
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
    %tokensWide = arith.constant {{.Tokens}} : i64
    %tokensAt = arith.muli %batchHead, %tokensWide : i64
    %lHead = tt.addptr %L, %tokensAt : !number, i64
    %lseHead = tt.splat %lHead : !number -> !queryPtr
    {{- if .HasSinks}}
    %sHead = tt.addptr %S, %tokensAt : !number, i64
    %shareHead = tt.splat %sHead : !number -> !queryPtr
    {{- end}}
    {{- if .Sourced}}
    %k0HeadAt = tt.addptr %K0, %keyAt : !element, i64
    %k0Head = tt.splat %k0HeadAt : !element -> !keysPtr
    %k0At = tt.addptr %k0Head, %keyOffsets : !keysPtr, !keysInt
    %k0 = tt.load %k0At : !keysPtr
    %q0HeadAt = tt.addptr %Q0, %queryFirst : !element, i64
    %q0Head = tt.splat %q0HeadAt : !element -> !queriesPtr
    %l0Head = tt.addptr %L0, %tokensAt : !number, i64
    %lse0Head = tt.splat %l0Head : !number -> !queryPtr
    {{- end}}
    %keyTilesWide = arith.extsi %keyTiles : i32 to i64
    %tilesAt = arith.muli %batchHead, %keyTilesWide : i64
    {{- if .Cells}}
    %queryTiles = arith.constant {{.QueryTiles}} : i64
    %cellsAt = arith.muli %tilesAt, %queryTiles : i64
    %cellsHead = tt.addptr %to_cells, %cellsAt : !number, i64
    {{- end}}

    %nearKeys = arith.constant {{.NearKeys}} : i32
    {{- if .OneNear}}
    %nearEnd = arith.addi %key, %nearKeys : i32
    {{- else}}
    %nearAll = arith.addi %key, %nearKeys : i32
    %nearEnd = arith.minsi %nearAll, %end : i32
    {{- end}}
    {{- if .HasWindow}}
    %farKeys = arith.constant {{.FarKeys}} : i32
    %farAll = arith.addi %key, %farKeys : i32
    %farEnd = arith.minsi %farAll, %end : i32
    {{- end}}
    {{- with .AsNear}}
    %near:{{.NumSums}} = scf.for %query = %key to %nearEnd step %queriesPerTile iter_args({{.FromNothing}}) -> ({{.SumTypes}}) : i32 {
      {{- template "tile" .}}
    } {tt.num_stages = 1 : i32}
    {{- end}}
    {{- if .Marks}}
    {{- with .AsNearMarks}}
    %nearMarks:{{.NumSums}} = scf.for %query = %key to %nearEnd step %queriesPerTile iter_args({{.FromNothing}}) -> ({{.SumTypes}}) : i32 {
      {{- template "tile" .}}
    } {tt.num_stages = 1 : i32}
    {{- end}}
    {{- end}}
    {{- if .Tail}}
    %wholeTiles = arith.constant {{.WholeTokens}} : i32
    {{- if .HasWindow}}
    %wholeEnd = arith.minsi %farEnd, %wholeTiles : i32
    {{- end}}
    {{- end}}
    %far:{{.NumSums}} = scf.for %query = %nearEnd to {{if and .Tail .HasWindow}}%wholeEnd{{else if .Tail}}%wholeTiles{{else if .HasWindow}}%farEnd{{else}}%end{{end}} step %queriesPerTile iter_args({{.FromNear}}) -> ({{.SumTypes}}) : i32 {
      {{- template "tile" .AsFar}}
    }
    {{- if .Tail}}
    %tailStart = arith.maxsi %nearEnd, %wholeTiles : i32
    %tail:{{.NumSums}} = scf.for %query = %tailStart to {{if .HasWindow}}%farEnd{{else}}%end{{end}} step %queriesPerTile iter_args({{.FromFar}}) -> ({{.SumTypes}}) : i32 {
      {{- template "tile" .AsTail}}
    } {tt.num_stages = 1 : i32}
    {{- end}}

    %columnsOnce = "tt.reduce"(%{{.LastLoop}}#0) <{axis = 0 : i32}>{{template "plus"}} : (!folded) -> !foldedOnce
    %columnsSum = "tt.reduce"(%columnsOnce) <{axis = 0 : i32}>{{template "plus"}} : (!foldedOnce) -> !keyVector
    %tokens = arith.constant dense<{{.Tokens}}> : !keyInt
    %stored = arith.cmpi slt, %keys, %tokens : !keyInt
    %columnsHead = tt.addptr %to_columns, %tokensAt : !number, i64
    %columnsSplat = tt.splat %columnsHead : !number -> !keyPtr
    %columnsKeys = tt.addptr %columnsSplat, %keys : !keyPtr, !keyInt
    tt.store %columnsKeys, %columnsSum, %stored : !keyPtr
    %tileWide = arith.extsi %keyTile : i32 to i64
    %tileAt = arith.addi %tilesAt, %tileWide : i64
    {{- range $i, $n := .Sums}}{{if $i}}
    %{{$n}}Flat = tt.reshape %{{$.LastLoop}}#{{$i}} : !part -> !partFlat
    %{{$n}}Sum = "tt.reduce"(%{{$n}}Flat) <{axis = 0 : i32}>{{template "plus"}} : (!partFlat) -> f32
    %{{$n}}At = tt.addptr %to_{{$n}}, %tileAt : !number, i64
    tt.store %{{$n}}At, %{{$n}}Sum : !number
    {{- end}}{{end}}
    tt.return
  }
}
