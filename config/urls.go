package config

import (
	"errors"
	"net/url"
	"strings"
)

// parseURL keeps the URL out of its error: it may hold a password.
func parseURL(v string) (any, error) {
	u, err := url.Parse(v)
	if err != nil {
		return nil, errors.New("is not a URL: write one such as https://app.example.com/path")
	}
	return *u, nil
}

// URLs is a comma-separated list.
type URLs []*url.URL

// String has commas between them.
func (all URLs) String() string {
	texts := make([]string, len(all))
	for i, u := range all {
		texts[i] = u.String()
	}
	return strings.Join(texts, ",")
}

func parseURLs(v string) (any, error) {
	var all URLs
	for _, item := range items(v) {
		u, err := parseURL(item)
		if err != nil {
			return nil, err
		}
		one := u.(url.URL)
		all = append(all, &one)
	}
	if len(all) == 0 {
		return nil, errors.New("lists nothing: write a URL such as https://app.example.com/_auth/callback")
	}
	return all, nil
}
