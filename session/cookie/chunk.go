package cookie

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// MaxBytes is how many bytes of name and value a browser takes in one cookie. It drops
// a larger one without a word.
const MaxBytes = 4096

// A longer sealed session is cut into chunks:
//
//	wos-session   = k1.3.f2yZ8bqN1mB4dQ0x.<first part>
//	wos-session.1 = k1.3.f2yZ8bqN1mB4dQ0x.<second part>
//	wos-session.2 = k1.3.f2yZ8bqN1mB4dQ0x.<last part>
//
// The number is the count, and what follows begins the SHA-256 of the whole, so
// that parts of two generations never make one. WorkOS's SDKs can't read chunks.
const (
	chunkSize = 3800
	maxChunks = 8 // 30 KB: as much as fits the header buffers that gateways commonly have
	chunkMark = "k1."
	chunkHead = len("k1.3.f2yZ8bqN1mB4dQ0x.")
)

func (c Config) split(sealed string) ([]string, error) {
	if len(c.Name)+len(c.escape(sealed)) <= MaxBytes {
		return []string{sealed}, nil
	}
	count := (len(sealed) + chunkSize - 1) / chunkSize
	if count > maxChunks {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(sealed))
	}
	start := chunkStart(sealed, count)
	values := make([]string, 0, count)
	for ; len(sealed) > chunkSize; sealed = sealed[chunkSize:] {
		values = append(values, start+sealed[:chunkSize])
	}
	return append(values, start+sealed), nil
}

func (c Config) chunkName(i int) string {
	if i == 0 {
		return c.Name
	}
	return c.Name + "." + strconv.Itoa(i)
}

// chunkSet collects chunks by generation: mark, count and hash, which their values begin with.
type chunkSet struct {
	generations []string // whose first chunk is there: no other can be whole
	data        map[chunkPlace]string
}

type chunkPlace struct {
	generation string
	index      int
}

func (s *chunkSet) add(index int, value string) {
	if len(value) <= chunkHead || index >= chunkCount(value) {
		return
	}
	generation, data := value[:chunkHead], value[chunkHead:]
	if index == 0 && len(s.generations) < maxCandidates {
		s.generations = appendNew(s.generations, generation)
	}
	if s.data == nil {
		s.data = make(map[chunkPlace]string)
	}
	s.data[chunkPlace{generation, index}] = data
}

// chunkCount is the count in a chunk, 0 where it can't be right.
func chunkCount(value string) int {
	count := value[len(chunkMark)]
	if count < '2' || count > '0'+maxChunks {
		return 0
	}
	return int(count - '0')
}

// wholes joins each generation that is complete and is what its hash says.
func (s *chunkSet) wholes() []string {
	var wholes []string
	for _, generation := range s.generations {
		if whole := s.join(generation); chunkStart(whole, chunkCount(generation)) == generation {
			wholes = append(wholes, whole)
		}
	}
	return wholes
}

// join returns "" where a chunk is missing.
func (s *chunkSet) join(generation string) string {
	var whole strings.Builder
	whole.Grow(chunkCount(generation) * chunkSize)
	for i := range chunkCount(generation) {
		data, ok := s.data[chunkPlace{generation, i}]
		if !ok {
			return ""
		}
		whole.WriteString(data)
	}
	return whole.String()
}

// chunkStart is what each chunk of a session begins with.
func chunkStart(sealed string, count int) string {
	sum := sha256.Sum256([]byte(sealed))
	return chunkMark + strconv.Itoa(count) + "." + base64.RawURLEncoding.EncodeToString(sum[:12]) + "."
}
