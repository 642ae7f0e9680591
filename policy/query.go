package policy

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// maxQueryBytes bounds the query of a verify URL.
const maxQueryBytes = 8 << 10

// queryParameters are the parameters and their requirements, in the order in which
// these are checked.
var queryParameters = [...]struct{ parameter, requirement string }{
	{"email_domain", emailDomains},
	{"organization", Organizations},
	{"role", roles},
	{"permission", permissions},
	{"entitlement", entitlements},
	{"feature_flag", featureFlags},
}

// ParseQuery reads the requirements of a verify URL's raw query: email_domain,
// organization, role, permission, entitlement, feature_flag, each once at most, with any
// of the values between its commas. The error never has a piece of the query.
func ParseQuery(raw string) (Requirements, error) {
	if raw == "" {
		return Requirements{}, nil
	}
	if len(raw) > maxQueryBytes {
		return Requirements{}, queryError("is longer than 8 KB")
	}
	var lists [len(queryParameters)][]string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		i, err := queryParameter(name)
		if err != nil {
			return Requirements{}, err
		}
		if lists[i] != nil {
			return Requirements{}, queryError("has " + queryParameters[i].parameter + " twice")
		}
		if lists[i], err = queryValues(queryParameters[i].parameter, value); err != nil {
			return Requirements{}, err
		}
	}
	var r Requirements
	for i, values := range lists {
		if values != nil {
			r.Lists = append(r.Lists, ListRequirement{Name: queryParameters[i].requirement, Any: values})
		}
	}
	return r, nil
}

// queryParameter finds a parameter.
func queryParameter(raw string) (int, error) {
	name, err := url.QueryUnescape(raw)
	if err != nil || strings.Contains(raw, ";") {
		return 0, queryError("has a bad escape or a semicolon")
	}
	for i, known := range queryParameters {
		if name == known.parameter {
			return i, nil
		}
	}
	if name == "" {
		return 0, queryError("has an empty parameter")
	}
	return 0, queryError("has an unknown parameter: the parameters are " +
		"organization, role, permission, entitlement, feature_flag and email_domain")
}

// queryValues reads what stands between the commas. A comma that is escaped could be
// meant as a part of a value: it is refused.
func queryValues(parameter, raw string) ([]string, error) {
	var values []string
	for member := range strings.SplitSeq(raw, ",") {
		value, err := url.QueryUnescape(member)
		switch {
		case err != nil || strings.Contains(member, ";"):
			return nil, queryError("has a bad escape or a semicolon")
		case value == "":
			return nil, queryError("has an empty value of " + parameter)
		case strings.Contains(value, ","):
			return nil, queryError("has an escaped comma in " + parameter + ": write it plain, it stands between values")
		case parameter == "email_domain":
			if value = canonicalDomain(value); value == "" {
				return nil, queryError("has an email_domain that is not a domain")
			}
		}
		values = append(values, value)
	}
	slices.Sort(values)
	return values, nil
}

func queryError(problem string) error {
	return errors.New("policy: query of the verify URL: it " + problem +
		"; a gateway may append the client's query: see that its verify URL is fixed")
}
