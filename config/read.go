package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/caarlos0/env/v11"
)

// maxSecretFile is the size in bytes up to which the file of a secret is read.
const maxSecretFile = 4096

// problems collects what is wrong with the environment, one line a variable.
type problems struct {
	lines  []error
	bad    map[string]bool   // variables that have their line
	source map[string]string // where a variable's value was found, if under another name
}

// add says what is wrong with a variable and how to mend it. The first problem
// of a variable hides what follows from it.
func (p *problems) add(name, format string, args ...any) {
	if p.bad[name] {
		return
	}
	p.bad[name] = true
	if source := p.source[name]; source != "" {
		name = source
	}
	p.lines = append(p.lines, fmt.Errorf(name+": "+format, args...))
}

func (p *problems) ok(name string) bool { return !p.bad[name] }

// variable is one field of Config, as its tags describe it.
type variable struct {
	field    string // name of the field
	name     string
	other    string // other name, may be empty
	fallback string // default, may be empty
	choices  string // comma-separated, may be empty
	required bool
	secret   bool
}

// variables returns every variable of Config, in order.
func variables() []variable {
	var all []variable
	for field := range reflect.TypeFor[Config]().Fields() {
		name, option, _ := strings.Cut(field.Tag.Get("env"), ",")
		all = append(all, variable{
			field:    field.Name,
			name:     name,
			other:    field.Tag.Get("else"),
			fallback: field.Tag.Get("envDefault"),
			choices:  field.Tag.Get("choices"),
			required: option == "required",
			secret:   field.Type == reflect.TypeFor[Secret](),
		})
	}
	return all
}

// gather returns the values of Config's variables: secrets from their files,
// other names resolved, choices checked, empty ones left out.
func (p *problems) gather(environ map[string]string) map[string]string {
	values := map[string]string{}
	for _, v := range variables() {
		var value string
		if v.secret {
			value = p.readSecret(v, environ)
		} else {
			value = p.readPlain(v, environ)
		}
		switch {
		case value == "":
		case v.secret && hasInvisible(value):
			p.add(v.name, "has a space, a line break or an invisible character at its beginning or end, or a control character in it, which would make it another secret: remove that (an editor or Windows may have added a carriage return or a byte order mark)")
		case quoted(value):
			p.add(v.name, "the value has quotes around it, which belong to it here (docker --env-file keeps them): remove them")
		case v.choices != "" && !slices.Contains(strings.Split(v.choices, ","), value):
			p.add(v.name, "%s", notChosen(v, value))
		default:
			values[v.name] = value
		}
	}
	return values
}

// readPlain returns the value under a variable's name or its other name.
func (p *problems) readPlain(v variable, environ map[string]string) string {
	value := strings.TrimSpace(environ[v.name])
	if value == "" && v.other != "" {
		value = strings.TrimSpace(environ[v.other])
		if value != "" {
			p.source[v.name] = v.other
		}
	}
	if v.choices != "" {
		value = strings.ToLower(value)
	}
	return value
}

// readSecret returns a secret as it stands, or what is in the file that
// NAME_FILE names, without the newline at its end.
func (p *problems) readSecret(v variable, environ map[string]string) string {
	value, file := environ[v.name], environ[v.name+"_FILE"]
	if file == "" {
		return value
	}
	if value != "" {
		p.add(v.name, "is set, and %s_FILE too: remove one of them", v.name)
		return ""
	}
	p.source[v.name] = v.name + "_FILE"
	value, err := readFile(file)
	if err != nil {
		p.add(v.name, "%w: name a file that holds the secret and that this process may read", err)
	}
	return value
}

// readFile leaves the name out of its errors: people put the secret itself there.
func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", cause(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", cause(err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r") // one line break
	if value == "" {
		return "", errors.New("the file is empty")
	}
	if len(b) > maxSecretFile {
		return "", fmt.Errorf("the file is larger than %d bytes", maxSecretFile)
	}
	return value, nil
}

func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// parse fills the Config and turns the errors of env into lines of ours.
func (p *problems) parse(c *Config, values map[string]string) {
	err := env.ParseWithOptions(c, env.Options{Environment: values, FuncMap: parsers()})
	all, _ := errors.AsType[env.AggregateError](err)
	for _, err := range all.Errors {
		switch err := err.(type) {
		case env.VarIsNotSetError:
			p.add(err.Key, "is not set: %s", whereToGet(err.Key))
		case env.ParseError:
			p.add(variableOf(err.Name), "%w", err.Err)
		default:
			p.lines = append(p.lines, err)
		}
	}
}

func variableOf(field string) string {
	for _, v := range variables() {
		if v.field == field {
			return v.name
		}
	}
	return field
}

func whereToGet(name string) string {
	switch name {
	case "WORKOS_COOKIE_PASSWORD":
		return "take that of the apps that share the session, or make one with: openssl rand -base64 32"
	case "WORKOS_REDIRECT_URI":
		return "set this service's own callback, such as https://app.example.com/_auth/callback, and add it in the WorkOS dashboard under Redirects"
	default:
		return "copy it from the WorkOS dashboard, API Keys"
	}
}

// notChosen says why a value isn't among the choices.
func notChosen(v variable, value string) string {
	choices := strings.ReplaceAll(v.choices, ",", ", ")
	switch {
	case v.name == "WORKOS_COOKIE_SAMESITE" && value == "strict":
		return "with strict the return from AuthKit arrives without the cookie, and nobody can sign in: use lax"
	default:
		return fmt.Sprintf("%q is not known: use one of %s", value, choices)
	}
}

// hasInvisible reports whether a secret has what people add to it without seeing it. Spaces
// inside are part of it.
func hasInvisible(secret string) bool {
	outside := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) } // Cf: the byte order mark, zero-width characters
	return strings.TrimFunc(secret, outside) != secret || strings.ContainsFunc(secret, unicode.IsControl)
}

func quoted(value string) bool {
	first, last := value[0], value[len(value)-1]
	return len(value) > 1 && first == last && (first == '"' || first == '\'')
}
