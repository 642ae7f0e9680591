package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// errChanging is the error for a file that is written or replaced while it is read.
var errChanging = errors.New("the file changes while it is read")

// look is what tells one state of a file from another.
type look struct {
	info fs.FileInfo // nil with err
	err  error
}

// lookAt follows symbolic links: Kubernetes swaps one of the directory's to change
// the file of a ConfigMap.
func lookAt(path string) look {
	info, err := os.Stat(path)
	return look{info: info, err: err}
}

func (l look) same(other look) bool {
	if l.info == nil || other.info == nil {
		return l.err != nil && other.err != nil && l.err.Error() == other.err.Error()
	}
	return os.SameFile(l.info, other.info) && l.info.ModTime().Equal(other.info.ModTime()) && l.info.Size() == other.info.Size()
}

// text reads the file, which has to look like this before and after: else errChanging.
func (l look) text(path string) ([]byte, error) {
	switch {
	case l.err != nil:
		return nil, l.err
	case !l.info.Mode().IsRegular(): // to open a pipe could take forever
		return nil, fmt.Errorf("%s is not a regular file", path)
	case l.info.Size() > maxBytes:
		return nil, fmt.Errorf("%s has more than %d MB", path, maxBytes>>20)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	opened, err := file.Stat()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, l.info.Size()+1))
	if err != nil {
		return nil, err
	}
	if !l.same(look{info: opened}) || !l.same(lookAt(path)) || int64(len(text)) != l.info.Size() {
		return nil, errChanging
	}
	return text, nil
}
