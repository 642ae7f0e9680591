package policyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// errChanging is the error for a file that is written or replaced while it is read.
var errChanging = errors.New("the file changes while it is read")

// fileState is by which one content of a file is told from another.
type fileState struct {
	info fs.FileInfo // nil with err
	err  error
}

// stateOf follows symbolic links: Kubernetes swaps one of the directory's to change
// the file of a ConfigMap.
func stateOf(path string) fileState {
	info, err := os.Stat(path)
	return fileState{info: info, err: err}
}

func (s fileState) same(other fileState) bool {
	if s.info == nil || other.info == nil {
		return s.err != nil && other.err != nil && s.err.Error() == other.err.Error()
	}
	return os.SameFile(s.info, other.info) && s.info.ModTime().Equal(other.info.ModTime()) && s.info.Size() == other.info.Size()
}

// text reads the file, which has to be in this state before and after: else errChanging.
func (s fileState) text(path string) ([]byte, error) {
	switch {
	case s.err != nil:
		return nil, s.err
	case !s.info.Mode().IsRegular(): // to open a pipe could take forever
		return nil, fmt.Errorf("%s is not a regular file", path)
	case s.info.Size() > maxBytes:
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
	text, err := io.ReadAll(io.LimitReader(file, s.info.Size()+1))
	if err != nil {
		return nil, err
	}
	if !s.same(fileState{info: opened}) || !s.same(stateOf(path)) || int64(len(text)) != s.info.Size() {
		return nil, errChanging
	}
	return text, nil
}
