//go:build linux

package main

import (
	"math"
	"slices"
)

// estimate is a median with its 95 % interval, by the order statistics of the sample.
type estimate struct{ median, low, high float64 }

// estimateOf wants at least one value.
func estimateOf(values []float64) estimate {
	sorted := slices.Sorted(slices.Values(values))
	n := float64(len(sorted))
	spread := 0.98 * math.Sqrt(n) // 1.96 standard deviations of the rank
	at := func(rank float64) float64 { return sorted[min(max(int(rank)-1, 0), len(sorted)-1)] }
	return estimate{
		median: (at(math.Floor((n+1)/2)) + at(math.Ceil((n+1)/2))) / 2,
		low:    at(math.Floor(n/2 - spread)), high: at(math.Ceil(n/2 + 1 + spread)),
	}
}

// ratios returns a[i] / b[i].
func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return r
}
