{{- /* Flash attention (Dao et al., arXiv 2205.14135) in Triton's IR, with what models and interventions add to it: a soft cap, a window, learned sinks, and a gain on
the probabilities that a mask covers. attention.go fills it in.

A program computes Rows queries of one head, with scores in units of log2. It walks the keys in tiles of Keys: first those before its queries, which need no
causal mask, then those on the diagonal. Rows and keys behind the last token read the last one's: what they compute is never stored or seen. A row of which a
tile has no visible key adds ones to its sum, which the first key that it sees shrinks to nothing.

Exponentials are the hardware's, which flushes denormals to zero: through math.exp2 the kernel takes 9 % longer. */ -}}

{{- define "tile"}}
      %at = arith.muli %key, %keyStride : i32
      {{- if or .Diagonal .HasWindow}}
      %first = tt.splat %key : i32 -> !keysInt
      %keys = arith.addi %first, %tileKeys : !keysInt
      %keysOver = tt.expand_dims %keys {axis = 0 : i32} : !keysInt -> !keysRow
      %keysSquare = tt.broadcast %keysOver : !keysRow -> !squareInt
      {{- end}}
      {{- if .Diagonal}}
      %keysIn = arith.minsi %keys, %lastKeys : !keysInt
      %keysRow = tt.expand_dims %keysIn {axis = 0 : i32} : !keysInt -> !keysRow
      %keysRowAt = arith.muli %keysRow, %keyStrideRow : !keysRow
      %keysRowSquare = tt.broadcast %keysRowAt : !keysRow -> !keyInt
      %keyOffsets = arith.addi %keysRowSquare, %dimsDown : !keyInt
      %keysColumn = tt.expand_dims %keysIn {axis = 1 : i32} : !keysInt -> !keysColumn
      %keysColumnAt = arith.muli %keysColumn, %keyStrideColumn : !keysColumn
      %keysColumnSquare = tt.broadcast %keysColumnAt : !keysColumn -> !valueInt
      %valueOffsets = arith.addi %keysColumnSquare, %dimsAcross : !valueInt
      {{- else}}
      %atDown = tt.splat %at : i32 -> !keyInt
      %keyOffsets = arith.addi %atDown, %tileDown : !keyInt
      %atAcross = tt.splat %at : i32 -> !valueInt
      %valueOffsets = arith.addi %atAcross, %tileAcross : !valueInt
      {{- end}}
      %kAt = tt.addptr %kHead, %keyOffsets : !keyPtr, !keyInt
      %k = tt.load %kAt : !keyPtr
      %products = tt.dot %q, %k, %zeroSquare : !outHalf * !keyHalf -> !square
      {{- if .HasSoftcap}}
      %doubled = arith.mulf %products, %factorSquare : !square
      %power = tt.elementwise_inline_asm "ex2.approx.ftz.f32 $0, $1;" {constraints = "=f,f", packed_element = 1 : i32, pure = true} %doubled : !square -> !square
      %powerOne = arith.addf %power, %oneSquare : !square
      %twoOver = arith.divf %twoSquare, %powerOne : !square
      %tanh = arith.subf %oneSquare, %twoOver : !square
      %scaled = arith.mulf %tanh, %capSquare : !square
      {{- else}}
      %scaled = arith.mulf %products, %factorSquare : !square
      {{- end}}
      {{- if or .Diagonal .HasWindow}}
      {{- if .Diagonal}}
      %before = arith.cmpi sge, %rowsSquare, %keysSquare : !squareInt
      {{- end}}
      {{- if .HasWindow}}
      %near = arith.cmpi sgt, %keysSquare, %behindSquare : !squareInt
      {{- end}}
      {{- if and .Diagonal .HasWindow}}
      %visible = arith.andi %before, %near : !squareBool
      {{- end}}
      %scores = arith.select {{if not .HasWindow}}%before{{else if .Diagonal}}%visible{{else}}%near{{end}}, %scaled, %unseen : !squareBool, !square
      {{- end}}
      %tops = "tt.reduce"({{if or .Diagonal .HasWindow}}%scores{{else}}%scaled{{end}}) <{axis = 1 : i32}> ({
      ^bb0(%left: f32, %right: f32):
        %larger = arith.maxnumf %left, %right : f32
        tt.reduce.return %larger : f32
      }) : (!square) -> !row
      %top = arith.maxnumf %topBefore, %tops : !row
      %topColumn = tt.expand_dims %top {axis = 1 : i32} : !row -> !rowColumn
      %topSquare = tt.broadcast %topColumn : !rowColumn -> !square
      %below = arith.subf {{if or .Diagonal .HasWindow}}%scores{{else}}%scaled{{end}}, %topSquare : !square
      %p = tt.elementwise_inline_asm "ex2.approx.ftz.f32 $0, $1;" {constraints = "=f,f", packed_element = 1 : i32, pure = true} %below : !square -> !square
      %step = arith.subf %topBefore, %top : !row
      %shrink = math.exp2 %step : !row
      {{- if .ByLimits}}
      %k0At = tt.addptr %k0Head, %keyOffsets : !keyPtr, !keyInt
      %k0 = tt.load %k0At : !keyPtr
      %sources = tt.dot %q0, %k0, %zeroSquare : !outHalf * !keyHalf -> !square
      {{if and .Diagonal .OffDiagonal}}%passes{{else}}%covered{{end}} = arith.cmpf ogt, %sources, %limitSquare : !square
      {{- if and .Diagonal .OffDiagonal}}
      %other = arith.cmpi ne, %rowsSquare, %keysSquare : !squareInt
      %covered = arith.andi %passes, %other : !squareBool
      {{- end}}
      {{- else if .ByBits}}
      %word = arith.shrui %key, %c5 : i32
      %wordSquare = tt.splat %word : i32 -> !word
      %wordAt = tt.addptr %bitsRows, %wordSquare : !wordPtr, !word
      %words = tt.load %wordAt : !wordPtr
      %wordsDeep = tt.expand_dims %words {axis = 2 : i32} : !word -> !wordDeep
      %wordsCube = tt.broadcast %wordsDeep : !wordDeep -> !cube
      %shifted = arith.shrui %wordsCube, %shiftsCube : !cube
      %bit = arith.andi %shifted, %oneCube : !cube
      %bitSquare = tt.reshape %bit : !cube -> !squareInt
      %covered = arith.cmpi ne, %bitSquare, %zeroBits : !squareInt
      {{- end}}
      {{- if .Gained}}
      %gained = arith.mulf %p, %gainSquare : !square
      %weights = arith.select %covered, %gained, %p : !squareBool, !square
      {{- end}}
      %sums = "tt.reduce"({{if .Normalise}}%weights{{else}}%p{{end}}) <{axis = 1 : i32}> ({
      ^bb0(%left: f32, %right: f32):
        %both = arith.addf %left, %right : f32
        tt.reduce.return %both : f32
      }) : (!square) -> !row
      %sumShrunk = arith.mulf %sumBefore, %shrink : !row
      %sum = arith.addf %sumShrunk, %sums : !row
      %shrinkColumn = tt.expand_dims %shrink {axis = 1 : i32} : !row -> !rowColumn
      %shrinkSquare = tt.broadcast %shrinkColumn : !rowColumn -> !out
      %outShrunk = arith.mulf %outBefore, %shrinkSquare : !out
      %vAt = tt.addptr %vHead, %valueOffsets : !valuePtr, !valueInt
      %v = tt.load %vAt : !valuePtr
      %half = arith.truncf {{if .Gained}}%weights{{else}}%p{{end}} : !square to !halfSquare
      %out = tt.dot %half, %v, %outShrunk : !halfSquare * !valueHalf -> !out
      scf.yield %out, %sum, %top : !out, !row, !row
{{- end -}}

!halfSquare = tensor<{{.Rows}}x{{.Keys}}x{{.Type}}>
!square = tensor<{{.Rows}}x{{.Keys}}xf32>
!squareInt = tensor<{{.Rows}}x{{.Keys}}xi32>
!squareBool = tensor<{{.Rows}}x{{.Keys}}xi1>
!outPtr = tensor<{{.Rows}}x{{.Dim}}x!tt.ptr<{{.Type}}>>
!outHalf = tensor<{{.Rows}}x{{.Dim}}x{{.Type}}>
!out = tensor<{{.Rows}}x{{.Dim}}xf32>
!outInt = tensor<{{.Rows}}x{{.Dim}}xi32>
!outBool = tensor<{{.Rows}}x{{.Dim}}xi1>
!keyPtr = tensor<{{.Dim}}x{{.Keys}}x!tt.ptr<{{.Type}}>>
!keyHalf = tensor<{{.Dim}}x{{.Keys}}x{{.Type}}>
!keyInt = tensor<{{.Dim}}x{{.Keys}}xi32>
!valuePtr = tensor<{{.Keys}}x{{.Dim}}x!tt.ptr<{{.Type}}>>
!valueHalf = tensor<{{.Keys}}x{{.Dim}}x{{.Type}}>
!valueInt = tensor<{{.Keys}}x{{.Dim}}xi32>
!rowPtr = tensor<{{.Rows}}x!tt.ptr<f32>>
!row = tensor<{{.Rows}}xf32>
!rowInt = tensor<{{.Rows}}xi32>
!rowColumn = tensor<{{.Rows}}x1xf32>
!rowColumnInt = tensor<{{.Rows}}x1xi32>
!rowColumnBool = tensor<{{.Rows}}x1xi1>
!wordPtr = tensor<{{.Rows}}x{{.Words}}x!tt.ptr<i32>>
!word = tensor<{{.Rows}}x{{.Words}}xi32>
!wordDeep = tensor<{{.Rows}}x{{.Words}}x1xi32>
!cube = tensor<{{.Rows}}x{{.Words}}x32xi32>
!keysInt = tensor<{{.Keys}}xi32>
!keysRow = tensor<1x{{.Keys}}xi32>
!keysColumn = tensor<{{.Keys}}x1xi32>
!dims = tensor<{{.Dim}}xi32>
!dimsRow = tensor<1x{{.Dim}}xi32>
!dimsColumn = tensor<{{.Dim}}x1xi32>
!element = !tt.ptr<{{.Type}}>

module {
  tt.func public @{{.Name}}(%Q: !element {tt.divisibility = 16 : i32}, %K: !element {tt.divisibility = 16 : i32}, %V: !element {tt.divisibility = 16 : i32},
      {{- if .HasSinks}} %sinks: !tt.ptr<f32> {tt.divisibility = 16 : i32},{{end}}
      {{- if .Gained}} %gains: !tt.ptr<f32> {tt.divisibility = 16 : i32},{{end}}
      {{- if .ByLimits}} %Q0: !element {tt.divisibility = 16 : i32}, %K0: !element {tt.divisibility = 16 : i32}, %limits: !tt.ptr<f32> {tt.divisibility = 16 : i32},{{end}}
      {{- if .ByBits}} %bits: !tt.ptr<i32> {tt.divisibility = 16 : i32},{{end}} %O: !element {tt.divisibility = 16 : i32}
      {{- if not .Gained}}, %L: !tt.ptr<f32> {tt.divisibility = 16 : i32}{{end}}) {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %c5 = arith.constant 5 : i32
    %keysPerTile = arith.constant {{.Keys}} : i32
    %rowsPerProgram = arith.constant {{.Rows}} : i32
    %keyStride = arith.constant {{.KeyStride}} : i32
    %keyStrideRow = arith.constant dense<{{.KeyStride}}> : !keysRow
    %keyStrideColumn = arith.constant dense<{{.KeyStride}}> : !keysColumn
    %queryStride = arith.constant dense<{{.QueryStride}}> : !rowColumnInt
    %tokens = arith.constant dense<{{.Tokens}}> : !rowColumnInt
    %lastRows = arith.constant dense<{{.Last}}> : !rowInt
    %lastKeys = arith.constant dense<{{.Last}}> : !keysInt
    %zeroSquare = arith.constant dense<0.0> : !square
    %factorSquare = arith.constant dense<{{.Factor}}> : !square
    {{- if .HasSoftcap}}
    %capSquare = arith.constant dense<{{.Cap}}> : !square
    %oneSquare = arith.constant dense<1.0> : !square
    %twoSquare = arith.constant dense<2.0> : !square
    {{- end}}
    %unseen = arith.constant dense<-1.0e30> : !square
    %out0 = arith.constant dense<0.0> : !out

    // The last rows, which see most keys, come first, so that short programs fill the end.
    %blocks = tt.get_num_programs x : i32
    %program = tt.get_program_id x : i32
    %head = tt.get_program_id y : i32
    %batch = tt.get_program_id z : i32
    %lastBlock = arith.subi %blocks, %c1 : i32
    %block = arith.subi %lastBlock, %program : i32
    %row = arith.muli %block, %rowsPerProgram : i32
    %afterRows = arith.addi %row, %rowsPerProgram : i32

    %tileRows = tt.make_range {end = {{.Rows}} : i32, start = 0 : i32} : !rowInt
    %tileKeys = tt.make_range {end = {{.Keys}} : i32, start = 0 : i32} : !keysInt
    %dims = tt.make_range {end = {{.Dim}} : i32, start = 0 : i32} : !dims
    %rowSplat = tt.splat %row : i32 -> !rowInt
    %rows = arith.addi %rowSplat, %tileRows : !rowInt
    %rowsIn = arith.minsi %rows, %lastRows : !rowInt
    %rowsColumn = tt.expand_dims %rows {axis = 1 : i32} : !rowInt -> !rowColumnInt
    %rowsInColumn = tt.expand_dims %rowsIn {axis = 1 : i32} : !rowInt -> !rowColumnInt
    %rowsSquare = tt.broadcast %rowsColumn : !rowColumnInt -> !squareInt
    %dimsRow = tt.expand_dims %dims {axis = 0 : i32} : !dims -> !dimsRow
    %dimsColumn = tt.expand_dims %dims {axis = 1 : i32} : !dims -> !dimsColumn
    %dimsAcross = tt.broadcast %dimsRow : !dimsRow -> !valueInt
    %dimsDown = tt.broadcast %dimsColumn : !dimsColumn -> !keyInt

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
    %queryAt = arith.addi %queryAtBatch, %queryAtHead : i64
    %keyAtBatch = arith.muli %batchWide, %keyBatch : i64
    %keyAtHead = arith.muli %keyHead, %dimWide : i64
    %keyAt = arith.addi %keyAtBatch, %keyAtHead : i64

    // A learned sink is a score with no value; rows that sum to 1 over their keys lose it again.
    {{- if and .HasSinks (not .Normalise)}}
    %sinkAt = tt.addptr %sinks, %head : !tt.ptr<f32>, i32
    %sinkLoaded = tt.load %sinkAt : !tt.ptr<f32>
    %log2e = arith.constant {{.Log2E}} : f32
    %sink = arith.mulf %sinkLoaded, %log2e : f32
    %top0 = tt.splat %sink : f32 -> !row
    %sum0 = arith.constant dense<1.0> : !row
    {{- else}}
    %top0 = arith.constant dense<-1.0e30> : !row
    %sum0 = arith.constant dense<0.0> : !row
    {{- end}}
    {{- if .HasWindow}}
    %windowSquare = arith.constant dense<{{.Window}}> : !squareInt
    %behindSquare = arith.subi %rowsSquare, %windowSquare : !squareInt
    %window = arith.constant {{.Window}} : i32
    %behind = arith.subi %row, %window : i32
    %seen = arith.addi %behind, %c1 : i32
    %seenIn = arith.maxsi %seen, %c0 : i32
    %seenTile = arith.divsi %seenIn, %keysPerTile : i32
    %firstKey = arith.muli %seenTile, %keysPerTile : i32
    {{- end}}

    %rowsInAt = arith.muli %rowsInColumn, %queryStride : !rowColumnInt
    %rowsInSquare = tt.broadcast %rowsInAt : !rowColumnInt -> !outInt
    %dimsOfRows = tt.broadcast %dimsRow : !dimsRow -> !outInt
    %queryOffsets = arith.addi %rowsInSquare, %dimsOfRows : !outInt
    %tileKeysRow = tt.expand_dims %tileKeys {axis = 0 : i32} : !keysInt -> !keysRow
    %tileKeysRowAt = arith.muli %tileKeysRow, %keyStrideRow : !keysRow
    %tileKeysDown = tt.broadcast %tileKeysRowAt : !keysRow -> !keyInt
    %tileDown = arith.addi %tileKeysDown, %dimsDown : !keyInt
    %tileKeysColumn = tt.expand_dims %tileKeys {axis = 1 : i32} : !keysInt -> !keysColumn
    %tileKeysColumnAt = arith.muli %tileKeysColumn, %keyStrideColumn : !keysColumn
    %tileKeysAcross = tt.broadcast %tileKeysColumnAt : !keysColumn -> !valueInt
    %tileAcross = arith.addi %tileKeysAcross, %dimsAcross : !valueInt

    %qHead = tt.addptr %Q, %queryAt : !element, i64
    %qHeadSquare = tt.splat %qHead : !element -> !outPtr
    %qAt = tt.addptr %qHeadSquare, %queryOffsets : !outPtr, !outInt
    %q = tt.load %qAt : !outPtr
    %kHeadAt = tt.addptr %K, %keyAt : !element, i64
    %kHead = tt.splat %kHeadAt : !element -> !keyPtr
    %vHeadAt = tt.addptr %V, %keyAt : !element, i64
    %vHead = tt.splat %vHeadAt : !element -> !valuePtr
    {{- if .Gained}}
    %gainAt = tt.addptr %gains, %head : !tt.ptr<f32>, i32
    %gain = tt.load %gainAt : !tt.ptr<f32>
    %gainSquare = tt.splat %gain : f32 -> !square
    {{- end}}

    // Rows of [batch, heads, tokens].
    %headsWide = arith.constant {{.Heads}} : i64
    %batchHeads = arith.muli %batchWide, %headsWide : i64
    %batchHead = arith.addi %batchHeads, %headWide : i64
    %rowsPerHead = arith.constant {{.Tokens}} : i64
    %rowsAt = arith.muli %batchHead, %rowsPerHead : i64
    {{- if .ByLimits}}
    %q0Head = tt.addptr %Q0, %queryAt : !element, i64
    %q0HeadSquare = tt.splat %q0Head : !element -> !outPtr
    %q0At = tt.addptr %q0HeadSquare, %queryOffsets : !outPtr, !outInt
    %q0 = tt.load %q0At : !outPtr
    %k0HeadAt = tt.addptr %K0, %keyAt : !element, i64
    %k0Head = tt.splat %k0HeadAt : !element -> !keyPtr
    %limitsHead = tt.addptr %limits, %rowsAt : !tt.ptr<f32>, i64
    %limitsSplat = tt.splat %limitsHead : !tt.ptr<f32> -> !rowPtr
    %limitsAt = tt.addptr %limitsSplat, %rowsIn : !rowPtr, !rowInt
    %limit = tt.load %limitsAt : !rowPtr
    %limitColumn = tt.expand_dims %limit {axis = 1 : i32} : !row -> !rowColumn
    %limitSquare = tt.broadcast %limitColumn : !rowColumn -> !square
    {{- else if .ByBits}}
    %wordsPerRow = arith.constant dense<{{.WordsPerRow}}> : !rowColumnInt
    %zeroBits = arith.constant dense<0> : !squareInt
    %oneCube = arith.constant dense<1> : !cube
    %shifts = tt.make_range {end = 32 : i32, start = 0 : i32} : tensor<32xi32>
    %shiftsOver = tt.expand_dims %shifts {axis = 0 : i32} : tensor<32xi32> -> tensor<1x32xi32>
    %shiftsDeep = tt.expand_dims %shiftsOver {axis = 0 : i32} : tensor<1x32xi32> -> tensor<1x1x32xi32>
    %shiftsCube = tt.broadcast %shiftsDeep : tensor<1x1x32xi32> -> !cube
    %tileWords = tt.make_range {end = {{.Words}} : i32, start = 0 : i32} : tensor<{{.Words}}xi32>
    %tileWordsRow = tt.expand_dims %tileWords {axis = 0 : i32} : tensor<{{.Words}}xi32> -> tensor<1x{{.Words}}xi32>
    %tileWordsSquare = tt.broadcast %tileWordsRow : tensor<1x{{.Words}}xi32> -> !word
    %wordRows = arith.muli %rowsInColumn, %wordsPerRow : !rowColumnInt
    %wordRowsSquare = tt.broadcast %wordRows : !rowColumnInt -> !word
    %wordOffsets = arith.addi %wordRowsSquare, %tileWordsSquare : !word
    %wordsWide = arith.constant {{.WordsPerRow}} : i64
    %bitsAt = arith.muli %rowsAt, %wordsWide : i64
    %bitsHead = tt.addptr %bits, %bitsAt : !tt.ptr<i32>, i64
    %bitsSplat = tt.splat %bitsHead : !tt.ptr<i32> -> !wordPtr
    %bitsRows = tt.addptr %bitsSplat, %wordOffsets : !wordPtr, !word
    {{- end}}

    %passed:3 = scf.for %key = {{if .HasWindow}}%firstKey{{else}}%c0{{end}} to %row step %keysPerTile iter_args(%outBefore = %out0, %sumBefore = %sum0, %topBefore = %top0) -> (!out, !row, !row) : i32 {
      {{- template "tile" .Before}}
    }
    %all:3 = scf.for %key = %row to %afterRows step %keysPerTile iter_args(%outBefore = %passed#0, %sumBefore = %passed#1, %topBefore = %passed#2) -> (!out, !row, !row) : i32 {
      {{- template "tile" .OnDiagonal}}
    }

    %sumColumn = tt.expand_dims %all#1 {axis = 1 : i32} : !row -> !rowColumn
    %sumSquare = tt.broadcast %sumColumn : !rowColumn -> !out
    %result = arith.divf %all#0, %sumSquare : !out
    %resultHalf = arith.truncf %result : !out to !outHalf
    %tokensColumn = arith.cmpi slt, %rowsColumn, %tokens : !rowColumnInt
    %stored = tt.broadcast %tokensColumn : !rowColumnBool -> !outBool
    %oHead = tt.addptr %O, %queryAt : !element, i64
    %oHeadSquare = tt.splat %oHead : !element -> !outPtr
    %oAt = tt.addptr %oHeadSquare, %queryOffsets : !outPtr, !outInt
    tt.store %oAt, %resultHalf, %stored : !outPtr
    {{- if not .Gained}}
    %log = math.log2 %all#1 : !row
    %lse2 = arith.addf %all#2, %log : !row
    %ln2 = arith.constant dense<{{.Ln2}}> : !row
    %lse = arith.mulf %lse2, %ln2 : !row
    %tokensRow = arith.constant dense<{{.Tokens}}> : !rowInt
    %storedRows = arith.cmpi slt, %rows, %tokensRow : !rowInt
    %lHead = tt.addptr %L, %rowsAt : !tt.ptr<f32>, i64
    %lSplat = tt.splat %lHead : !tt.ptr<f32> -> !rowPtr
    %lAt = tt.addptr %lSplat, %rows : !rowPtr, !rowInt
    tt.store %lAt, %lse, %storedRows : !rowPtr
    {{- end}}
    tt.return
  }
}
