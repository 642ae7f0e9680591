package apikey

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Results of Verify.
const (
	resultHit         = "hit"   // valid, and remembered
	resultValid       = "valid" // WorkOS was asked
	resultInvalid     = "invalid"
	resultLimited     = "limited"
	resultUnavailable = "unavailable"
)

// newResults registers the counter; r may be nil.
func newResults(r prometheus.Registerer) *prometheus.CounterVec {
	results := promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Namespace: "authkit_forward_auth", Name: "api_keys_total", Help: "Requests with an API key, by result.",
	}, []string{"result"})
	for _, result := range []string{resultHit, resultValid, resultInvalid, resultLimited, resultUnavailable} {
		results.WithLabelValues(result) // from the start, so that a first failure shows as an increase
	}
	return results
}

func resultOf(remembered bool, err error) string {
	var limited *LimitedError
	switch {
	case errors.Is(err, ErrInvalid):
		return resultInvalid
	case errors.As(err, &limited):
		return resultLimited
	case err != nil:
		return resultUnavailable
	case remembered:
		return resultHit
	}
	return resultValid
}
