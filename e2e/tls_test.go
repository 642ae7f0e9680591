package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const publicHost = "app.example.com"

func publicOrigin(port string) string { return "https://" + publicHost + ":" + port }

// startNginxWithTLS runs the example for a public name.
func startNginxWithTLS(t *testing.T, at addresses) {
	t.Helper()
	startNginxWithTLSEdited(t, at, func(string) {})
}

// startNginxWithTLSEdited runs it after changes to its files.
func startNginxWithTLSEdited(t *testing.T, at addresses, edit func(dir string)) {
	t.Helper()
	dir := copyExample(t, "nginx")
	certificate, key := selfSigned(t)
	replace(t, dir, "authkit/http.conf", "server auth:9000;", "server "+at.service+";")
	replace(t, dir, "nginx.conf", "include localhost.conf;", "include app.example.com.conf;")
	replace(t, dir, "app.example.com.conf", "server app:8080;", "server "+at.app+";")
	replace(t, dir, "app.example.com.conf", "listen 443 ", "listen "+at.gateway+" ")
	replace(t, dir, "app.example.com.conf", "listen 80;", "listen "+freeAddress(t)+";")
	replace(t, dir, "app.example.com.conf", "/etc/nginx/tls/app.example.com.crt", certificate)
	replace(t, dir, "app.example.com.conf", "/etc/nginx/tls/app.example.com.key", key)
	edit(dir)
	runNginx(t, dir, at.gateway)
}

// trustGateway makes the browser find the public names at an address, whatever
// certificate it has.
func trustGateway(b *browser, address string) {
	transport := b.client.Transport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // its own, of a minute ago
	transport.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(to); err == nil && strings.HasSuffix(host, ".example.com") {
			to = address
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
}

// selfSigned makes a certificate and returns its files.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{publicHost},
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return writePEM(t, filepath.Join(dir, "crt"), "CERTIFICATE", der), writePEM(t, filepath.Join(dir, "key"), "PRIVATE KEY", pkcs8)
}

func writePEM(t *testing.T, path, kind string, bytes []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
