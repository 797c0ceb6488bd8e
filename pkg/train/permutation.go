package train

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Permutation is a pseudorandom order of 0 ... n-1 that is computed place by place and never stored, so that a set of any size is
// shuffled in no memory and an epoch can be entered at any place.
//
// It is a balanced Feistel network of six rounds on the smallest even number of bits that holds n, its round keys SHA-256 of seed and
// epoch; a value beyond n is put through again until it is below (cycle walking: Black and Rogaway, "Ciphers with arbitrary
// finite domains", 2002). That is a bijection of 0 ... n-1 whatever the rounds do. It is not a uniform draw among all n! orders and need not be.
type Permutation struct {
	n    uint64
	half uint // bits of half a block
	keys [feistelRounds]uint64
}

// feistelRounds: four are enough for a pseudorandom permutation in theory (Luby and Rackoff 1988); six because blocks here are tiny.
const feistelRounds = 6

// NewPermutation is the order of n things in an epoch; n must not be negative.
func NewPermutation(n int, seed uint64, epoch int) (*Permutation, error) {
	if n < 0 || epoch < 0 {
		return nil, fmt.Errorf("train: an order of %d things in epoch %d: neither may be negative", n, epoch)
	}
	p := &Permutation{n: uint64(n)}
	p.half = uint(bits.Len64(uint64(max(n-1, 1)))+1) / 2
	for round := range p.keys {
		sum := sha256.Sum256(fmt.Appendf(nil, "attune/permutation/1/%d/%d/%d", seed, epoch, round))
		p.keys[round] = binary.BigEndian.Uint64(sum[:])
	}
	return p, nil
}

// Len is how many things are ordered.
func (p *Permutation) Len() int { return int(p.n) }

// At is the thing in a place of the order; place must be in 0 ... Len()-1.
func (p *Permutation) At(place int) int {
	x := uint64(place)
	mask := uint64(1)<<p.half - 1
	for {
		left, right := x>>p.half, x&mask
		for _, key := range p.keys {
			left, right = right, left^(mix(right^key)&mask)
		}
		if x = left<<p.half | right; x < p.n {
			return int(x)
		}
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
