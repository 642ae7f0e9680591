//go:build linux

package main

import "testing"

func TestEstimateOf(t *testing.T) {
	t.Parallel()
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64((i*37)%100 + 1) // 1 to 100, shuffled
	}
	tests := []struct {
		name   string
		values []float64
		want   estimate
	}{
		{"one", []float64{7}, estimate{7, 7, 7}},
		{"two", []float64{3, 1}, estimate{2, 1, 3}},
		{"an outlier", []float64{1, 1000, 2}, estimate{2, 1, 1000}},
		{"a hundred", hundred, estimate{50.5, 40, 61}}, // the table of order statistics says 40 and 61
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := estimateOf(tt.values); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
