package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	limit     = 250 * time.Millisecond // of a call
	dialLimit = 4 * limit              // of a new connection
)

// errURL says what a URL may look like. It never quotes one: there is a password in it.
var errURL = errors.New("is not a Redis URL: write redis://:password@host:6379/0, rediss:// for TLS, unix:///path?db=0, " +
	"redis+sentinel://:password@host1:26379,host2:26379/mymaster/0, or redis+cluster://:password@host1:6379,host2:6379; " +
	"percent-encode special characters in a password")

// CheckURL returns what New would say of a URL. Inlined it would bring the library's types into every package that calls it, see commands.
//
//go:noinline
func CheckURL(rawURL string) error {
	_, err := parseURL(rawURL)
	return err
}

// parseURL reads the forms that errURL lists. go-redis parses all but the schemes
// and the lists of hosts, which it takes in its own way. Its options for time-outs
// and pools have no effect: see bounded.
func parseURL(raw string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || strings.Contains(rest, "#") { // a password's, which would cut off all that follows
		return nil, errURL
	}
	scheme = strings.ToLower(scheme)
	plain, kind, _ := strings.Cut(scheme, "+")
	if plain != "redis" && plain != "rediss" && scheme != "unix" {
		return nil, errURL
	}
	switch kind {
	case "":
		return parseSingle(scheme + "://" + rest)
	case "sentinel":
		return parseSentinel(plain, rest)
	case "cluster":
		return parseCluster(plain, rest)
	}
	return nil, errURL
}

func parseSingle(raw string) (*redis.UniversalOptions, error) {
	o, err := redis.ParseURL(raw)
	if err != nil {
		return nil, errURL
	}
	return &redis.UniversalOptions{
		Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
	}, nil
}

// parseSentinel reads [user:password@]host,host/master[/db], with sentinel_username
// and sentinel_password in the query.
func parseSentinel(scheme, rest string) (*redis.UniversalOptions, error) {
	u, others, err := hosts(scheme, rest, "26379")
	if err != nil {
		return nil, err
	}
	master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if master == "" {
		return nil, fmt.Errorf("names no master: %w", errURL)
	}
	u.Path = "/" + db
	query := u.Query()
	sentinelUser, sentinelPassword := query.Get("sentinel_username"), query.Get("sentinel_password")
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	query.Set("master_name", master)
	query["addr"] = others
	u.RawQuery = query.Encode()
	o, err := redis.ParseFailoverURL(u.String()) // it takes the user for the Sentinels'
	if err != nil {
		return nil, errURL
	}
	return &redis.UniversalOptions{
		MasterName: o.MasterName, Addrs: o.SentinelAddrs, DB: o.DB, Username: o.SentinelUsername, Password: o.SentinelPassword,
		SentinelUsername: sentinelUser, SentinelPassword: sentinelPassword, TLSConfig: anyHost(o.TLSConfig),
	}, nil
}

// parseCluster reads [user:password@]host,host.
func parseCluster(scheme, rest string) (*redis.UniversalOptions, error) {
	u, others, err := hosts(scheme, rest, "6379")
	if err != nil {
		return nil, err
	}
	if strings.Trim(u.Path, "/0") != "" { // a cluster has no databases but 0
		return nil, errURL
	}
	query := u.Query()
	query["addr"] = others
	u.RawQuery = query.Encode()
	o, err := redis.ParseClusterURL(u.String())
	if err != nil {
		return nil, errURL
	}
	return &redis.UniversalOptions{
		Addrs: o.Addrs, IsClusterMode: true, Username: o.Username, Password: o.Password, TLSConfig: anyHost(o.TLSConfig),
	}, nil
}

// hosts parses a URL with a list of hosts: all but the first are in others.
func hosts(scheme, rest, port string) (u *url.URL, others []string, err error) {
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	user := ""
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, authority = authority[:at+1], authority[at+1:]
	}
	list := strings.Split(authority, ",")
	for i, host := range list {
		if host == "" {
			return nil, nil, errURL
		}
		if _, _, err := net.SplitHostPort(host); err != nil { // it has none
			list[i] = host + ":" + port
		}
	}
	if u, err = url.Parse(scheme + "://" + user + list[0] + tail); err != nil {
		return nil, nil, errURL
	}
	return u, list[1:], nil
}

// anyHost has each host checked against its own name, where go-redis would check all
// against the first one's.
func anyHost(c *tls.Config) *tls.Config {
	if c != nil {
		c.ServerName = ""
	}
	return c
}

// bounded sets the limits that a request can live with.
func bounded(o *redis.UniversalOptions) *redis.UniversalOptions {
	o.ContextTimeoutEnabled = true
	o.MaxRetries, o.DialerRetries = -1, 1 // the caller goes on without
	o.ReadTimeout, o.WriteTimeout = limit, limit
	o.DialTimeout = dialLimit // no call waits that long: a connection that comes late serves the next one
	o.PoolSize = 32
	o.PipelinePoolSize = -1 // no other pool for pipelines
	// Less than the limit, so that a busy pool can be told from a Redis that doesn't answer.
	o.PoolTimeout = 2 * limit / 5
	// RESP3, CLIENT SETINFO and maintenance notices are of no use here, and older
	// servers, some proxies and Valkey answer them with errors.
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o
}
