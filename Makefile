# Every check that CI runs is here; .ci/run installs what they need and calls `make check`.
# E2E=required makes a missing gateway or browser a failure instead of a skipped test.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: check fmt tidy vet staticcheck race envoy fuzz test e2e bench vuln

check: fmt tidy vet staticcheck race envoy fuzz

fmt:
	@unformatted="$$(gofmt -l .)"; test -z "$$unformatted" || { echo "gofmt -w: $$unformatted"; exit 1; }

tidy:
	go mod tidy -diff

vet:
	go vet ./...

staticcheck:
	go run $(STATICCHECK) ./...

race:
	go test -race -count=1 -timeout 30m ./...

# What the end-to-end tests have in the place of Envoy is a module of its own: Envoy's protos and gRPC are 7 MB.
envoy:
	cd e2e/envoy && go mod tidy -diff && go vet ./... && go test -race -count=1 ./...

# Every fuzz target for a few thousand inputs, on top of its seeds, which `go test` runs.
fuzz:
	.ci/fuzz 3000x

# What needs nothing but Go; tests of gateways run where those are found.
test:
	go test ./...

# Real nginx, Traefik, Caddy, HAProxy and Node.js SDK. e2e/install gets them on Debian.
e2e:
	E2E=required go test -count=1 -timeout 30m ./e2e/...

# What a decision costs against a bare handler, and against oauth2-proxy where that is in the PATH: ten minutes, on Linux.
bench:
	go run ./bench

# Apart from the others: it asks a database on the internet.
vuln:
	go run $(GOVULNCHECK) ./...
