package extauthz

import (
	"context"
	"net/http"
)

// The statuses of grpc.health.v1.HealthCheckResponse.
const (
	serving    = 1
	notServing = 2
)

// Health answers HealthPath, for the service as a whole ("") and for its one service by name. Watch, which streams, isn't there.
func (h *Handler) Health(w http.ResponseWriter, r *http.Request) {
	_ = call(w, r, func(_ context.Context, message []byte) ([]byte, error) { // its caller gets the error
		var service string
		err := each(message, []number{1}, func(value []byte) error {
			service = string(value)
			return nil
		})
		switch {
		case err != nil:
			return nil, err
		case service != "" && service != "envoy.service.auth.v3.Authorization":
			return nil, callErrorf(codeNotFound, "unknown service")
		case h.Ready():
			return appendInt(nil, 1, serving), nil
		}
		return appendInt(nil, 1, notServing), nil
	})
}
