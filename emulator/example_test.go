package emulator_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http/httptest"
	"net/url"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// A test's emulator knows its own address before it serves.
func Example() {
	server := httptest.NewUnstartedServer(nil)
	e, err := emulator.New(emulator.Config{
		BaseURL:      &url.URL{Scheme: "http", Host: server.Listener.Addr().String()},
		ClientID:     "client_01TEST",
		APIKey:       "sk_test_key",
		RedirectURIs: []string{"http://localhost:3000/_auth/callback"},
	})
	if err != nil {
		log.Fatal(err)
	}
	server.Config.Handler = e
	server.Start()
	defer server.Close()

	raw, err := e.SignIn("zoe@acme.example", "")
	if err != nil {
		log.Fatal(err)
	}
	var session struct {
		User struct{ Name string }
	}
	if err := json.Unmarshal(raw, &session); err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.User.Name)
	// Output: Zoë Ångström
}
