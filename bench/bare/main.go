// Command bare is what the service is compared with: a chi router whose only handler
// sets the headers that it was given, on a server with the service's limits.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/go-chi/chi/v5"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "bare: want an address and the headers as a JSON object")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func serve(address, headers string) error {
	var set map[string]string
	if err := json.Unmarshal([]byte(headers), &set); err != nil {
		return err
	}
	type header struct{ name, value string }
	var list []header // a map's order is random, which costs
	for name, value := range set {
		list = append(list, header{name, value})
	}
	handle := func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for _, header := range list {
			h.Set(header.name, header.value)
		}
		w.WriteHeader(http.StatusOK)
	}
	r := chi.NewRouter()
	r.Get("/verify/forward-auth", handle)
	r.Get("/verify/auth-request", handle)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{
		Addr: address, Handler: r, Protocols: protocols,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: 180 * time.Second, MaxHeaderBytes: 64 << 10,
	}
	return server.ListenAndServe()
}
