package config

import (
	"slices"
	"strings"
	"testing"
)

func TestMisspelt(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"TRUSTED_PROXY": "TRUSTED_PROXIES", "TRUSTED_PEERS": "", "GATWAY": "GATEWAY", "GATEWAYS": "GATEWAY",
		"WORKSO_API_KEY": "WORKOS_API_KEY", "WORKOS_CLIENTID": "WORKOS_CLIENT_ID", "WORKOS_APIKEY": "WORKOS_API_KEY",
		"WORKOS_REDIRECT_URL": "WORKOS_REDIRECT_URI", "WORKOS_COOKIE_SAMESIDE": "WORKOS_COOKIE_SAMESITE",
		"COOKIE_DOMAIN": "WORKOS_COOKIE_DOMAIN", "COOKIE_SLIMM": "COOKIE_SLIM", "REDIS_URI": "REDIS_URL", "POLICYFILE": "POLICY_FILE",
		"POLICY_FILES": "POLICY_FILE", "LOG_LEVL": "LOG_LEVEL", "log_level": "LOG_LEVEL", "WORKOS-API-KEY": "WORKOS_API_KEY",
		"WORKOS_API_KEY_FLIE": "WORKOS_API_KEY_FILE", "LOGOUT_RETURN_URI": "LOGOUT_RETURN_URL",
		// Read, also under another name or as a file.
		"WORKOS_API_KEY": "", "WORKOS_COOKIE_SAME_SITE": "", "NEXT_PUBLIC_WORKOS_REDIRECT_URI": "", "REDIS_URL_FILE": "",
		// Other programs' own: systemd's, Kubernetes', a shell's, an SDK's.
		"LISTEN_FDS": "", "LISTEN_PID": "", "REDIS_PORT": "", "REDIS_SERVICE_HOST": "", "PATH": "", "HOME": "", "GATEWAY_INTERFACE": "",
		"NEXT_PUBLIC_WORKOS_CLIENT_ID": "", "WORKOS_AUTHKIT_DOMAIN": "", "API_KEY": "", "CLIENT_ID": "", "ADMIN": "", "LOG": "",
	} {
		var wanted []string
		if want != "" {
			wanted = []string{name + " is not read: did you mean " + want + "?"}
		}
		if got := Misspelt(map[string]string{name: "s3cr3t", "GATEWAY": "nginx"}); !slices.Equal(got, wanted) {
			t.Errorf("%s: got %q, want %q", name, got, wanted)
		}
	}
	got := Misspelt(map[string]string{"TRUSTED_PROXY": "s3cr3t", "GATWAY": "s3cr3t"})
	if len(got) != 2 || !strings.HasPrefix(got[0], "GATWAY ") || strings.Contains(strings.Join(got, ""), "s3cr3t") {
		t.Errorf("got %q, want both in order, without a value", got)
	}
}
