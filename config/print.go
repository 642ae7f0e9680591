package config

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// String returns the effective configuration, a line NAME=value for every
// variable, without secrets.
func (c *Config) String() string {
	var b strings.Builder
	fields := reflect.ValueOf(c).Elem()
	for i, v := range variables() {
		fmt.Fprintf(&b, "%s=%s\n", v.name, text(fields.Field(i).Interface()))
	}
	return b.String()
}

// text returns a value as its variable takes it, a secret redacted.
func text(value any) string {
	switch v := value.(type) {
	case Secret:
		if v.Reveal() == "" {
			return ""
		}
	case *url.URL:
		if v == nil {
			return ""
		}
	case uint16:
		if v == 0 {
			return ""
		}
	case time.Duration:
		return strconv.Itoa(int(v.Seconds()))
	case http.SameSite:
		if v == http.SameSiteNoneMode {
			return "none"
		}
		return "lax"
	case []string:
		return strings.Join(v, ",")
	}
	return fmt.Sprint(value)
}
