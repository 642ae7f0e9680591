package emulator

import (
	"net/http"
	"os"
	"testing"
)

// TestMain hides CloseIdleConnections of the transport that tests share: each
// httptest.Server.Close calls it, and breaks what another test is sending.
func TestMain(m *testing.M) {
	http.DefaultTransport = struct{ http.RoundTripper }{http.DefaultTransport}
	os.Exit(m.Run())
}
