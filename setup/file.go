package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const maxFile = 1 << 20

// file is a service's environment: a line a variable, NAME=value, as docker compose and a shell read it.
type file struct {
	path  string
	there bool
	lines []string
}

// readFile reads a file that need not be there.
func readFile(path string) (file, error) {
	f := file{path: path}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return f, fmt.Errorf("%s is no file of variables: name another one with -env", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	f.there = true
	if len(text) > 0 {
		f.lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	return f, nil
}

// nameOf is the variable that a line sets; empty: none.
func nameOf(line string) string {
	line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
	name, _, found := strings.Cut(line, "=")
	if !found || strings.HasPrefix(name, "#") {
		return ""
	}
	return strings.TrimSpace(name)
}

// value is what the last line for a variable says, without its quotes.
func (f file) value(name string) string {
	for _, line := range slices.Backward(f.lines) {
		if nameOf(line) != name {
			continue
		}
		_, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		for _, quote := range []string{`"`, "'"} {
			if len(value) > 1 && strings.HasPrefix(value, quote) && strings.HasSuffix(value, quote) {
				return value[1 : len(value)-1]
			}
		}
		return value
	}
	return ""
}

// changed names the variables that would get another value.
func (f file) changed(variables []Variable) []string {
	var names []string
	for _, v := range variables {
		if f.value(v.Name) != v.Value {
			names = append(names, v.Name)
		}
	}
	return names
}

func (f file) changes(variables []Variable) bool { return len(f.changed(variables)) > 0 }

// backup is the first name of .bak, .bak2, … that nothing has.
func (f file) backup() string {
	for n := 1; ; n++ {
		path := f.path + ".bak"
		if n > 1 {
			path += fmt.Sprint(n)
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
}

// write sets variables and leaves every other line as it is. A file that is there is kept under another name.
// The new one is complete or not there at all, and its owner's alone.
func (f file) write(variables []Variable) error {
	if f.there && !f.changes(variables) {
		return nil
	}
	lines := slices.Clone(f.lines)
	for _, v := range variables {
		line := v.Name + "=" + v.Value
		if f.value(v.Name) == v.Value {
			continue
		}
		lines = slices.DeleteFunc(lines, func(old string) bool { return nameOf(old) == v.Name })
		lines = append(lines, line)
	}
	made, err := os.CreateTemp(filepath.Dir(f.path), ".env-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(made.Name()) // nothing, once it is renamed
	_, err = made.WriteString(strings.Join(lines, "\n") + "\n")
	if err := errors.Join(err, made.Sync(), made.Close()); err != nil {
		return err
	}
	if f.there {
		if err := os.Link(f.path, f.backup()); err != nil {
			return fmt.Errorf("keep %s: %w", f.path, err)
		}
	}
	return os.Rename(made.Name(), f.path)
}
