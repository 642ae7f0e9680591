package redis

import (
	"fmt"
	"strings"
	"testing"
)

func TestURL(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"redis://localhost":                         "localhost:6379",
		"redis://:secret@10.0.0.1:6380/3":           "10.0.0.1:6380 db 3 secret",
		"rediss://user:secret@redis:6379":           "redis:6379 user secret tls redis",
		"unix:///run/redis.sock":                    "/run/redis.sock",
		"redis+sentinel://a:26379,b:26379/mymaster": "a:26379 b:26379 master mymaster",
		"rediss+sentinel://:secret@a:26379,b:26380/main/2?sentinel_username=u&sentinel_password=p": "a:26379 b:26380 db 2 secret master main tls  sentinel u p",
		"redis+cluster://user:se%2Ccret@a:6379,b:6379":                                             "a:6379 b:6379 user se,cret cluster",
		"redis+sentinel://a,[::1]:26380,b/mymaster/1":                                              "a:26379 [::1]:26380 b:26379 db 1 master mymaster",
		"rediss+cluster://a,b":     "a:6379 b:6379 cluster tls ",
		"redis+cluster://one:6379": "one:6379 cluster",
	}
	for raw, want := range good {
		o, err := parseURL(raw)
		if err != nil {
			t.Errorf("%s: got %v", raw, err)
			continue
		}
		got := strings.Join(o.Addrs, " ")
		if o.DB != 0 {
			got += fmt.Sprint(" db ", o.DB)
		}
		for _, part := range []string{o.Username, o.Password} {
			if part != "" {
				got += " " + part
			}
		}
		if o.MasterName != "" {
			got += " master " + o.MasterName
		}
		if o.IsClusterMode {
			got += " cluster"
		}
		if o.TLSConfig != nil {
			got += " tls " + o.TLSConfig.ServerName
		}
		if o.SentinelUsername != "" {
			got += " sentinel " + o.SentinelUsername + " " + o.SentinelPassword
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
	for _, raw := range []string{
		"", "redis", "localhost:6379", "http://:secret@localhost", "redis://:secret@host:port", "redis://:secret@host/db",
		"redis+sentinel://:secret@a:26379", "redis+cluster://:secret@a:6379,,b:6379", "redis+other://:secret@a", "redis://:12#secret@host:6379", "redis+cluster://:secret@a:6379/1",
		"redis+sentinel://a:26379/mymaster/secret", "redis+sentinel://a:26379/mymaster?secret=1", "redis://:secret@%zz", "unix+cluster://x",
	} {
		if _, err := New(raw, "bus"); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "redis+sentinel://") {
			t.Errorf("%s: got %v, want an error that lists the forms and no secret", raw, err)
		}
	}
}
