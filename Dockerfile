FROM golang:1.26 AS build
# Only for a network where Go's defaults don't reach: docker build --build-arg GOPROXY=...
ARG GOPROXY
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# For `version` and the log: docker build --build-arg VERSION=v1.2.3 --build-arg COMMIT=$(git rev-parse HEAD)
ARG VERSION COMMIT
RUN command=github.com/authkit-forward-auth/authkit-forward-auth/command && \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $command.version=$VERSION -X $command.commit=$COMMIT" -o /authkit-forward-auth .

# Nothing but the program, and the certificates that it checks WorkOS's against.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /authkit-forward-auth /
USER 65532:65532
EXPOSE 9000
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/authkit-forward-auth", "healthcheck"]
ENTRYPOINT ["/authkit-forward-auth"]
