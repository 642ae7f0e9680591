package redis

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// limit is what a call may cost.
const limit = 250 * time.Millisecond

// errURL says what a URL may look like. It never quotes one: there is a password in it.
var errURL = errors.New("is not a Redis URL: write redis://:password@host:6379/0, rediss:// for TLS, unix:///path, " +
	"redis+sentinel://:password@host1:26379,host2:26379/mymaster, or redis+cluster://:password@host1:6379,host2:6379")

// parseURL reads the forms that errURL lists. go-redis parses all but the schemes
// and the lists of hosts, which it takes in its own way.
func parseURL(raw string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
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
	u := &redis.UniversalOptions{Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig}
	if o.Network == "unix" {
		u.Dialer = dialUnix(o.Addr)
	}
	return u, nil
}

// parseSentinel reads [user:password@]host,host/master[/db], with sentinel_username
// and sentinel_password in the query.
func parseSentinel(scheme, rest string) (*redis.UniversalOptions, error) {
	first, others, err := hosts(rest)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(scheme + "://" + first)
	if err != nil {
		return nil, errURL
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
		SentinelUsername: sentinelUser, SentinelPassword: sentinelPassword, TLSConfig: o.TLSConfig,
	}, nil
}

// parseCluster reads [user:password@]host,host.
func parseCluster(scheme, rest string) (*redis.UniversalOptions, error) {
	first, others, err := hosts(rest)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(scheme + "://" + first)
	if err != nil {
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
		Addrs: o.Addrs, IsClusterMode: true, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
	}, nil
}

// hosts takes all but the first host out of what follows a scheme.
func hosts(rest string) (first string, others []string, err error) {
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
	for _, host := range list {
		if host == "" {
			return "", nil, errURL
		}
	}
	return user + list[0] + tail, list[1:], nil
}

// bounded sets the limits that a request can live with.
func bounded(o *redis.UniversalOptions) *redis.UniversalOptions {
	o.MaxRetries, o.DialerRetries = -1, 1 // the caller goes on without
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = limit, limit, limit
	o.PoolTimeout = limit
	o.PoolSize = 64
	o.ContextTimeoutEnabled = true
	o.Protocol = 2
	// Neither is of use here, and proxies and older servers stumble over them.
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o
}
