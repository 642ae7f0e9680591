package server

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/redis"
)

// metrics is what the service counts at its own edges: AuthKit, the store and
// webhooks. What happens within is counted where it happens.
type metrics struct {
	registry *prometheus.Registry
	authKit  *prometheus.HistogramVec // by endpoint and result
	store    *prometheus.HistogramVec // by operation and result
	webhooks *prometheus.CounterVec   // by event and result
}

const namespace = "authkit_forward_auth"

// buckets are seconds, from a local Redis to AuthKit's time limit.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

func newMetrics() *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	f := promauto.With(registry)
	return &metrics{
		registry: registry,
		authKit: f.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "authkit_request_seconds", Buckets: buckets,
			Help: "Requests to AuthKit by endpoint (authenticate, jwks, validations, organization_memberships, other) and result: the status, or error.",
		}, []string{"endpoint", "result"}),
		store: f.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "store_operation_seconds", Buckets: buckets,
			Help: "Calls to Redis by operation (load, update, lock, publish) and result: ok or error.",
		}, []string{"operation", "result"}),
		webhooks: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "webhooks_total", Help: "Deliveries of webhooks by event and result.",
		}, []string{"event", "result"}),
	}
}

// transport counts and times requests to AuthKit.
type transport struct {
	next     http.RoundTripper
	requests *prometheus.HistogramVec
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	endpoint := "other"
	for _, known := range []string{"authenticate", "jwks", "validations", "organization_memberships"} {
		if strings.Contains(r.URL.Path, "/"+known) {
			endpoint = known
		}
	}
	begin := time.Now()
	response, err := t.next.RoundTrip(r)
	result := "error"
	if err == nil {
		result = strconv.Itoa(response.StatusCode)
	}
	t.requests.WithLabelValues(endpoint, result).Observe(time.Since(begin).Seconds())
	return response, err
}

// storeUp registers whether the store is in use.
func (m *metrics) storeUp(err func() error) {
	promauto.With(m.registry).NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "store_up", Help: "1 while Redis is in use, 0 while it is left out.",
	}, func() float64 {
		if err() != nil {
			return 0
		}
		return 1
	})
}

func (m *metrics) observeStore(operation string, took time.Duration, err error) {
	result := "ok"
	if err != nil && !errors.Is(err, redis.ErrOpen) {
		result = "error"
	}
	m.store.WithLabelValues(operation, result).Observe(took.Seconds())
}
