package model

// outgrows reports whether cached keys of a sequence may become invalid. With frequencies for short and for long sequences (longrope) they do where the
// trained length is passed on the way; with a base that grows with the sequence (dynamic) at every token beyond it.
func (m *Model) outgrows(prompts [][]int, opts GenerateOptions) bool {
	r := m.arch.lengthDependent()
	if r == nil {
		return false
	}
	for _, p := range prompts {
		settled := r.long != nil && len(p) > r.trained
		if len(p)+opts.MaxTokens > r.trained && !settled {
			return true
		}
	}
	return false
}

// recompute chooses one more token by running every sequence from its start.
func (l *loop) recompute() error {
	sequences := make([][]int, len(l.prompts))
	for i, p := range l.prompts {
		sequences[i] = append(append([]int{}, p...), l.tokensOf(i)...)
	}
	return l.prefill(sequences)
}
