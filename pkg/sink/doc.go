// Package sink measures where attention goes.
//
// For layer l, head h, a sequence of T tokens, query i and key k (0-based), with A the post-softmax attention:
//
//	received     alpha[l,h,k] = 1/(T-k) * sum_{i >= k} A[h,i,k]                            Received
//	sink rate    mean over layers, heads and prompts of 1[alpha_k > eps]                  SinkRate, RateGrid      arXiv 2410.10781
//	hidden sink  k >= 1 with alpha_k > 0.1                                                HiddenSinks             arXiv 2406.15765
//	outlier      0.6745 (alpha_k - median) / MAD > 3.5 within a head                      Outliers                Iglewicz and Hoaglin 1993
//	classes      share of attention against share of tokens, by class and layer           ByClass, tokenizer.Classify
//	entropy      -sum_k A[h,i,k] log A[h,i,k], mean over i                                Entropy
//	first        A[h,i,0]; diagonal A[h,i,i]; local sum of i-k < Window; mean over i      FirstShare, DiagonalShare, LocalShare
//	distance     sum_k A[h,i,k] (i-k), mean over i                                        Distance                arXiv 1906.04341
//	mask         density of A > tau off the diagonal; Jaccard overlap with layer 0's      Density, Overlap        arXiv 2403.14932
//	similarity   cosine of two layers' head-averaged maps                                 Similarity
//	massive      |x| > 100 and > 1000 medians in the residual stream                      MassiveActivations      arXiv 2402.17762
//	norms        of keys, values and the residual stream                                  NormsAt, KeyNorm
//
// A sink rate is a share of heads, not of mass, and falls with T: both eps and T belong to the number (usually 0.3 and 64).
//
// # How it is computed
//
// Run takes every prompt through the model once, for all of Options.Measures together, and reduces on the device: what reaches the host is one
// number per key or per head, never a map [heads, queries, keys]. Everything is accumulated in float32 or better whatever the model's type. How a layer is
// reduced depends on how it is computed; none is computed otherwise for being observed:
//
//	whole      where the layer forms its probabilities anyway, an intervention's included
//	by blocks  where a fused kernel computes it: probabilities are formed again from queries, keys and the kernel's row log-sum-exp, some blocks of
//	           256 x 256 tokens at a time, so that memory grows with T and not with its square
//	by kernel  the same on CUDA in half precision: a kernel of our own walks the scores once more and adds up all measures (attention/kernel, Statistics);
//	           maps that are binned to cells of less than 64 tokens go by blocks
//
// Every PerHead and PerPrompt list holds one value per prompt, to resample from: stats.MeanInterval, stats.PairedMean. Compare puts two surveys of the same prompts
// side by side. Save writes a survey as safetensors and JSON, the same bytes for the same survey; Load reads it back, and its
// statistics follow from it without the model. AttentionMaps returns whole maps where one asks for them, and refuses what would not fit.
package sink
