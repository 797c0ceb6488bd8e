// Package sink measures where attention goes: received attention, sink rates, the mass on the first position, and the share of each
// token class.
//
// For layer l, head h, a sequence of T tokens and key k (0-based), with A the post-softmax attention:
//
//	received[l,h,k] = 1/(T-k) * sum_{i >= k} A_l[h,i,k]
//	Sink_k^eps      = mean over layers, heads and sequences of 1[received[l,h,k] > eps]     (arXiv 2410.10781)
//
// A sink rate is a share of heads, not of mass, and falls with T: both eps and T belong to the number (usually 0.3 and 64).
//
// A Survey runs prompts through a model and reduces on the device: what reaches the host is one number per key,
// [prompts, layers, heads, keys], never a map [heads, queries, keys]. AttentionMaps returns whole maps where one asks for them.
package sink
