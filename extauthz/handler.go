package extauthz

import (
	"context"
	"errors"
	"net/http"

	"github.com/rs/zerolog"
)

// The paths that Handler answers.
const (
	CheckPath  = "/envoy.service.auth.v3.Authorization/Check"
	HealthPath = "/grpc.health.v1.Health/Check"
)

// Handler answers both calls.
type Handler struct {
	Verify   http.HandlerFunc // verify.Handler.ExtAuthz
	Identity []string         // the headers of its 200 that are for the app, as verify.IdentityHeaders names them
	Ready    func() bool
	Log      zerolog.Logger
}

// Check answers CheckPath.
func (h *Handler) Check(w http.ResponseWriter, r *http.Request) {
	err := call(w, r, func(ctx context.Context, message []byte) ([]byte, error) {
		asked, err := parseCheck(ctx, message)
		if err != nil {
			return nil, err
		}
		asked.RemoteAddr = r.RemoteAddr
		answer := &recorder{header: http.Header{}}
		h.Verify(answer, asked)
		if answer.status == http.StatusOK {
			return h.allowed(answer.header), nil
		}
		return denied(answer), nil
	})
	var failed *callError
	if errors.As(err, &failed) {
		h.Log.Error().Str("event", "ext_authz").Int("grpc_status", int(failed.code)).Str("peer", r.RemoteAddr).Str("detail", failed.message).
			Msg("check not answered")
	}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.body = append(r.body, b...)
	return len(b), nil
}
